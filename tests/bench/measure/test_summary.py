"""From raw samples to costs: percentiles, phases that add up, throughput."""

import pytest

from bimodal.measure.summary import breakdown, decode_ms_per_token, latency, throughput
from bimodal.schema import Latency, Timings


def make_timings(**changes: object) -> Timings:
    """Eight requests of 1 + 2 + 3 + 10 + 4 ms; the last one was held up while decoding."""
    ones = (1.0,) * 8
    values: dict[str, object] = {
        "process": (0, 1) * 4,
        "round": (0, 0, 1, 1, 2, 2, 3, 3),
        "example": ("a", "a", "b", "b", "c", "c", "d", "d"),
        "load_ms": ones,
        "image_encode_ms": ones,
        "audio_encode_ms": (0.0,) * 8,
        "encode_ms": (2.0,) * 8,
        "prefill_ms": (3.0,) * 8,
        "decode_ms": (10.0,) * 7 + (1000.0,),
        "detokenise_ms": (4.0,) * 8,
        "end_to_end_ms": (20.0,) * 7 + (1010.0,),
        "generated_tokens": (6,) * 8,
    }
    return Timings.model_validate(values | changes)


def test_percentiles_of_known_samples() -> None:
    found = latency([float(i) for i in range(101)], 3)
    assert (found.p50, found.p90, found.p99) == (50.0, 90.0, 99.0)
    assert (found.samples, found.warmup) == (101, 3)


def test_a_tail_needs_a_hundred_samples() -> None:
    assert latency([1.0] * 99, 0).p99 is None
    assert latency([1.0] * 100, 0).p99 == 1.0


def test_no_samples_is_an_error_not_a_zero() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        latency([], 0)


def test_phases_are_means_over_the_middle_half_and_add_up() -> None:
    found = breakdown(make_timings())
    assert (found.keys_values_ms, found.decode_ms, found.end_to_end_ms) == (1.0, 10.0, 20.0)
    phases = found.load_ms + found.image_encode_ms + found.audio_encode_ms + found.keys_values_ms
    assert phases + found.prefill_ms + found.decode_ms + found.detokenise_ms == found.end_to_end_ms


def test_time_per_token_leaves_out_the_first_and_requests_without_others() -> None:
    assert decode_ms_per_token(make_timings())[:2] == [2.0, 2.0]
    assert decode_ms_per_token(make_timings(decode_ms=(0.0,) * 8, generated_tokens=(1,) * 8)) == []


def test_throughput_counts_all_batches_and_times_the_full_ones() -> None:
    batches = {"batch_process": (0, 0), "batch_round": (0, 1), "batch_ms": (80.0, 20.0)}
    found = throughput(
        make_timings(**batches, batch_examples=(4, 1), batch_tokens=(24, 6), warmup_batch_ms=(90.0,)), batch_size=4
    )
    assert (found.examples_per_s, found.tokens_per_s) == (50.0, 300.0)
    assert found.batch_ms == Latency(p50=80.0, p90=80.0, p99=None, samples=1, warmup=1)
