from __future__ import annotations

import os
from unittest import mock

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from bimodal import metrics, statistics
from bimodal.statistics import bootstrap

from .rows import bleu_rows, mean, scores, two_systems


def test_p_value_does_not_depend_on_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = scores(*range(9)), scores(*np.arange(9) + 0.4 * np.array([1, -1, 1, 1, 1, -1, 1, 1, 1]))
    whole = statistics.randomisation_p_value(a, b, mean, seed=5, trials=500)
    monkeypatch.setattr(bootstrap, "_CHUNK_DRAWS", 9 * 7)
    assert statistics.randomisation_p_value(a, b, mean, seed=5, trials=500) == whole


def test_p_value_of_few_examples_is_the_share_of_swaps() -> None:
    # All four differences have one sign, so of 16 swaps only "none" and "all" are as different: p = 2/16.
    p_value = statistics.randomisation_p_value(scores(0, 0, 0, 0), scores(1, 1, 1, 1), mean, seed=0, trials=20_000)
    assert p_value == pytest.approx(2 / 16, abs=0.01)


def test_p_value_is_never_zero() -> None:
    a, b = scores(*np.zeros(60)), scores(*np.ones(60))
    assert statistics.randomisation_p_value(a, b, mean, seed=0, trials=99) == 1 / 100


def test_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    small = sum(
        statistics.randomisation_p_value(
            scores(*rng.normal(size=30)), scores(*rng.normal(size=30)), mean, seed=i, trials=199
        )
        <= 0.05
        for i in range(400)
    )
    # 5 % of 400 is 20, with a standard deviation of 4.4.
    assert 7 <= small <= 33


@pytest.mark.parametrize(("kind", "trials"), [("ar", 2000), ("bs", 2000)])
def test_p_value_agrees_with_sacrebleus_paired_test(kind: str, trials: int) -> None:
    targets, baseline, contestant = two_systems()
    ours = statistics.randomisation_p_value(
        bleu_rows(baseline, targets), bleu_rows(contestant, targets), metrics.BLEU4.aggregate, seed=0
    )
    with mock.patch.dict(os.environ, {"SACREBLEU_SEED": "12345"}):
        test = PairedTest(
            [("baseline", baseline), ("contestant", contestant)],
            {"BLEU": BLEU()},
            [targets],
            test_type=kind,
            n_samples=trials,
        )
        theirs = test()[1]["BLEU"][1].p_value
    # Three standard deviations of a share of 2,000 trials; the two tests agree only roughly on one sample.
    noise = 3 * (ours * (1 - ours) / trials) ** 0.5
    assert 0.001 < ours < 0.2
    assert theirs == pytest.approx(ours, abs=noise if kind == "ar" else noise + 0.5 * ours)
