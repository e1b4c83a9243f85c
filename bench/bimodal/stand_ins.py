"""Pictures and sounds that tell nothing, as files: the mean picture, silence, noise.

Files, because then a changed input is an example like any other, and goes through the same reading and encoding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bimodal.errors import DataError
from bimodal.files import replacing
from bimodal.pictures import read_picture
from bimodal.types import Example

_SAMPLED = 2000
"""Pictures the mean is taken over, evenly spaced through the training split."""
Pixels = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StandIns:
    """Makes stand-ins for the pictures and sounds of a data set, each once, in a folder."""

    folder: Path
    mean: Pixels | None
    """Mean training picture [height, width, channel], 0 to 255; None where there are no pictures."""
    deviation: Pixels | None
    """Standard deviation of each channel [channel] over all pixels of the training pictures."""

    @staticmethod
    def of(train: Sequence[Example], image_size: int, folder: Path) -> StandIns:
        """Stand-ins that look and sound like the training examples on average.

        Raises:
            DataError: a training picture cannot be read.
        """
        paths = sorted({example.image for example in train if example.image is not None})
        if not paths:
            return StandIns(folder, None, None)
        chosen = paths[:: -(-len(paths) // _SAMPLED)]
        total = np.zeros((image_size, image_size, 3))
        squares = np.zeros(3)
        for path in chosen:
            pixels = read_picture(path, image_size).permute(1, 2, 0).numpy().astype(np.float64)
            total += pixels
            squares += (pixels**2).mean((0, 1))
        mean = total / len(chosen)
        return StandIns(folder, mean, np.sqrt(squares / len(chosen) - mean.mean((0, 1)) ** 2))

    def blank(self, example: Example) -> Example:
        """The example with the mean picture, and silence as long as its sound."""
        return self._changed(example, "blank", lambda _: "mean", self._mean_picture, np.zeros_like)

    def noise(self, example: Example) -> Example:
        """The example with noise that is as bright and varied as the pictures, and as loud and long as its sound."""

        def name(path: Path) -> str:
            return hashlib.sha256(f"{example.id}/{path.name}".encode()).hexdigest()[:16]

        draw = np.random.default_rng(int(name(Path("seed")), 16))
        return self._changed(example, "noise", name, lambda: self._noise_picture(draw), lambda s: _as_loud(s, draw))

    def _changed(
        self,
        example: Example,
        kind: str,
        name: Callable[[Path], str],
        picture: Callable[[], Pixels],
        sound: Callable[[NDArray[Any]], NDArray[Any]],
    ) -> Example:
        image, audio = example.image, example.audio
        if image is not None:
            image = self._once(f"{kind}-{name(image)}.png", lambda path: _save_picture(path, picture()))
        if audio is not None:
            samples, rate = _read_sound(audio)
            # Silences of one length are one file.
            label = f"{kind}-{len(samples)}-{rate}" if kind == "blank" else f"{kind}-{name(audio)}"
            audio = self._once(f"{label}.wav", lambda path: _save_sound(path, sound(samples), rate))
        return replace(example, image=image, audio=audio)

    def _once(self, name: str, write: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write(path)
        return path

    def _mean_picture(self) -> Pixels:
        if self.mean is None:
            raise DataError("There is no mean picture: no training example has one.")
        return self.mean

    def _noise_picture(self, draw: np.random.Generator) -> Pixels:
        mean = self._mean_picture()
        assert self.deviation is not None
        return draw.normal(mean.mean((0, 1)), self.deviation, mean.shape)


def _as_loud(samples: NDArray[Any], draw: np.random.Generator) -> NDArray[Any]:
    """White noise of the same length and root mean square."""
    return draw.normal(0.0, float(np.sqrt(np.mean(samples**2))), samples.shape)


def _save_picture(path: Path, pixels: Pixels) -> None:
    with replacing(path) as file:
        Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8)).save(file, format="PNG")


def _read_sound(path: Path) -> tuple[NDArray[Any], int]:
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise DataError(f"{path}: not a readable sound ({error}). Replace the file.") from error
    return samples, rate


def _save_sound(path: Path, samples: NDArray[Any], rate: int) -> None:
    import soundfile

    with replacing(path) as file:
        soundfile.write(file, samples.clip(-1, 1), rate, format="WAV", subtype="FLOAT")
