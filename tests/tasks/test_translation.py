from pathlib import Path

import pytest

from bimodal.schema import DataConfig
from bimodal.types import Dataset, Example
from bimodal_tasks.datasets.openmoji import SOURCE
from bimodal_tasks.openmoji.names import LANGUAGES
from bimodal_tasks.translation import TASK


@pytest.fixture(scope="module", params=["de", "zh"])
def dataset(request: pytest.FixtureRequest, data_cache: Path) -> Dataset:
    data = DataConfig(name="openmoji", task="translation", language=request.param)
    return SOURCE.load(SOURCE.resolved(data), data_cache, lambda *_: None)


def test_every_contestant_reads_the_text_and_the_language_wanted() -> None:
    assert TASK.prompt(Example("1", "woman farmer", "bäuerin", language="de")) == "woman farmer\nde: "


def test_openmoji_gives_the_english_name_to_read_and_the_other_to_write(dataset: Dataset) -> None:
    row = next(row for row in dataset.examples("train") if row.id == "1F600")
    assert row.text == "grinning face"
    assert row.target == {"de": "grinsendes gesicht", "zh": "嘿嘿"}[row.language]
    assert row.image is not None


def test_no_source_or_target_of_validation_or_test_is_in_training(dataset: Dataset) -> None:
    def normalised(text: str) -> str:
        return " ".join(text.casefold().split())

    for read in (lambda row: row.text, lambda row: row.target):
        training = {normalised(read(row)) for row in dataset.examples("train")}
        held_out = {normalised(read(row)) for split in ("validation", "test") for row in dataset.examples(split)}
        assert not training & held_out


def test_every_language_of_the_package_can_be_chosen() -> None:
    assert {
        SOURCE.resolved(DataConfig(name="openmoji", task="translation", language=x)).language for x in LANGUAGES
    } == {*LANGUAGES}
