"""Captioning: write what a picture shows, having read nothing.

The text-only contestant gets the same prompt, which is empty;
its score is what guessing by frequency gives.
"""

from __future__ import annotations

from bimodal.metrics import caption_metrics
from bimodal.types import Example, Task


def prompt(example: Example) -> str:
    """What both contestants read: the example's text, empty in picture data sets."""
    return example.text


TASK = Task(
    name="captioning",
    version="1",
    summary="Write what a picture shows.",
    kind="generate",
    default_dataset="openmoji",
    primary_metric="bleu",
    # Points of BLEU. A difference of one or two is often not seen by human judges (Mathur et al. 2020,
    # "Tangled up in BLEU", sec. 5), and trainings that differ in nothing but the seed can lie as far apart.
    margin=2.0,
    prompt=prompt,
    score=caption_metrics,
    unheard=frozenset(),  # a spoken caption makes it speech recognition, which results and report then say
)
