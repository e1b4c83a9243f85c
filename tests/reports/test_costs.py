from __future__ import annotations

import pytest

from bimodal_reports.costs import cost_ratios

from .factories import make_cost


def test_ratios_are_contestant_over_baseline() -> None:
    ratios = {cost.name: cost.ratio for cost in cost_ratios([make_cost()], [make_cost(2.0)])}
    assert ratios == pytest.approx(
        {
            "train_wall_s": 4.0,
            "train_flops": 4.0,
            "parameters": 2.0,
            "end_to_end_ms": 2.0,
            "decode_ms_per_token": 2.0,
            "rss_generate_bytes": 2.0,
        }
    )


def test_what_one_side_could_not_measure_is_left_out() -> None:
    cost = make_cost()
    blind = cost.model_copy(
        update={
            "decode_ms_per_token": None,
            "train": cost.train.model_copy(update={"flops": "unavailable"}),
            "peak_memory": cost.peak_memory.model_copy(update={"rss_generate_bytes": "unavailable"}),
        }
    )
    names = {ratio.name for ratio in cost_ratios([cost], [blind])}
    assert names == {"train_wall_s", "parameters", "end_to_end_ms"}


def test_a_cost_of_zero_has_no_ratio() -> None:
    free = make_cost().model_copy(update={"train": make_cost().train.model_copy(update={"wall_s": 0.0})})
    assert "train_wall_s" not in {ratio.name for ratio in cost_ratios([free], [make_cost()])}


def test_gpu_memory_stands_for_memory_where_both_have_it() -> None:
    cost = make_cost()
    on_gpu = cost.model_copy(
        update={"peak_memory": cost.peak_memory.model_copy(update={"cuda_allocated_bytes": 1_000_000})}
    )
    names = {ratio.name for ratio in cost_ratios([on_gpu], [on_gpu])}
    assert "cuda_allocated_bytes" in names
    assert "rss_generate_bytes" not in names


def test_several_seeds_stand_at_their_median() -> None:
    found = cost_ratios([make_cost(f) for f in (1.0, 1.0, 9.0)], [make_cost(f) for f in (2.0, 3.0, 2.0)])
    assert next(cost.ratio for cost in found if cost.name == "parameters") == pytest.approx(2.0)


def test_a_cost_missing_in_one_seed_has_no_ratio() -> None:
    cost = make_cost()
    blind = cost.model_copy(update={"decode_ms_per_token": None})
    assert "decode_ms_per_token" not in {ratio.name for ratio in cost_ratios([cost, cost], [cost, blind])}
