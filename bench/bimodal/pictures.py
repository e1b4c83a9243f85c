"""Picture files to tensors: decoded once, checked, resized to the encoder's input."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from bimodal.errors import DataError

MAX_PIXELS = 64 * 1024 * 1024
"""Larger pictures are refused before decoding (a 1 kB file can claim gigapixels)."""
_CACHE_BYTES = 1 << 30


class PictureReader:
    """Reads pictures as uint8 tensors and keeps them, up to 1 GiB, for the next epoch."""

    def __init__(self, size: int) -> None:
        """Args: size: height and width of the tensors, in pixels."""
        self.size = size
        self._kept: dict[Path, Tensor] = {}
        self._room = _CACHE_BYTES // (3 * size * size)

    def __call__(self, path: Path) -> Tensor:
        """The picture [channel, height, width] uint8; raises DataError."""
        picture = self._kept.get(path)
        if picture is None:
            picture = read_picture(path, self.size)
            if len(self._kept) < self._room:
                self._kept[path] = picture
        return picture


def read_picture(path: Path, size: int) -> Tensor:
    """Decode a picture to RGB on white and resize it (bicubic, antialiased).

    Returns:
        [channel, height, width] uint8 with height = width = size.

    Raises:
        DataError: the file is absent, is no picture, is cut short, or has more than MAX_PIXELS.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own warning about huge pictures; the limit below is ours and an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise DataError(
                        f"{path}: {opened.width} x {opened.height} pixels; at most {MAX_PIXELS} are allowed. "
                        "Scale the picture down."
                    )
                picture = _on_white(opened)
    except FileNotFoundError as error:
        raise DataError(f"{path}: the picture does not exist.") from error
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {error} Scale the picture down.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path}: not a readable picture ({error}). Replace the file.") from error
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def normalise(pictures: Tensor) -> Tensor:
    """uint8 [..., height, width] to float32 in [-1, 1] (mean 0.5, deviation 0.5, as ViT was trained)."""
    return pictures.float().div_(127.5).sub_(1.0)
