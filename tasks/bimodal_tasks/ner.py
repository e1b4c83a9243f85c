"""Find the names in a sentence and say what each one is."""

from bimodal.metrics import tag_metrics
from bimodal.types import Example, Task


def prompt(example: Example) -> str:
    """The sentence; each of its words gets a tag."""
    return example.text


TASK = Task(
    name="ner",
    version="1",
    summary="Find the names in a sentence and say what each one is.",
    kind="tag",
    default_dataset="names",
    primary_metric="entity_f1",
    # Twice what the training seed alone was seen to move published taggers by (one point of F1; Reimers & Gurevych
    # 2017, Reporting Score Distributions Makes a Difference, abstract): below that, one may be buying a lucky seed.
    margin=0.02,
    prompt=prompt,
    score=tag_metrics,
)
