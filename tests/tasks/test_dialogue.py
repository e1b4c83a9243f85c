from collections import Counter
from pathlib import Path

import pytest

from bimodal.config import Request, plan
from bimodal.schema import DataConfig
from bimodal.types import Dataset, Example
from bimodal_tasks.chatterbot.conversations import pairs
from bimodal_tasks.datasets.chatterbot import SOURCE
from bimodal_tasks.dialogue import TASK
from bimodal_tasks.grouping import components, normalised


@pytest.fixture(scope="module")
def dataset(data_cache: Path) -> Dataset:
    return SOURCE.load(SOURCE.resolved(DataConfig(name="chatterbot")), data_cache, lambda *_: None)


def test_the_prompt_is_the_turns_and_who_answers() -> None:
    example = Example("1", "User: Hello", "Hi.", meta={"speaker": "Bot"})
    assert TASK.prompt(example) == "User: Hello\nBot: "


def test_a_task_has_settings_that_go_before_the_presets_and_behind_the_users() -> None:
    default, chosen = (
        plan(Request("dialogue", "gpt")),
        plan(Request("dialogue", "gpt", settings=["model.max_positions=99"])),
    )
    assert [cells[0].model.max_positions for cells in (default, chosen)] == [256, 99]
    assert plan(Request("captioning", "gpt"))[0].model.max_positions == 64


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("conversations", [(("a",), "b"), (("a", "b"), "c"), (("b", "c"), "d")]),
        ("emotion", [(("a",), "b"), (("a",), "c"), (("a",), "d")]),
        ("trivia", [(("a",), "b")]),
    ],
)
def test_further_lines_go_on_or_answer_the_first_or_are_left_out(topic: str, expected: list[object]) -> None:
    assert pairs(topic, ["a", "b", "c", "d"]) == expected


def test_counts_are_those_of_the_card_and_repetitions_are_gone(dataset: Dataset) -> None:
    assert dataset.record.splits == {"train": 811, "validation": 115, "test": 146}
    rows = [row for part in dataset.splits.values() for row in part]
    exchanges = Counter((normalised(row.meta["last_turn"]), normalised(row.target)) for row in rows)
    assert max(exchanges.values()) == 1
    assert sum(row.meta["topic"] == "tech_support" for row in rows) == 10


def test_nothing_asked_in_a_held_out_split_was_asked_in_training(dataset: Dataset) -> None:
    asked = {split: {normalised(row.meta["last_turn"]) for row in rows} for split, rows in dataset.splits.items()}
    assert not asked["train"] & (asked["validation"] | asked["test"])
    assert not asked["validation"] & asked["test"]


def test_the_last_turn_is_what_is_heard_and_the_record_says_so(dataset: Dataset) -> None:
    assert all(row.audio is not None for row in dataset.examples("test"))
    assert dataset.record.speech is not None
    assert "The sound is the last turn, spoken by espeak-ng" in dataset.record.speech.condition


def test_components_join_rows_that_share_a_key_directly_or_through_others() -> None:
    assert components([("a",), ("b",), ("a", "c"), ("c", "d"), ("e",)]) == [0, 1, 0, 0, 4]
