import pytest
import torch

from bimodal_kernels import loader
from bimodal_kernels.cases import make_inputs, tagged
from bimodal_kernels.microbench import OURS, TORCH, contenders, passes, time_case
from bimodal_kernels.stopwatch import Samples, interleave, on_cpu


def test_ratio_is_the_median_of_neighbours_not_of_medians():
    samples = Samples({"slow": (2.0, 20.0, 2.0, 2.0, 2.0), "fast": (1.0, 10.0, 1.0, 1.0, 1.0)})
    assert samples.ratio("slow", "fast") == (2.0, 2.0, 2.0)


def test_contenders_take_turns_and_none_always_comes_first():
    order = []

    def clock(call, repeats):
        call()
        return 1.0

    calls = {name: (lambda name=name: order.append(name)) for name in "abc"}
    samples = interleave(calls, clock, budget_s=0.0)
    rounds = order[6:]  # two calls each to warm up and to see how long one takes
    assert [rounds[i : i + 3] for i in range(0, 9, 3)] == [list("abc"), list("bca"), list("cab")]
    assert {name: len(times) for name, times in samples.seconds.items()} == {"a": 7, "b": 7, "c": 7}


def test_short_calls_are_repeated_within_a_round():
    asked = []

    def clock(call, repeats):
        asked.append(repeats)
        return 1e-4

    interleave({"short": lambda: None}, clock, budget_s=0.0)
    assert asked == [2, 1] + [20] * 7


def timed(part: str):
    return [case for case in tagged("timed") if part in case.name]


@pytest.mark.parametrize("case", timed("small") + timed("cross"), ids=lambda case: case.name)
def test_contenders_compute_the_same(case):
    if (reason := loader.obstacle("native")) is not None:
        pytest.skip(reason)
    for kind in passes(case):
        calls = contenders(case, make_inputs(case), kind, "native")
        ours, theirs = calls[OURS](), calls[TORCH]()
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


def test_a_timing_says_how_much_work_it_was():
    case = timed("small, text to image")[0]
    timing = time_case(case, "forward", "sdpa", "cpu", on_cpu, budget_s=0.0)
    assert timing.flops == 4 * 16 * 3 * 14 * 17 * 64
    assert timing.bytes_moved == 2 * 4 * 16 * 3 * 64 * (14 + 17)
    assert timing.speedup_low <= timing.speedup <= timing.speedup_high
    assert timing.rounds >= 7
