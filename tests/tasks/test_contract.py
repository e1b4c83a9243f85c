"""What the harness relies on, for every task and every data set found."""

import hashlib
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from bimodal import registry
from bimodal.datasets import cache_dir
from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.tags import tags_of, words_of
from bimodal.types import Dataset, Example, Prediction

VARIANTS = [
    (name, variant, task)
    for name in registry.summaries("dataset")
    if not registry.load_source(name).reads_folder  # of the user's: tests/tasks/own
    for variant in registry.load_source(name).variants
    for task in registry.load_source(name).tasks
]


def silent(what: str, done: int, total: int) -> None:
    pass


def load(data: DataConfig, cache: Path) -> Dataset:
    source = registry.load_source(data.name)
    return source.load(source.resolved(data), cache, silent)


@pytest.fixture(params=VARIANTS, ids="-".join)
def data(request: pytest.FixtureRequest) -> DataConfig:
    name, variant, task = request.param
    return DataConfig(name=name, variant=variant, task=task)


@pytest.fixture
def cache(data: DataConfig, data_cache: Path) -> Path:
    """A cache that starts empty; the user's own for what comes over the network, which tests do not use."""
    return data_cache if registry.load_source(data.name).fetch is None else cache_dir()


@pytest.fixture
def dataset(data: DataConfig, cache: Path) -> Dataset:
    try:
        return load(data, cache)
    except DataError as error:
        if "bench data get" in str(error) and registry.load_source(data.name).fetch is not None:
            pytest.skip(str(error))
        raise


@pytest.fixture(params=sorted(registry.summaries("task")))
def task(request: pytest.FixtureRequest):
    return registry.load_task(request.param)


@pytest.fixture
def examples(task, data_cache: Path) -> tuple[Example, ...]:
    return load(DataConfig(name=task.default_dataset, task=task.name), data_cache).examples("test")[:50]


def own_answers(examples: tuple[Example, ...], bits: float | None = None) -> list[Prediction]:
    return [Prediction(e.id, e.target, bits, e.tags) for e in examples]


def wrong_answers(examples: tuple[Example, ...], bits: float | None = None) -> list[Prediction]:
    return [Prediction(e.id, "?", bits, tags=None if e.tags is None else ("B-wrong",) * len(e.tags)) for e in examples]


def test_a_task_gives_its_own_targets_the_best_score(task, examples) -> None:
    own = task.score(own_answers(examples, bits=1.0), examples)
    wrong = task.score(wrong_answers(examples, bits=99.0), examples)
    assert task.primary_metric in own
    for name, metric in own.items():
        if metric.unit in ("points", "fraction"):
            assert metric.value == pytest.approx({"points": 100, "fraction": 1}[metric.unit])
        gain = metric.value - wrong[name].value
        assert (gain if metric.higher_is_better else -gain) > 0


def test_a_task_scores_what_has_no_target_bits_and_what_has(task, examples) -> None:
    plain = task.score(own_answers(examples), examples)
    with_bits = task.score(own_answers(examples, bits=8.0), examples)
    assert set(with_bits) - set(plain) == {"bits_per_byte" if task.kind == "generate" else "bits_per_tag"}


def test_a_task_declares_its_margin_and_a_primary_metric_with_a_direction(task, examples) -> None:
    assert task.margin > 0
    scores = task.score(own_answers(examples, bits=8.0), examples)
    assert scores[task.primary_metric].ci95 is not None


def test_a_prompt_is_text_and_never_holds_the_target(task, examples) -> None:
    for example in examples:
        # A text that is the same in two languages is its own translation: the example's text may hold the target.
        assert example.target not in task.prompt(replace(example, text=""))


def test_a_task_that_tags_reads_a_word_for_each_tag(task, examples) -> None:
    for example in examples:
        assert task.kind == "generate" or len(words_of(task.prompt(example))) == len(tags_of(example))


def test_a_data_set_has_all_splits_and_counts_them(dataset: Dataset) -> None:
    assert {split: len(rows) for split, rows in dataset.splits.items()} == dataset.record.splits
    assert all(dataset.record.splits[split] > 1 for split in ("train", "validation", "test"))


def test_no_example_input_or_picture_is_in_two_splits(dataset: Dataset) -> None:
    def keys(example: Example) -> set[str]:
        found = {f"id {example.id}", f"text {example.text} {example.target}"}
        for path in (example.image, example.audio):
            if path is not None:
                found.add(hashlib.sha256(path.read_bytes()).hexdigest())
        return found

    by_split = [set().union(*(keys(row) for row in rows)) for rows in dataset.splits.values()]
    for first, second in combinations(by_split, 2):
        assert not first & second


def test_files_are_in_the_data_sets_own_folder(dataset: Dataset, cache: Path) -> None:
    # `bench data get NAME --force` removes that folder, and nothing else.
    own = cache / dataset.record.name
    paths = [path for rows in dataset.splits.values() for row in rows for path in (row.image, row.audio) if path]
    assert all(path.is_relative_to(own) for path in paths)


def test_ids_are_unique_and_files_are_there(dataset: Dataset) -> None:
    for rows in dataset.splits.values():
        assert len({row.id for row in rows}) == len(rows)
        for row in rows:
            for path in (row.image, row.audio):
                assert path is None or path.is_file()


def test_the_modalities_of_the_card_are_those_of_the_examples(dataset: Dataset) -> None:
    rows = [row for part in dataset.splits.values() for row in part]
    assert ("image" in dataset.record.modalities) == any(row.image for row in rows)
    assert ("audio" in dataset.record.modalities) == any(row.audio for row in rows)


def test_a_card_says_licence_credit_and_source(dataset: Dataset) -> None:
    record = dataset.record
    assert all((record.version, record.description, record.licence, record.attribution, record.source))
    assert record.licence_url.startswith("https://")
    assert len(record.fingerprint) == 64


def test_loading_twice_gives_the_same_fingerprint_and_order(data: DataConfig, dataset: Dataset, cache: Path) -> None:
    assert load(data, cache) == dataset
