"""`bench data check`: what it counts, and its exit code."""

from pathlib import Path

import numpy as np
from PIL import Image

from bimodal.inspection import inspect
from bimodal.schema import DatasetRecord, Split
from bimodal.types import Dataset, Example


def dataset(**splits: list[Example]) -> Dataset:
    parts: dict[Split, tuple[Example, ...]] = {
        split: tuple(splits.get(split, [])) for split in ("train", "validation", "test")
    }
    words = ("version", "variant", "description", "licence", "licence_url", "attribution", "source", "fingerprint")
    record = DatasetRecord(
        **{**dict.fromkeys(words, "x"), "name": "folder", "modalities": ("image",)},
        splits={split: len(rows) for split, rows in parts.items()},
    )
    return Dataset(record, parts)


def test_lengths_and_repetitions_are_counted() -> None:
    rows = [Example("a", "one two three", "x"), Example("b", "one", "x"), Example("c", "one", "x")]
    found = inspect(dataset(train=rows)).splits["train"]
    assert (found.examples, found.repeated, found.text_words, found.target_words) == (3, 1, (1, 3), (1, 1))


def test_pictures_that_look_alike_across_splits_are_found(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    pixels = {name: draw.integers(0, 255, (8, 8, 3)).astype(np.uint8) for name in ("first", "other")}
    for name, values in pixels.items():
        Image.fromarray(values).resize((64, 64)).save(tmp_path / f"{name}.png")
    # The same picture, smaller and with loss: another file, the same look.
    Image.open(tmp_path / "first.png").resize((48, 48)).save(tmp_path / "copy.jpg", quality=80)
    found = inspect(
        dataset(
            train=[
                Example("a", "", "x", image=tmp_path / "first.png"),
                Example("b", "", "y", image=tmp_path / "other.png"),
            ],
            test=[Example("c", "", "z", image=tmp_path / "copy.jpg")],
        )
    )
    assert found.look_alikes == (("copy.jpg", "first.png"),)
