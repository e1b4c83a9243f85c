"""pace: verdicts on simulated times with what machines do to them: drift, bursts, heavy tails, unequal processes."""

import numpy as np
import pytest

from bimodal.statistics import Pace, pace

ROUNDS, PROCESSES = 34, 3


def simulated(seed: int, slower: float = 0.0, *, process_spread: float = 0.01, noise: float = 0.05) -> Pace:
    """A comparison of two contestants of 10 ms, the second `slower`, in turns on a machine that is not quiet."""
    draw = np.random.default_rng(seed)
    slots = ROUNDS * 2 * PROCESSES
    drift = np.cumsum(draw.normal(0, 0.01, slots))
    burst = np.repeat(draw.random(slots // 6) < 0.15, 6) * draw.exponential(0.5, slots)
    tail = noise * draw.standard_t(2, slots)
    logs = (np.log(10.0) + drift + burst + tail).reshape(ROUNDS, 2 * PROCESSES)
    logs[1::2] = logs[1::2, ::-1]  # every second round is the other way round
    logs += draw.normal(0, process_spread, 2 * PROCESSES) + np.tile([0.0, np.log1p(slower)], PROCESSES)
    logs += draw.normal(0, 0.3, ROUNDS)[:, None]  # examples
    times = np.exp(logs).T
    return pace([(times[0::2], times[1::2])])


def share(outcomes: list[str], *wanted: str) -> float:
    return sum(outcome in wanted for outcome in outcomes) / len(outcomes)


@pytest.mark.parametrize("process_spread", [0.0, 0.01, 0.04])
def test_a_contestant_against_itself_is_seldom_called_faster_or_slower(process_spread: float) -> None:
    outcomes = [simulated(seed, process_spread=process_spread).outcome for seed in range(300)]
    assert share(outcomes, "FASTER", "SLOWER") <= 0.05


def test_five_per_cent_are_found_where_the_machine_allows_it() -> None:
    outcomes = [simulated(seed, 0.05, process_spread=0.005, noise=0.02).outcome for seed in range(200)]
    assert share(outcomes, "SLOWER") >= 0.8
    assert share(outcomes, "SLOWER", "AMBIGUOUS") == 1.0


def test_where_processes_differ_more_five_per_cent_are_ambiguous_and_never_of_the_wrong_sign() -> None:
    outcomes = [simulated(seed, 0.05, process_spread=0.04).outcome for seed in range(200)]
    assert share(outcomes, "FASTER") <= 0.01
    assert share(outcomes, "SAME") == 0.0


def test_fifty_per_cent_are_found_on_any_machine_and_the_ratio_is_right() -> None:
    found = [simulated(seed, 0.5) for seed in range(100)]
    assert share([one.outcome for one in found], "SLOWER") >= 0.95
    covered = sum(one.ci95[0] <= 1.5 <= one.ci95[1] for one in found)
    assert covered >= 90
    assert np.median([one.ratio for one in found]) == pytest.approx(1.5, rel=0.01)


def test_equal_times_without_noise_are_the_same() -> None:
    times = np.full((3, 10), 5.0)
    assert pace([(times, times)]).outcome == "SAME"


def test_no_verdict_below_the_noise_floor() -> None:
    # Always 2 % slower, but processes of one contestant differ by up to 4 %.
    first = np.array([[1.00], [1.02], [1.04]]) * np.full((3, 40), 10.0)
    found = pace([(first, first * 1.02)])
    assert found.noise > 0.02
    assert found.outcome == "AMBIGUOUS"


def test_one_process_each_is_never_enough() -> None:
    found = pace([(np.full((1, 50), 1.0), np.full((1, 50), 2.0))])
    assert (found.outcome, found.ratio) == ("AMBIGUOUS", pytest.approx(2.0))


def test_few_rounds_are_never_enough() -> None:
    assert pace([(np.full((3, 4), 1.0), np.full((3, 4), 2.0))]).outcome == "AMBIGUOUS"


def test_blocks_measured_apart_are_averaged() -> None:
    one, two, four = (np.full((3, 10), value) for value in (1.0, 2.0, 4.0))
    assert pace([(one, two), (two, four), (one, four)]).ratio == pytest.approx(16 ** (1 / 3))


def test_other_rounds_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same rounds"):
        pace([(np.ones((3, 10)), np.ones((3, 9)))])
