"""The price of a point: gain per unit of cost, and who is not beaten."""

import pytest

from bimodal.schema import TaskComparison
from bimodal_reports import Evidence, compare
from bimodal_reports.price_section import break_even

from .factories import FakeRun, make_ladder_run, make_run, make_seed_runs


def compared(run: FakeRun, spread_ms: float = 0.5) -> TaskComparison:
    """With as many timed requests as there might be, around each cell's median."""
    latencies = {
        result.config.cell: [result.cost.end_to_end_ms.p50 + spread_ms * ((i % 21) - 10) / 10 for i in range(105)]
        for result in run.results
        if result.cost
    }
    (task,) = compare(run.manifest, run.results, run.predictions, run.probes, Evidence(latencies=latencies)).tasks
    return task


def test_a_price_is_the_gain_over_the_extra_cost() -> None:
    (prices,) = compared(make_run()).prices
    latency = prices.prices[0]
    assert latency.extra == pytest.approx(11.8 * 0.8)
    assert latency.gain_per_unit == pytest.approx(prices.gain / (11.8 * 0.8))
    assert latency.ci95 is not None
    assert latency.ci95[0] < latency.gain_per_unit < latency.ci95[1]


def test_what_was_not_measured_has_no_price() -> None:
    (prices,) = compared(make_run()).prices
    energy = next(price for price in prices.prices if price.cost == "energy_j")
    assert (energy.extra, energy.gain_per_unit) == ("unavailable", None)


def test_an_extra_latency_within_the_noise_is_nothing_to_divide_by() -> None:
    (prices,) = compared(make_run(), spread_ms=200.0).prices
    assert prices.prices[0].extra_standard_error is not None
    assert prices.prices[0].gain_per_unit is None


def test_one_seed_says_that_memory_was_measured_once_and_several_know_its_spread() -> None:
    memory = [compared(run).prices[0].prices[1] for run in (make_run(), make_seed_runs(3))]
    assert memory[0].extra_standard_error is None
    assert memory[1].extra_standard_error == pytest.approx(0.0)


def test_a_gain_that_cannot_be_told_from_0_pays_at_no_price() -> None:
    (prices,) = compared(make_run(keep=(0.4, 0.42, 0.4))).prices
    assert break_even(prices).endswith(("pays at any price.", "does it pay."))


def test_break_even_names_every_currency() -> None:
    text = break_even(compared(make_run()).prices[0])
    assert text.startswith("multimodal pays if one point of BLEU is worth ")
    assert "ms per request" in text
    assert "s of training" in text
    assert " J" not in text


def test_who_is_dearer_and_no_better_is_beaten() -> None:
    run = make_ladder_run()
    pareto = compared(run).pareto
    assert pareto is not None
    assert pareto.costs == ("end_to_end_ms", "peak_memory", "train_wall_s")
    score = {result.config.contestant: result.metrics["bleu"].value for result in run.results}
    cheap, dear = ("gpt", "gpt-long"), ("gpt-wide", "multimodal-blank", "multimodal")
    best_cheap = max(cheap, key=lambda name: score[name])
    assert set(pareto.front) == {best_cheap, "multimodal"}
    assert set(pareto.beaten_by) == {*cheap, *dear} - {best_cheap, "multimodal"}
