"""sound: what comes out of sound files, what is refused, and what a batch of clips looks like."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bimodal.collate import Collator
from bimodal.errors import DataError
from bimodal.log_mel import log_mel
from bimodal.order import epoch_batches
from bimodal.schema import AudioEncoderConfig, ModelConfig
from bimodal.sound import SoundReader, num_frames, read_sound
from bimodal.tokenizer import train_tokenizer
from bimodal.types import Example

RATE_HZ = 16_000


def tone(seconds: float, rate_hz: int = RATE_HZ, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate_hz)) / rate_hz).astype(np.float32)


def written(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    soundfile.write(path, samples, rate_hz)
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_every_format_gives_the_tone_that_was_written(tmp_path: Path, suffix: str) -> None:
    waveform = read_sound(written(tmp_path / f"a.{suffix}", tone(0.5)), RATE_HZ)
    spectrum = torch.fft.rfft(waveform[:8000]).abs()
    assert spectrum.argmax() == 220  # 440 Hz in bins of 2 Hz
    assert waveform.abs().max() == pytest.approx(0.5, abs=0.05)


def test_another_rate_is_resampled_to_the_same_sound(tmp_path: Path) -> None:
    waveform = read_sound(written(tmp_path / "a.wav", tone(1.0, 44_100), 44_100), RATE_HZ)
    assert waveform.shape == (RATE_HZ,)
    middle = slice(2000, 14_000)
    assert torch.allclose(waveform[middle], torch.from_numpy(tone(1.0))[middle], atol=2e-3)


def test_stereo_becomes_the_mean_of_its_channels(tmp_path: Path) -> None:
    both = np.stack([tone(0.1), -tone(0.1)], axis=1)
    assert read_sound(written(tmp_path / "a.wav", both), RATE_HZ).abs().max() < 1e-4


def test_a_reader_gives_the_features_and_cuts_what_is_too_long(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", tone(0.5))
    features = SoundReader(AudioEncoderConfig(num_mels=40, max_frames=30))(path)
    assert features.shape == (40, 30)
    assert torch.allclose(features, log_mel(read_sound(path, RATE_HZ)[:4800], num_mels=40))


def test_features_are_kept_for_the_next_epoch(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", tone(0.1))
    reader = SoundReader(AudioEncoderConfig())
    first = reader(path)
    path.unlink()
    assert reader(path) is first


def test_clips_of_different_length_share_a_batch_and_the_mask_says_what_is_sound(tmp_path: Path) -> None:
    short, long = written(tmp_path / "s.wav", tone(0.1)), written(tmp_path / "l.wav", tone(0.3))
    reader = SoundReader(AudioEncoderConfig(num_mels=40))
    found = reader.batch([short, None, long])
    assert found is not None
    features, mask = found
    assert features.shape == (3, 40, 30)
    assert mask.sum(dim=1).tolist() == [10, 0, 30]
    assert torch.equal(features[0, :, :10], reader(short))
    assert reader.batch([None, None]) is None


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(0, np.float32), "the sound has no samples"),
        (np.zeros((800, 8), np.float32), "8 channels; mono or stereo is allowed. Mix the file down"),
        (np.zeros(100, np.float32), r"6.2 ms of sound; features need more than 12.5 ms. Pad it"),
    ],
)
def test_sound_that_cannot_be_used_is_refused_with_the_fix(tmp_path: Path, samples: np.ndarray, message: str) -> None:
    path = written(tmp_path / "bad.wav", samples)
    with pytest.raises(DataError, match=message) as error:
        read_sound(path, RATE_HZ)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no sound at all", b"RIFF\x24\x00\x00\x00WAVEfmt "])
def test_a_file_that_is_no_sound_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.wav").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.wav: not a readable sound .*WAV, FLAC, Ogg and MP3 can be read"):
        read_sound(tmp_path / "bad.wav", RATE_HZ)


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "cut.flac", np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32))
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(DataError, match="not a readable sound"):
        read_sound(path, RATE_HZ)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.wav: the sound does not exist"):
        read_sound(tmp_path / "nowhere.wav", RATE_HZ)


def test_the_header_alone_says_how_many_frames_there_are(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", tone(0.257))
    assert num_frames(path) == SoundReader(AudioEncoderConfig())(path).shape[1] == 25


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """64 examples with one word each, and clips of 0.1 to 1.36 seconds."""
    folder = tmp_path_factory.mktemp("clips")
    return [
        Example(f"{i}", "", "word", audio=written(folder / f"{i}.wav", tone(0.1 + 0.02 * (i * 37 % 64))))
        for i in range(64)
    ]


def collator(*modalities: str) -> Collator:
    config = ModelConfig(name="m", audio=AudioEncoderConfig(num_mels=40))
    return Collator.create(train_tokenizer(["word"], 300), lambda example: "", config, modalities)  # type: ignore[arg-type]


def test_batches_of_like_length_waste_little_on_padding(spoken: list[Example]) -> None:
    made = collator("audio")
    rows = [made.encode(example) for example in spoken]
    batches = epoch_batches(made.effort(rows), 8, seed=0, epoch=0)
    masks = [made.training_batch([rows[index] for index in batch]).audio_mask for batch in batches]
    padded = sum(int((~mask).sum()) for mask in masks if mask is not None)
    assert padded / sum(mask.numel() for mask in masks if mask is not None) < 0.1  # in random order: 0.41


def test_who_hears_and_who_does_not_get_their_examples_in_the_same_order(spoken: list[Example]) -> None:
    hearing, deaf = collator("audio"), collator()
    rows = [hearing.encode(example) for example in spoken]
    assert hearing.effort(rows) == deaf.effort(rows)
    assert deaf.training_batch(rows).audio is None
