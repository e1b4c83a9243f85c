"""Dialogue: write what a speaker answers, given the turns so far, with a portrait or the sound of the last turn."""

from __future__ import annotations

from bimodal.metrics import reply_metrics
from bimodal.types import Example, Task


def prompt(example: Example) -> str:
    """The turns, one a line with the speaker's name, and the name of who answers: the same for every contestant."""
    return f"{example.text}\n{example.meta['speaker']}: "


TASK = Task(
    name="dialogue",
    version="1",
    summary="Write what a speaker answers, seen or heard.",
    kind="generate",
    default_dataset="chatterbot",
    # A turn has many good answers, and overlap with the one that was given says little about quality (Liu et al. 2016,
    # "How NOT To Evaluate Your Dialogue System"). Likelihood asks how well the one given was expected.
    primary_metric="bits_per_byte",
    # Bits per byte: about 2 % of what contestants of this size need for a reply.
    margin=0.05,
    prompt=prompt,
    score=reply_metrics,
    settings={"model": {"max_positions": 256}, "decode": {"max_new_tokens": 48}},
    ngram_order=5,
)
