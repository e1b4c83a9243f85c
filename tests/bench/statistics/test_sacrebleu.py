"""On three real pairs of outputs, intervals and p-values agree with sacrebleu's own within Monte-Carlo error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU, BLEUScore
from sacrebleu.significance import PairedTest

from bimodal import metrics, statistics

from .rows import bleu_rows

REAL: dict[str, Any] = json.loads((Path(__file__).parent / "outputs.json").read_text(encoding="utf-8"))
TARGETS: list[str] = REAL["targets"]
PAIRS = [("warm", "cool"), ("warm", "warm again"), ("cut", "cool")]
RESAMPLES = 4000

pytestmark = pytest.mark.parametrize(("baseline", "contestant"), PAIRS)


class RecordingBLEU(BLEU):
    """BLEU that remembers every score it gave."""

    def __init__(self) -> None:
        super().__init__(force=True)
        self.scores: list[float] = []

    def _compute_score_from_stats(self, stats: list[int]) -> BLEUScore:
        found = super()._compute_score_from_stats(stats)
        self.scores.append(found.score)
        return found


def sacrebleu_test(baseline: str, contestant: str, kind: str) -> tuple[Any, list[float]]:
    """Result for the contestant, and all scores that were computed on the way."""
    scorer = RecordingBLEU()
    systems = [(name, REAL["outputs"][name]) for name in (baseline, contestant)]
    test = PairedTest(systems, {"BLEU": scorer}, [TARGETS], test_type=kind, n_samples=RESAMPLES)
    return test()[1]["BLEU"][1], scorer.scores


def ours(baseline: str, contestant: str) -> statistics.PairedDifference:
    rows = [bleu_rows(REAL["outputs"][name], TARGETS)[None] for name in (baseline, contestant)]
    return statistics.paired_difference(*rows, metrics.BLEU4.aggregate, seed=0)


def error_of_quantiles(samples: Any) -> Any:
    """Monte-Carlo standard errors of the 2.5 % and 97.5 % quantiles, by resampling the samples."""
    rng = np.random.default_rng(0)
    redrawn = rng.choice(samples, size=(300, len(samples)))
    return np.quantile(redrawn, [0.025, 0.975], axis=1).std(axis=1)


def test_the_interval_of_the_difference_is_that_of_sacrebleus_paired_bootstrap(
    baseline: str, contestant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    _, scores = sacrebleu_test(baseline, contestant, "bs")
    # The last scores are those of the resamples: all of the baseline's, then all of the contestant's.
    resampled = np.array(scores[-2 * RESAMPLES :]).reshape(2, RESAMPLES)
    theirs = resampled[1] - resampled[0]
    tolerance = 4 * error_of_quantiles(theirs)
    assert (np.abs(np.array(ours(baseline, contestant).ci95) - np.quantile(theirs, [0.025, 0.975])) < tolerance).all()
    assert (tolerance < 0.2 * theirs.std()).all()


def test_the_interval_of_a_score_is_that_of_sacrebleu(
    baseline: str, contestant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    result, scores = sacrebleu_test(baseline, contestant, "bs")
    rows = bleu_rows(REAL["outputs"][contestant], TARGETS)
    interval = statistics.bootstrap_interval(rows, metrics.BLEU4.aggregate, seed=0)
    assert interval is not None
    half_width_error = float(np.hypot(*error_of_quantiles(np.array(scores[-RESAMPLES:])))) / 2
    assert (interval[1] - interval[0]) / 2 == pytest.approx(result.ci, abs=4 * half_width_error)


def test_the_p_value_is_that_of_sacrebleus_approximate_randomisation(
    baseline: str, contestant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    result, _ = sacrebleu_test(baseline, contestant, "ar")
    found = ours(baseline, contestant).p_value
    assert result.p_value == pytest.approx(found, abs=4 * (found * (1 - found) / RESAMPLES) ** 0.5)


def test_the_difference_is_sacrebleus(baseline: str, contestant: str) -> None:
    scores = [BLEU().corpus_score(REAL["outputs"][name], [TARGETS]).score for name in (baseline, contestant)]
    assert ours(baseline, contestant).value == pytest.approx(scores[1] - scores[0])
