"""Slices: where test examples fall."""

from bimodal.slices import slices_of
from bimodal.types import Dataset, Example

from ..reports.factories import make_dataset


def dataset() -> Dataset:
    train = [Example(f"t{i}", "", "a red ball") for i in range(5)]
    test = [
        Example("short", "", "red ball", meta={"tone": "dark", "concept": "ball"}),
        Example("long", "", "a red ball a red ball", meta={"tone": "light"}),
        Example("odd", "", "a blue"),
        Example("tagged", "a red ball", "a [red ball]", tags=("O", "B-MISC", "I-MISC")),
    ]
    return Dataset(make_dataset(), {"train": tuple(train), "validation": (), "test": tuple(test)})


def test_length_divides_at_the_median() -> None:
    found = slices_of(dataset(), ())
    assert [found[name]["length"] for name in ("short", "long", "odd")] == ["short", "long", "short"]


def test_a_word_is_rare_that_training_hardly_knows_and_tagging_targets_do_not_count() -> None:
    found = slices_of(dataset(), ())
    assert {name for name in found if found[name]["rare words"] == "yes"} == {"odd"}


def test_a_data_set_declares_which_of_its_meta_data_divide() -> None:
    assert slices_of(dataset(), ("tone",))["short"] == {"length": "short", "rare words": "no", "tone": "dark"}
