"""What stands beside the contestants' scores without being one: an n-gram model trained on the same text."""

from __future__ import annotations

from collections.abc import Sequence

from bimodal.collate import Encoded
from bimodal.metrics import BITS_PER_BYTE
from bimodal.ngrams import KneserNey
from bimodal.schema import Reference
from bimodal.tokenizer import Tokenizer
from bimodal.types import Prediction


def ngram_reference(train: Sequence[Encoded], test: Sequence[Encoded], words: Tokenizer, order: int) -> Reference:
    """Bits per byte of the test targets under a Kneser-Ney model of the training prompts and targets.

    It reads the same tokens as the contestants (the last `order` - 1 of prompt and target), and no more.
    """
    model = KneserNey.train(
        (row.tokens[1:] for row in train), order=order, begin=words.begin, vocab_size=words.vocab_size
    )
    # Without the begin token: the model puts its own in front.
    answers = [Prediction(row.example.id, "", model.bits(row.tokens[1:], first=row.prompt_length - 1)) for row in test]
    return Reference(
        name=f"{order}-gram Kneser-Ney",
        description=(
            f"Interpolated modified Kneser-Ney smoothing over the contestants' tokens, order {order}, trained on the "
            "same prompts and targets."
        ),
        metrics={BITS_PER_BYTE.name: BITS_PER_BYTE.score(answers, [row.example for row in test])},
    )
