"""Translation: write in another language what a text says, with its picture or its sound beside it."""

from __future__ import annotations

from bimodal.metrics import translation_metrics
from bimodal.types import Example, Task


def prompt(example: Example) -> str:
    """The text, and the language it is to be written in: the same for every contestant."""
    return f"{example.text}\n{example.language}: "


TASK = Task(
    name="translation",
    version="1",
    summary="Translate a text that has a picture or a sound.",
    kind="generate",
    default_dataset="openmoji",
    # chrF agrees with people about which system is better more often than BLEU does (Kocmi et al. 2021, "To Ship or
    # Not to Ship"), and needs no tokenizer: one number means the same in all languages.
    primary_metric="chrf",
    # Points of chrF: smaller differences are often not seen by people (Kocmi et al. 2024, "Navigating the Metrics
    # Maze"), and trainings that differ in nothing but the seed can lie as far apart.
    margin=2.0,
    prompt=prompt,
    score=translation_metrics,
    unheard=frozenset({"target", "target language"}),
)
