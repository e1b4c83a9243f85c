from __future__ import annotations

import pytest

from bimodal_reports.compare import compare
from bimodal_reports.scores import score_table
from bimodal_reports.tables import Table

from .factories import FakeRun, make_run, make_seed_runs


def table_of(run: FakeRun) -> Table:
    pairs = compare(run.manifest, run.results, run.predictions, run.probes).tasks[0].pairs
    return score_table(run.results, pairs, {"gpt": "c0", "multimodal": "c1"}, "bleu")


def test_one_seed_has_intervals_and_the_primary_metric_first() -> None:
    run = make_run(12)
    table = table_of(run)
    first = table.groups[0][1][0]
    assert [(column.label, column.note) for column in table.columns] == [
        ("gpt", ""),
        ("multimodal", ""),
        ("multimodal", "deranged"),
        ("Difference", "multimodal − gpt"),
    ]
    assert (first.label, first.primary) == ("BLEU", True)
    assert " to " in first.entries[0].detail


def test_several_seeds_have_their_mean_and_what_each_scored() -> None:
    run = make_seed_runs(3)
    table = table_of(run)
    assert [column.label for column in table.columns] == ["gpt", "multimodal", "multimodal", "Difference"]
    entry = table.groups[0][1][0].entries[1]
    scores = [result.metrics["bleu"].value for result in run.results if result.config.contestant == "multimodal"]
    assert float(entry.text) == pytest.approx(sum(scores) / 3, abs=0.06)
    assert entry.detail == ", ".join(f"{score:.1f}" for score in scores)
    assert table.columns[-1].note == "multimodal − gpt, mean of seeds 0, 1 and 2"
