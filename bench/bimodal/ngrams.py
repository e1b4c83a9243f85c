"""A reference that needs no neural network: an n-gram model with Kneser-Ney smoothing over the contestants' own tokens.

Legend: order (tokens of an n-gram), context (the order - 1 tokens before one).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

Tokens = Sequence[int]
Discounts = tuple[float, float, float]
"""What is taken from an n-gram seen once, twice, and more often."""
_FALLBACK: Discounts = (0.5, 1.0, 1.5)


@dataclass(frozen=True, slots=True)
class _Continuations:
    """What was seen after one context."""

    counts: Mapping[int, int]
    total: int
    freed: float
    """Sum of all discounts: what the shorter context has to distribute."""


@dataclass(frozen=True, slots=True)
class KneserNey:
    """Interpolated modified Kneser-Ney: the longest context counts, discounted, and shorter ones fill in.

    The longest n-grams count how often they were seen; shorter ones count how many different tokens stood before them.
    Below the single token lies the uniform distribution over the vocabulary.

    Source: Chen and Goodman (1998), An Empirical Study of Smoothing Techniques for Language Modeling, sec. 3.
    """

    order: int
    begin: int
    vocab_size: int
    discounts: tuple[Discounts, ...]
    """By order, from 1."""
    seen: tuple[Mapping[tuple[int, ...], _Continuations], ...]
    """By order, from 1: continuations of every context."""

    @staticmethod
    def train(
        texts: Iterable[Tokens],
        *,
        order: int,
        begin: int,
        vocab_size: int,
        discounts: Sequence[Discounts] | None = None,
    ) -> KneserNey:
        """Count the n-grams of texts.

        Args:
            texts: tokens of each, without anything that marks its beginning.
            order: of the longest n-grams.
            begin: a token that stands for what was before a text.
            vocab_size: how many tokens there are.
            discounts: by order, from 1; None estimates them from how many n-grams were seen once, twice, ...
        """
        counts: Counter[tuple[int, ...]] = Counter()
        for text in texts:
            padded = (*[begin] * (order - 1), *text)
            counts.update(padded[at : at + order] for at in range(len(text)))
        by_order: list[Mapping[tuple[int, ...], int]] = [counts]
        for _ in range(order - 1):
            by_order.append(Counter(ngram[1:] for ngram in by_order[-1]))
        by_order.reverse()
        taken = tuple(discounts) if discounts is not None else tuple(_estimated(found) for found in by_order)
        seen = tuple(_by_context(found, discount) for found, discount in zip(by_order, taken, strict=True))
        return KneserNey(order, begin, vocab_size, taken, seen)

    def probability(self, token: int, context: Tokens) -> float:
        """Of a token after the last `order` - 1 tokens of a context."""
        value = 1.0 / self.vocab_size
        for number, (known, discounts) in enumerate(zip(self.seen, self.discounts, strict=True)):
            after = known.get(tuple(context[len(context) - number :]))
            if after is None:
                break  # a longer context holds this one: it was not seen either
            count = after.counts.get(token, 0)
            own = count - discounts[min(count, 3) - 1] if count else 0.0
            value = (own + after.freed * value) / after.total
        return value

    def bits(self, text: Tokens, *, first: int) -> float:
        """Negative log2-likelihood of the tokens from position `first` on, given those before."""
        padded = (*[self.begin] * (self.order - 1), *text)
        at = self.order - 1
        return -sum(log2(self.probability(text[i], padded[i : i + at])) for i in range(first, len(text)))


def _by_context(ngrams: Mapping[tuple[int, ...], int], discounts: Discounts) -> dict[tuple[int, ...], _Continuations]:
    grouped: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
    for ngram, count in ngrams.items():
        grouped[ngram[:-1]][ngram[-1]] = count
    return {
        context: _Continuations(
            counts, sum(counts.values()), sum(discounts[min(count, 3) - 1] for count in counts.values())
        )
        for context, counts in grouped.items()
    }


def _estimated(ngrams: Mapping[tuple[int, ...], int]) -> Discounts:
    """Discounts that make held-out and seen n-grams agree (Chen and Goodman 1998, eq. 26)."""
    of = Counter(min(count, 5) for count in ngrams.values())
    if not all(of[count] for count in (1, 2, 3, 4)):
        return _FALLBACK  # too little text to say, as kenlm has it
    share = of[1] / (of[1] + 2 * of[2])
    first, second, third = (count - (count + 1) * share * of[count + 1] / of[count] for count in (1, 2, 3))
    return (first, second, third) if min(first, second, third) > 0 else _FALLBACK
