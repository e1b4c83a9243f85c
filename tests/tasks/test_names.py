"""The diagnostic with a known truth: what the dial turns, and what it leaves alone."""

from collections import Counter
from pathlib import Path

import pytest

from bimodal.errors import DataError
from bimodal.metrics import ENTITY_F1
from bimodal.schema import DataConfig
from bimodal.tags import marked, tagged_example
from bimodal.types import Dataset, Example, Prediction
from bimodal_tasks.datasets.names import SOURCE
from bimodal_tasks.names.lexicon import PLAIN, ambiguous_names
from bimodal_tasks.names.optimum import best_entity_f1, reading, reading_and_seeing
from bimodal_tasks.names.pictures import KIND_OF, drawings_by_kind
from bimodal_tasks.openmoji.pictures import cached_pictures


def silent(what: str, done: int, total: int) -> None:
    pass


def names(dial: float, cache: Path) -> Dataset:
    return SOURCE.load(DataConfig(name="names", dial=dial), cache, silent)


@pytest.fixture(scope="module")
def halfway(data_cache: Path) -> Dataset:
    return names(0.5, data_cache)


def test_counts_are_those_of_the_card(halfway: Dataset) -> None:
    assert halfway.record.splits == {"train": 3300, "validation": 280, "test": 700}
    counts = Counter((split, row.meta["ambiguous"]) for split, rows in halfway.splits.items() for row in rows)
    assert [counts[split, "yes"] for split in ("train", "validation", "test")] == [2400, 200, 500]


def test_no_name_is_in_two_lists() -> None:
    plain = [name for names in PLAIN.values() for name in names]
    assert len(plain) == len(set(plain))
    assert not set(plain) & set(ambiguous_names())
    assert len(ambiguous_names()) == 118


def test_an_ambiguous_sentence_stands_there_once_for_each_type_of_its_name(halfway: Dataset) -> None:
    for rows in halfway.splits.values():
        types: dict[str, list[str]] = {}
        for row in rows:
            if row.meta["ambiguous"] == "yes":
                types.setdefault(row.text, []).append(row.meta["type"])
        for text, found in types.items():
            (name,) = (name for name in ambiguous_names() if name in text.split())
            assert sorted(found) == sorted(ambiguous_names()[name])


def test_no_sentence_of_validation_or_test_was_read_in_training(halfway: Dataset) -> None:
    seen = {row.text for row in halfway.examples("train")}
    for split in ("validation", "test"):
        assert not seen & {row.text for row in halfway.examples(split)}


def test_every_ambiguous_name_of_the_test_split_is_known_from_training(halfway: Dataset) -> None:
    known = {(row.meta["name"], row.meta["type"]) for row in halfway.examples("train")}
    assert {(r.meta["name"], r.meta["type"]) for r in halfway.examples("test") if r.meta["ambiguous"] == "yes"} <= known


def test_a_drawing_is_of_one_kind_and_there_are_enough_to_choose_from(data_cache: Path) -> None:
    _, pictures = cached_pictures(data_cache, silent)
    kinds = drawings_by_kind(pictures)
    assert set(kinds) == {"person", "flag", "building", "animal", "food"}
    owners = Counter(drawing.look for drawings in kinds.values() for drawing in drawings)
    assert max(owners.values()) == 1
    assert all(len(drawings) >= 25 for drawings in kinds.values())


def test_no_picture_is_in_two_splits(halfway: Dataset) -> None:
    owners: dict[bytes, set[str]] = {}
    for split, rows in halfway.splits.items():
        for path in {row.image for row in rows if row.image is not None}:
            owners.setdefault(path.read_bytes(), set()).add(split)
    assert all(len(splits) == 1 for splits in owners.values())


@pytest.mark.parametrize("dial", [0.0, 0.25, 0.5, 1.0])
def test_the_dial_is_the_share_of_examples_whose_picture_tells(dial: float, data_cache: Path) -> None:
    rows = names(dial, data_cache).examples("test")
    told = sum(row.meta["picture tells"] == "yes" for row in rows)
    assert told == pytest.approx(dial * len(rows), abs=1)  # whole pairs
    for row in rows:
        assert row.meta["picture"] == (KIND_OF[row.meta["type"]] if row.meta["picture tells"] == "yes" else "food")


def test_twins_whose_picture_does_not_tell_have_the_same_picture(halfway: Dataset) -> None:
    shown: dict[str, set[Path | None]] = {}
    for row in halfway.examples("test"):
        if row.meta["ambiguous"] == "yes" and row.meta["picture tells"] == "no":
            shown.setdefault(row.text, set()).add(row.image)
    assert len(shown) == 125
    assert all(len(pictures) == 1 for pictures in shown.values())


def test_turning_the_dial_up_changes_only_pictures_and_takes_none_back(halfway: Dataset, data_cache: Path) -> None:
    def rows(dataset: Dataset) -> list[Example]:
        return [row for part in dataset.splits.values() for row in part]

    lower = names(0.25, data_cache)
    for below, above in zip(rows(lower), rows(halfway), strict=True):
        assert (below.id, below.text, below.tags) == (above.id, above.text, above.tags)
        assert below.meta["picture tells"] == "no" or above.image == below.image
    assert lower.record.fingerprint != halfway.record.fingerprint


def test_the_best_score_is_that_of_the_rule_that_reaches_it(halfway: Dataset) -> None:
    # Whoever reads knows all that the words settle, and guesses one type of each ambiguous name.
    test = halfway.examples("test")
    guesses = {row.text: row for row in test}
    answers = [Prediction(row.id, row.target, tags=guesses[row.text].tags) for row in test]
    reached = ENTITY_F1.score(answers, test).value
    assert reached == pytest.approx(best_entity_f1(test, reading), abs=1e-12)
    entities = sum(row.target.count("[") for row in test)
    assert reached == pytest.approx((entities - 250) / entities)


def test_the_best_score_with_the_picture_rises_with_the_dial_and_without_it_does_not(data_cache: Path) -> None:
    test = {dial: names(dial, data_cache).examples("test") for dial in (0.0, 0.5, 1.0)}
    assert len({best_entity_f1(rows, reading) for rows in test.values()}) == 1
    seeing = [best_entity_f1(rows, reading_and_seeing) for rows in test.values()]
    assert seeing[0] == best_entity_f1(test[0.0], reading)
    assert seeing[0] < seeing[1] < seeing[2] == 1.0


def test_the_card_states_the_best_score(halfway: Dataset) -> None:
    assert "0.697 from the text alone, 0.848 with the picture" in halfway.record.description


def test_a_bound_that_does_not_hold_is_refused() -> None:
    rows = [tagged_example(kind, ["X"], [f"B-{kind}"]) for kind in ("PER", "LOC", "ORG")]
    with pytest.raises(ValueError, match="this bound does not hold"):
        best_entity_f1(rows, reading)


def test_a_changed_picture_is_found(tmp_path: Path, data_cache: Path) -> None:
    import shutil

    shutil.copytree(data_cache / "names", tmp_path / "names")
    picture = next((tmp_path / "names").glob("*/test-animal-007.png"))
    picture.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"test-animal-007\.png was changed .* bench data get names --force"):
        names(1.0, tmp_path)


def test_the_fingerprint_is_stable(data_cache: Path) -> None:
    # Of sentences, tags and pictures at dial 1; other versions of the packages draw other pictures.
    assert names(1.0, data_cache).record.fingerprint == names(1.0, data_cache).record.fingerprint


def test_targets_are_the_sentences_with_their_names_marked(halfway: Dataset) -> None:
    row = next(row for row in halfway.examples("test") if row.meta["name"] == "Dove")
    assert row.target == marked(row.text.split(" "), row.tags or ())
