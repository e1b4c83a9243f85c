"""Who is faster, and where the extra time of a contestant with eyes and ears goes."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from bimodal.schema.base import Record


class PaceVerdict(Record):
    """Contestant over baseline in one time, from requests that took turns; see `bimodal.statistics.pace`."""

    quantity: Literal["end_to_end_ms", "prefill_ms", "decode_ms_per_token", "batch_ms"]
    ratio: float
    ci95: tuple[float, float] | None
    """Null where each contestant had one process only: what processes differ by is then unknown."""
    noise: float | None
    """The noise floor as a fraction: processes of one contestant alone could give a ratio that far from 1."""
    outcome: Literal["SAME", "FASTER", "SLOWER", "AMBIGUOUS"]
    rounds: PositiveInt
    processes: PositiveInt
    """Of each contestant and seed."""


class Overhead(Record):
    """What a request of a contestant with encoders takes longer than the text-only baseline's; the parts add up.

    Differences of requests of the same round, over the middle half of the rounds by total overhead.
    """

    encoders_ms: float
    """Image and audio encoders."""
    cross_attention_ms: float
    """Keys and values, and what reading them adds to the first token and to each further one."""
    answer_length_ms: float
    """Further tokens, because it writes more of them (or fewer: then it is negative)."""
    rest_ms: float
    """Reading pictures and sounds from their files, tokens to text."""
    total_ms: float
    """By the clock of the whole requests."""
    rounds: NonNegativeInt
