"""Words as the tagger sees them: punctuation stands alone, and so does the 's of a name."""

from __future__ import annotations

import re

_WORD = re.compile(
    r"""
    [’'](?:s|re|ll|ve|m|d)\b                                    # what is cut off below
    | [^\W_]+(?:[’'\-][^\W_]+)*?(?=[’'](?:s|re|ll|ve|m|d)\b)    # Kapou’e in "Kapou’e’s"
    | [^\W_]+(?:[’'\-][^\W_]+)*                                 # Li’sar, Mal-Ravanal
    | \.{2,} | \S
    """,
    re.VERBOSE,
)


def split_words(text: str) -> tuple[str, ...]:
    """The words and punctuation marks of a text, without white space."""
    return tuple(_WORD.findall(text))
