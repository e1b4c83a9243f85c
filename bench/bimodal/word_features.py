"""What a tagger is told of words beside their tokens: which word it is, its capitals, its affixes, and its neighbours.

Taggers were built of such features before there were pretrained weights, and one that starts from nothing does not find
them in a few thousand sentences. Everything that is counted is counted in the training split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = (-2, -1, 0, 1, 2)
"""The words that are told of, seen from a word. Source: Collobert et al. 2011, sec. 3.3.1 (window approach)."""

_NOTHING, _UNKNOWN = 0, 1
"""No word at this place (or no affix known), and a word that training does not have twice."""
_AFFIX_LENGTHS = (1, 2, 3)
_CASES = ("small", "all capitals", "capital first", "other")
_OPENS = frozenset('.!?…:—–("“‘')
"""What may stand before a word that is written with a capital because a sentence begins."""


@dataclass(frozen=True, slots=True)
class FeatureSizes:
    """How many values the features of a word have."""

    window: int
    """Words told of for each word: itself, and its neighbours."""
    words: int
    shapes: int
    affixes: int
    unknown_word: int
    """Which of the words stands for one that training does not have."""


class FeatureTensors(NamedTuple):
    """Features of the words of a batch, as indices, where a word's first token stands; else 0."""

    words: Tensor
    """[batch, position, window] int64."""
    shapes: Tensor
    """[batch, position, window] int64."""
    affixes: Tensor
    """[batch, position, affix] int64."""


@dataclass(frozen=True, slots=True)
class WordFeatures:
    """One word in its sentence, as indices."""

    words: tuple[int, ...]
    """Which word stands at each place of the window, its case aside."""
    shapes: tuple[int, ...]
    """How it is written there."""
    affixes: tuple[int, ...]
    """The word's own first and last one to three letters."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the training split says about words."""

    words: Mapping[str, int]
    """Those that occur twice, in small letters. One seen once stands for all that were never seen, so that a tagger
    learns to judge such by their surroundings. Source: Lample et al. 2016, sec. 4.1."""
    affixes: Mapping[str, int]
    usually_small: frozenset[str]
    """Those that are written small more often than with a capital where no sentence begins: a capital on them says
    little. Source: Lita et al. 2003, tRuEcasIng, sec. 2.2."""

    @staticmethod
    def of(sentences: Iterable[Sequence[str]]) -> Lexicon:
        """Count the words of the training split."""
        seen, affixes, small, capital = (Counter[str]() for _ in range(4))
        for words in sentences:
            for at, word in enumerate(words):
                seen[word.lower()] += 1
                affixes.update(set(_affixes(word)))  # of a short word some are the same
                if word.islower():
                    small[word] += 1
                elif word[:1].isupper() and not begins_sentence(words, at):
                    capital[word.lower()] += 1
        return Lexicon(
            words=_numbered(seen, first=_UNKNOWN + 1),
            affixes=_numbered(affixes, first=_NOTHING + 1),
            usually_small=frozenset(word for word, count in small.items() if count > capital[word]),
        )

    @property
    def sizes(self) -> FeatureSizes:
        """How many values each kind of feature has."""
        return FeatureSizes(
            window=len(WINDOW),
            words=len(self.words) + _UNKNOWN + 1,
            shapes=4 * len(_CASES) + _NOTHING + 1,
            affixes=len(self.affixes) + _NOTHING + 1,
            unknown_word=_UNKNOWN,
        )

    def features(self, words: Sequence[str]) -> tuple[WordFeatures, ...]:
        """Of every word of a sentence."""
        which = [self.words.get(word.lower(), _UNKNOWN) for word in words]
        shapes = [self._shape(words, at) for at in range(len(words))]
        return tuple(
            WordFeatures(
                words=_around(which, at),
                shapes=_around(shapes, at),
                affixes=tuple(self.affixes.get(affix, _NOTHING) for affix in _affixes(word)),
            )
            for at, word in enumerate(words)
        )

    def _shape(self, words: Sequence[str], at: int) -> int:
        """Case, whether a sentence begins, and whether the word is usually small; from 1 up.

        Source: Collobert et al. 2011, sec. 4.5 ("caps" feature of four values) for the case.
        """
        case = _CASES.index(_case(words[at]))
        small = words[at].lower() in self.usually_small
        return _NOTHING + 1 + 4 * case + 2 * begins_sentence(words, at) + small


def begins_sentence(words: Sequence[str], at: int) -> bool:
    """Whether a capital at this place may mean the beginning of a sentence, and nothing else."""
    return at == 0 or words[at - 1][-1:] in _OPENS


def _case(word: str) -> str:
    if word.islower():
        return "small"
    if word.isupper() and len(word) > 1:
        return "all capitals"
    return "capital first" if word[:1].isupper() else "other"


def _affixes(word: str) -> list[str]:
    """Prefixes and suffixes, told apart by a hyphen. Source: Ratnaparkhi 1996, table 1."""
    prefixes = [f"{word[:length]}-" for length in _AFFIX_LENGTHS]
    return prefixes + [f"-{word[-length:]}" for length in _AFFIX_LENGTHS]


def _around(values: Sequence[int], at: int) -> tuple[int, ...]:
    return tuple(values[at + step] if 0 <= at + step < len(values) else _NOTHING for step in WINDOW)


def _numbered(counts: Counter[str], *, first: int) -> dict[str, int]:
    """Those seen twice or more, numbered in an order that does not depend on the order of sentences."""
    return {name: first + index for index, name in enumerate(sorted(n for n, count in counts.items() if count > 1))}
