"""Modality dropout: training examples lose their picture or sound now and then; one model then serves without, too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from bimodal.collate import Encoded


def drop_modalities(rows: Sequence[Encoded], probability: float, generator: torch.Generator) -> list[Encoded]:
    """The rows, each without its picture with the given probability, and without its sound with the same.

    A modality that is dropped is absent, as in an example that never had it: an empty span, to which attention is 0.
    What is drawn depends on the number of rows alone, not on what they have.

    Source: Neverova et al. 2016, ModDrop: Adaptive Multi-Modal Gesture Recognition, sec. 4.2.
    """
    if probability == 0.0:
        return list(rows)
    dropped = (torch.rand(len(rows), 2, generator=generator) < probability).tolist()
    return [
        replace(
            row,
            example=replace(
                row.example,
                image=None if without_image else row.example.image,
                audio=None if without_audio else row.example.audio,
            ),
        )
        for row, (without_image, without_audio) in zip(rows, dropped, strict=True)
    ]
