"""Words as the tagger sees them: punctuation stands alone, and so does the 's of a name."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WORD = re.compile(
    r"""
    [’'](?:s|re|ll|ve|m|d)\b                                    # what is cut off below
    | [^\W_]+(?:[’'\-][^\W_]+)*?(?=[’'](?:s|re|ll|ve|m|d)\b)    # Kapou’e in "Kapou’e’s"
    | [^\W_]+(?:[’'\-][^\W_]+)*                                 # Li’sar, Mal-Ravanal
    | \.{2,} | \S
    """,
    re.VERBOSE,
)
_OPENS = frozenset('.!?…:—–("“‘')
"""What may stand before a word that is written with a capital because a sentence begins."""


def split_words(text: str) -> tuple[str, ...]:
    """The words and punctuation marks of a text, without white space."""
    return tuple(_WORD.findall(text))


def begins_sentence(words: Sequence[str], at: int) -> bool:
    """Whether a capital at this place may mean the beginning of a sentence, and nothing else."""
    return at == 0 or words[at - 1][-1] in _OPENS
