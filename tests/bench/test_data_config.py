"""What a configuration says about the data, and how a data set fills in what it leaves open."""

from dataclasses import replace

import pytest

from bimodal.errors import UsageError
from bimodal.schema import DataConfig, DatasetRecord, ModelConfig, RunConfig
from bimodal.types import DatasetSource


def load(*_: object) -> None:
    raise AssertionError("not loaded here")


SOURCE = DatasetSource("plain", "Without a dial.", ("captioning",), ("easy", "hard"), load)
DIALLED = replace(SOURCE, name="dialled", dial=1.0)


def record(data: DataConfig) -> DatasetRecord:
    words = ("version", "description", "licence", "licence_url", "attribution", "source", "fingerprint")
    known = {"name": data.name, "variant": data.variant, "dial": data.dial, "modalities": (), "splits": {}}
    return DatasetRecord(**{**dict.fromkeys(words, ""), **known})


def test_what_is_left_open_becomes_the_data_sets_default() -> None:
    expected = DataConfig(name="dialled", task="captioning", variant="easy", dial=1.0)
    assert DIALLED.resolved(DataConfig(name="dialled")) == expected


def test_what_was_chosen_stays() -> None:
    chosen = DataConfig(name="dialled", task="captioning", variant="hard", dial=0.0, train_limit=5)
    assert DIALLED.resolved(chosen) == chosen


def test_a_dial_is_refused_where_there_is_none() -> None:
    with pytest.raises(UsageError, match=r"'plain' has no dial, got data.dial=0.25. Leave it out."):
        SOURCE.resolved(DataConfig(name="plain", dial=0.25))


def test_a_cell_is_named_with_its_dial() -> None:
    def cell(dial: float | None) -> str:
        data = DataConfig(name="names", dial=dial)
        return RunConfig(task="ner", preset="smoke", data=data, model=ModelConfig(name="gpt")).cell

    assert [cell(None), cell(0.25), cell(1.0)] == ["ner.names.gpt.s0", "ner.names@0.25.gpt.s0", "ner.names@1.gpt.s0"]


@pytest.mark.parametrize(
    ("meant", "fits"),
    [
        (DataConfig(name="dialled"), True),
        (DataConfig(name="dialled", variant="easy", dial=0.5, test_limit=3), True),
        (DataConfig(name="dialled", variant="hard"), False),
        (DataConfig(name="dialled", dial=0.25), False),
        (DataConfig(name="plain"), False),
    ],
)
def test_a_record_knows_the_configurations_that_mean_it(meant: DataConfig, fits: bool) -> None:
    assert record(DataConfig(name="dialled", variant="easy", dial=0.5)).is_of(meant) is fits


LANGUAGES = replace(SOURCE, tasks=("captioning", "translation"), languages={"translation": ("de", "fr")})


@pytest.mark.parametrize(
    ("task", "wanted", "language"),
    [("translation", None, "de"), ("translation", "fr", "fr"), ("captioning", None, None), ("of somebody", None, None)],
)
def test_a_language_is_chosen_among_those_of_the_task(task: str, wanted: str | None, language: str | None) -> None:
    assert LANGUAGES.resolved(DataConfig(name="plain", task=task, language=wanted)).language == language


def test_a_language_is_refused_where_there_is_no_choice() -> None:
    with pytest.raises(UsageError, match=r"'plain' has one language for captioning, got data\.language=de"):
        LANGUAGES.resolved(DataConfig(name="plain", task="captioning", language="de"))
