"""Verdicts and the overhead from raw times, what the report says of them, and of the machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bimodal.schema import Breakdown, Timings
from bimodal_reports import Evidence, compare, paces_of, render
from bimodal_reports.conditions import measuring_notes
from bimodal_reports.pace_section import breakdowns, overhead_answer, pace_answers, unaccounted
from bimodal_reports.paces import overhead_of

from .factories import make_conditions, make_config, make_cost, make_result, make_rows, make_run, make_state

ROUNDS, PROCESSES = 20, 3


def make_timings(*, further: int = 4, per_token: float = 2.0, encoder: float = 0.0, **changes: float) -> Timings:
    """Requests of 1 ms to load and 3 ms to the first token, alike in all rounds but for noise of 0.1 %."""
    noise = 1 + 0.001 * np.random.default_rng(further).standard_normal(ROUNDS * PROCESSES)
    phases = {"load_ms": 1.0, "prefill_ms": 3.0, "detokenise_ms": 0.5, "keys_values_ms": 0.0, **changes}
    keys_values = phases.pop("keys_values_ms")
    phases |= {"image_encode_ms": encoder, "audio_encode_ms": 0.0, "encode_ms": encoder + keys_values}
    phases["decode_ms"] = further * per_token
    phases["end_to_end_ms"] = sum(phases.values()) - encoder
    return Timings(
        process=tuple(range(PROCESSES)) * ROUNDS,
        round=tuple(np.repeat(range(ROUNDS), PROCESSES).tolist()),
        example=("a",) * len(noise),
        generated_tokens=(1 + further,) * len(noise),
        **{name: tuple((value * noise).tolist()) for name, value in phases.items()},
    )


def test_the_overhead_is_split_into_what_it_is_made_of() -> None:
    baseline = make_timings(further=4, per_token=2.0)
    contestant = make_timings(further=6, per_token=3.0, encoder=7.0, keys_values_ms=1.0, prefill_ms=3.5, load_ms=2.0)
    found = overhead_of([(baseline, contestant)])
    assert found is not None
    assert found.encoders_ms == pytest.approx(7.0, rel=0.01)
    # Keys and values, half a ms to the first token, and 1 ms for each of 5 tokens (the mean of 4 and 6).
    assert found.cross_attention_ms == pytest.approx(1.0 + 0.5 + 5.0, rel=0.01)
    assert found.answer_length_ms == pytest.approx(2 * 2.5, rel=0.01)
    assert found.rest_ms == pytest.approx(1.0, rel=0.01)
    assert found.total_ms == pytest.approx(7.0 + 6.5 + 5.0 + 1.0, rel=0.01)


def test_an_answer_of_one_token_has_no_time_per_token() -> None:
    baseline, contestant = make_timings(further=0), make_timings(further=3, per_token=2.0)
    found = overhead_of([(baseline, contestant)])
    assert found is not None
    assert (found.cross_attention_ms, found.answer_length_ms) == pytest.approx((0.0, 6.0), abs=0.05)
    assert {pace.quantity for pace in paces_of([(baseline, contestant)])} == {"end_to_end_ms", "prefill_ms"}


def test_verdicts_come_with_interval_and_noise() -> None:
    whole, prefill, per_token = paces_of([(make_timings(per_token=2.0), make_timings(further=5, per_token=2.4))])
    assert (whole.outcome, prefill.outcome, per_token.outcome) == ("SLOWER", "SAME", "SLOWER")
    assert per_token.ratio == pytest.approx(1.2, rel=0.01)
    assert whole.ci95 is not None
    assert whole.ci95[0] < whole.ratio < whole.ci95[1]
    assert (whole.rounds, whole.processes) == (ROUNDS, PROCESSES)


def notes(**changes: Any) -> str:
    cost = make_cost().model_copy(update={"conditions": make_conditions(**changes)})
    rows = make_rows(["a"], ["a"])
    return "\n".join(measuring_notes([make_result(make_config("gpt"), rows, cost=cost)]))


def test_a_quiet_machine_is_not_mentioned() -> None:
    assert notes() == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"others_busy_cores": 0.9}, "Other programs kept 0.9 of 2 cores busy (load 3.2)"),
        ({"after": make_state(governors=("powersave",))}, "frequency governor is powersave"),
        ({"after": make_state(frequency_mhz=(1200.0, 1300.0))}, "between 1,300 and 2,600 MHz"),
        ({"after": make_state(throttle_events=7)}, "slowed down for their heat 3 times"),
        (
            {"after": make_state(quota_throttled_s=2.5, cpu_quota_cores=1.5)},
            "limit of 1.5 cores held everybody back",
        ),
        ({"after": make_state(steal_s=2.0)}, "gave 1.0 s of this machine's processor time to others"),
        (
            {"after": make_state(gpu_processes=("blender",))},
            "on the GPU while times were taken: blender",
        ),
        ({"outputs_differing": 3}, "3 of 162 timed answers of gpt are not those it gave untimed"),
    ],
)
def test_what_makes_times_unreliable_is_said(changes: dict[str, Any], said: str) -> None:
    assert said in notes(**changes)
    assert notes(**changes).count("\n") == 0


def test_times_that_could_not_be_taken_are_said_with_the_reason_and_the_report_shows_the_rest() -> None:
    run = make_run(12)
    latencies = ("prefill_ms", "decode_ms_per_token", "end_to_end_ms", "throughput")
    unmeasured = {**dict.fromkeys(latencies, "unavailable"), "not_measured": "out of memory"}
    results = [
        result.model_copy(update={"cost": result.cost and result.cost.model_copy(update=unmeasured)})
        for result in run.results
    ]
    comparison = compare(run.manifest, results, run.predictions, run.probes)
    (pair,) = comparison.tasks[0].pairs
    assert "The times of gpt are unavailable: out of memory." in pair.verdict.caveats
    assert "end_to_end_ms" not in {cost.name for cost in pair.costs}
    assert comparison.tasks[0].prices[0].prices[0].extra == "unavailable"
    assert "out of memory" in render(run.manifest, results, comparison, run.pictures)


def test_the_report_and_the_terminal_say_who_is_slower_and_why() -> None:
    run = make_run(12)
    baseline, contestant = make_timings(), make_timings(further=6, per_token=3.0, encoder=7.0, keys_values_ms=1.0)
    timings = {result.config.cell: one for result, one in zip(run.results, (baseline, contestant), strict=True)}
    comparison = compare(run.manifest, run.results, run.predictions, run.probes, Evidence(timings=timings))
    (pair,) = comparison.tasks[0].pairs
    verdict, made_of = pace_answers(pair)
    assert verdict.startswith("SLOWER: a request of multimodal takes 2.44× the time of gpt")
    assert "processes of one and the same contestant alone give up to ±" in verdict
    assert "encoders +7.0" in made_of
    assert "longer answers +5.0" in made_of


def test_an_overhead_without_longer_answers_does_not_mention_them() -> None:
    found = overhead_of([(make_timings(), make_timings(encoder=7.0))])
    assert found is not None
    assert "answers" not in overhead_answer(found.model_copy(update={"answer_length_ms": -1e-15}))


def test_what_is_in_no_phase_shows() -> None:
    phases = dict.fromkeys(Breakdown.model_fields, 1.0)
    assert unaccounted(Breakdown(**phases | {"end_to_end_ms": 8.0})) == pytest.approx(1 / 8)


def test_phases_are_averaged_over_seeds() -> None:
    cells = []
    for seed, whole in enumerate((10.0, 20.0)):
        phases = dict.fromkeys(Breakdown.model_fields, 1.0) | {"end_to_end_ms": whole}
        cost = make_cost().model_copy(update={"breakdown": Breakdown(**phases)})
        cells.append(make_result(make_config("gpt", seed=seed), make_rows(["a"], ["a"]), cost=cost))
    assert breakdowns(cells)["gpt"].end_to_end_ms == 15.0
