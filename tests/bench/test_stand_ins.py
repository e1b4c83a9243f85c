"""Stand-ins: what is shown and played instead of the truth."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bimodal.errors import DataError
from bimodal.stand_ins import StandIns
from bimodal.types import Example

soundfile = pytest.importorskip("soundfile")


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    made = []
    for name, grey in (("dark", 40), ("light", 200)):
        picture, sound = tmp_path / f"{name}.png", tmp_path / f"{name}.wav"
        Image.new("RGB", (4, 4), (grey, grey, 0)).save(picture)
        soundfile.write(sound, np.full(800, grey / 400), 8000)
        made.append(Example(name, "", name, image=picture, audio=sound))
    return made


def pixels(path: Path | None) -> np.ndarray:
    assert path is not None
    return np.asarray(Image.open(path)).astype(float)


def test_blank_is_the_mean_training_picture_for_everybody(examples: list[Example], tmp_path: Path) -> None:
    stand_ins = StandIns.of(examples, 4, tmp_path / "made")
    shown = [stand_ins.blank(example) for example in examples]
    assert shown[0].image == shown[1].image
    assert (pixels(shown[0].image) == [120, 120, 0]).all()


def test_blank_sound_is_silence_as_long_as_the_sound(examples: list[Example], tmp_path: Path) -> None:
    blank = StandIns.of(examples, 4, tmp_path / "made").blank(examples[0])
    samples, rate = soundfile.read(blank.audio)
    assert (rate, len(samples)) == (8000, 800)
    assert not samples.any()


def test_noise_differs_from_example_to_example_and_repeats(examples: list[Example], tmp_path: Path) -> None:
    first = [StandIns.of(examples, 4, tmp_path / "one").noise(example) for example in examples]
    again = [StandIns.of(examples, 4, tmp_path / "two").noise(example) for example in examples]
    assert (pixels(first[0].image) == pixels(again[0].image)).all()
    assert (pixels(first[0].image) != pixels(first[1].image)).any()


def test_noise_is_as_loud_as_the_sound(examples: list[Example], tmp_path: Path) -> None:
    noise = StandIns.of(examples, 4, tmp_path / "made").noise(examples[1])
    samples, _ = soundfile.read(noise.audio)
    assert np.sqrt((samples**2).mean()) == pytest.approx(0.5, rel=0.1)


def test_text_target_and_absence_stay_as_they_are(examples: list[Example], tmp_path: Path) -> None:
    stand_ins = StandIns.of(examples, 4, tmp_path / "made")
    bare = Example("bare", "text", "target")
    assert stand_ins.blank(bare) == stand_ins.noise(bare) == bare


def test_a_picture_that_no_training_example_prepares_for_is_an_error(examples: list[Example], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training example has one"):
        StandIns.of([], 4, tmp_path / "made").blank(examples[0])
