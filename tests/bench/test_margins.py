"""--margin: what the user declares instead of the task's own."""

from __future__ import annotations

import pytest

from bimodal.errors import UsageError
from bimodal.margins import declared
from bimodal.schema import TaskRecord

CAPTIONING = TaskRecord(name="captioning", version="1", primary_metric="bleu", margin=1.0)
NER = TaskRecord(name="ner", version="1", primary_metric="entity_f1", margin=0.5)


def test_a_margin_replaces_the_tasks_own_and_keeps_it_on_record() -> None:
    (task,) = declared([CAPTIONING], ["2.5"])
    assert (task.margin, task.own_margin) == (2.5, 1.0)


def test_without_margins_tasks_stay_as_they_are() -> None:
    assert declared([CAPTIONING, NER], []) == (CAPTIONING, NER)


def test_of_several_tasks_those_named_are_changed() -> None:
    assert [task.margin for task in declared([CAPTIONING, NER], ["ner=2"])] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("margins", "message"),
    [
        (["2"], r"--margin 2 does not say of which task. Write for instance captioning=2"),
        (["tagging=2"], r"names the task 'tagging', which does not run. Allowed: captioning, ner"),
        (["ner=2", "ner=3"], r"gives the task 'ner' two margins: 2 and 3"),
        (["ner=0"], r"must be a number above 0 .*got '0'"),
        (["ner=-1"], r"got '-1'"),
        (["ner=nan"], r"got 'nan'"),
        (["ner=inf"], r"got 'inf'"),
        (["ner=much"], r"got 'much'; try 0.5"),
    ],
)
def test_what_is_no_margin_is_refused(margins: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        declared([CAPTIONING, NER], margins)
