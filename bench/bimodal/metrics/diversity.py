"""Scores of all predictions together, which are not sums over examples and so have no interval."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.schema import Metric
from bimodal.types import Example, Prediction


def distinct(texts: Sequence[str], order: int) -> float:
    """Different n-grams of all texts over their number (0 to 1), of lower-cased words between spaces; 0 with none.

    Source: Li et al. (2016), A Diversity-Promoting Objective Function for Neural Conversation Models, sec. 5.2.
    """
    ngrams = [
        tuple(words[at : at + order])
        for words in (text.lower().split() for text in texts)
        for at in range(len(words) - order + 1)
    ]
    return len(set(ngrams)) / len(ngrams) if ngrams else 0.0


def diversity_metrics(predictions: Sequence[Prediction], examples: Sequence[Example]) -> dict[str, Metric]:
    """`distinct_1` and `distinct_2` of the predictions, and how far their lengths as a whole are from the targets'."""
    from scipy.stats import wasserstein_distance

    texts = [prediction.text for prediction in predictions]
    written, wanted = ([len(text.split()) for text in rows] for rows in (texts, [e.target for e in examples]))
    targets = [example.target for example in examples]
    found = {
        f"distinct_{order}": Metric(
            value=distinct(texts, order),
            unit="ratio",  # of n-grams, and no fraction of what is right: a perfect answer has less than 1
            higher_is_better=True,
            signature=f"case:lc|tok:spaces|corpus|targets:{distinct(targets, order):.3f}",
            ci95=None,
        )
        for order in (1, 2)
    }
    found["length_distance"] = Metric(
        value=float(wasserstein_distance(written, wanted)),
        unit="words",
        higher_is_better=False,
        signature=(
            f"wasserstein:1|tok:spaces|corpus|mean:{sum(written) / len(written):.2f}"
            f"|targets' mean:{sum(wanted) / len(wanted):.2f}"
        ),
        ci95=None,
    )
    return found
