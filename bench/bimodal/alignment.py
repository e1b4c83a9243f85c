"""Words and their tokens: which token of a text stands for which word."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.tokenizer import Tokenizer


def align(tokenizer: Tokenizer, words: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The token ids of a sentence, and for each word the position of its first token.

    Words are encoded one by one, each as if it came after a space. For byte-level BPE that gives the same ids as the
    whole sentence, because merges do not cross a space; and it leaves no doubt about where a word begins.
    """
    ids: list[int] = []
    starts: list[int] = []
    for word in words:
        starts.append(len(ids))
        ids += tokenizer.encode(word)
    return tuple(ids), tuple(starts)
