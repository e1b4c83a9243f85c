"""Modality dropout: who loses what, and how often."""

from pathlib import Path

import torch

from bimodal.collate import Encoded
from bimodal.modality_dropout import drop_modalities
from bimodal.types import Example

ROWS = [Encoded(Example(str(i), "", "x", image=Path("a.png"), audio=Path("a.wav")), (1, 2), 1) for i in range(1000)]


def drawn(probability: float, rows: list[Encoded] = ROWS) -> list[Encoded]:
    return drop_modalities(rows, probability, torch.Generator().manual_seed(0))


def test_pictures_and_sounds_are_lost_independently_at_the_given_rate() -> None:
    after = drawn(0.3)
    without_image = [row.example.image is None for row in after]
    without_audio = [row.example.audio is None for row in after]
    assert 0.25 < sum(without_image) / len(after) < 0.35
    assert 0.25 < sum(without_audio) / len(after) < 0.35
    both = sum(image and audio for image, audio in zip(without_image, without_audio, strict=True))
    assert 0.05 < both / len(after) < 0.13


def test_text_stays_and_rows_that_had_nothing_change_no_draw() -> None:
    bare = [Encoded(Example("bare", "", "x"), (1, 2), 1), *ROWS[1:]]
    assert [row.tokens for row in drawn(0.5)] == [row.tokens for row in ROWS]
    assert drawn(0.5, bare)[1:] == drawn(0.5)[1:]


def test_nothing_is_lost_by_default() -> None:
    assert drawn(0.0) == ROWS
