"""The real data set (rendering it takes about five seconds, once for the whole test run)."""

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from bimodal.errors import UsageError
from bimodal.schema import DataConfig
from bimodal.types import Dataset
from bimodal_tasks.datasets.openmoji import SOURCE

FINGERPRINTS = {
    "compositional": "c74dc332c9fc9af820e5c90266d258525a9503bdf9c559bf35e558ede08a5216",
    "hard": "b96f159ad7232a5b9d7e17ba49a35c24815b564087184896546f9ffb4ec03b58",
}


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module", params=SOURCE.variants)
def dataset(request: pytest.FixtureRequest, data_cache: Path) -> Dataset:
    return SOURCE.load(DataConfig(name="openmoji", variant=request.param), data_cache, silent)


@pytest.fixture(scope="module")
def compositional(data_cache: Path) -> Dataset:
    return SOURCE.load(DataConfig(name="openmoji"), data_cache, silent)


def test_counts_are_those_of_the_card(dataset: Dataset) -> None:
    expected = {
        "compositional": {"train": 3501, "validation": 174, "test": 269},
        "hard": {"train": 3446, "validation": 197, "test": 301},
    }
    assert dataset.record.splits == expected[dataset.record.variant]
    assert {split: len(examples) for split, examples in dataset.splits.items()} == dataset.record.splits


def test_no_id_name_or_picture_is_in_two_splits(dataset: Dataset) -> None:
    owners: dict[str, set[str]] = {}
    for split, examples in dataset.splits.items():
        for example in examples:
            assert example.image is not None
            picture = hashlib.sha256(example.image.read_bytes()).hexdigest()
            for key in (example.id, example.target, picture):
                owners.setdefault(key, set()).add(split)
    assert {key for key, splits in owners.items() if len(splits) > 1} == set()


def test_the_fingerprint_is_stable(dataset: Dataset, data_cache: Path) -> None:
    again = SOURCE.load(DataConfig(name="openmoji", variant=dataset.record.variant), data_cache, silent)
    assert again.record.fingerprint == dataset.record.fingerprint == FINGERPRINTS[dataset.record.variant]


def test_every_held_out_word_is_known_from_three_training_names(compositional: Dataset) -> None:
    words = Counter(word for example in compositional.examples("train") for word in set(example.target.split()))
    for example in (*compositional.examples("validation"), *compositional.examples("test")):
        assert min(words[word] for word in example.target.split()) >= 3


def test_held_out_combinations_are_new_and_their_parts_known(compositional: Dataset) -> None:
    training = [example.meta for example in compositional.examples("train")]
    for part in ("concept", "tone", "gender"):
        known = {meta[part] for meta in training}
        assert {example.meta[part] for example in compositional.examples("test")} <= known
    combinations = {tuple(sorted(meta.items())) for meta in training}
    assert not combinations & {tuple(sorted(example.meta.items())) for example in compositional.examples("test")}


def test_an_example_has_no_text_and_readable_slices(compositional: Dataset) -> None:
    by_id = {example.id: example for examples in compositional.splits.values() for example in examples}
    woman = by_id["1F469-1F3FF-200D-1F33E"]
    assert woman.text == ""
    assert woman.target == "woman farmer dark skin tone"
    assert woman.meta == {"concept": "farmer", "tone": "dark", "gender": "woman"}


def test_the_record_gives_credit(compositional: Dataset) -> None:
    record = compositional.record
    assert "All emojis designed by OpenMoji" in record.attribution
    assert "CC BY-SA 4.0" in record.attribution
    assert "Unicode" in record.licence
    assert record.modalities == ("image",)


def test_the_notice_carries_the_attribution() -> None:
    notice = (Path(__file__).parents[2] / "NOTICE").read_text(encoding="utf-8")
    assert "All emojis designed by OpenMoji" in notice
    assert "Unicode-3.0" in notice


def test_an_unknown_variant_is_refused(data_cache: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'compositional'"):
        SOURCE.load(DataConfig(name="openmoji", variant="compositonal"), data_cache, silent)
