"""Sound files to log-mel features: decoded once, checked, made mono, resampled, kept for the next epoch.

Shape legend: samples, mel, frame (10 ms).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from bimodal.errors import DataError
from bimodal.log_mel import HOP_S, WINDOW_S, log_mel, torchaudio
from bimodal.schema import AudioEncoderConfig

MAX_CHANNELS = 2
"""Mono or stereo. More are a microphone array or a film's mix, where a mean is not what anybody hears."""
MAX_SECONDS = 3600.0
"""Longer files are refused before decoding (a small file can claim days)."""
_CACHE_BYTES = 1 << 30


class Header(NamedTuple):
    """What a sound file says about itself."""

    num_frames: int
    """Sample frames: samples per channel."""
    sample_rate_hz: int
    num_channels: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.num_frames / self.sample_rate_hz


class SoundReader:
    """Reads clips as log-mel features and keeps them, up to 1 GiB, for the next epoch."""

    def __init__(self, config: AudioEncoderConfig) -> None:
        """Args: config: sample rate, mel bands and the longest clip of the encoder that listens."""
        self.config = config
        self._kept: dict[Path, Tensor] = {}
        self._room = _CACHE_BYTES

    def __call__(self, path: Path) -> Tensor:
        """The clip's features [mel, frame], cut to `max_frames`; raises DataError."""
        features = self._kept.get(path)
        if features is None:
            features = features_of(path, self.config)
            size = features.numel() * features.element_size()
            if size <= self._room:
                self._kept[path] = features
                self._room -= size
        return features

    def batch(self, paths: list[Path | None]) -> tuple[Tensor, Tensor] | None:
        """Features [batch, mel, frame] padded to the longest clip, and which frames [batch, frame] are sound.

        A row without a clip has no frame that is sound; None if no row has one.
        """
        silence = torch.zeros(self.config.num_mels, 0)
        clips = [silence if path is None else self(path) for path in paths]
        lengths = torch.tensor([clip.shape[1] for clip in clips])
        if not lengths.any():
            return None
        padded = pad_sequence([clip.T for clip in clips], batch_first=True).transpose(1, 2).contiguous()
        return padded, torch.arange(padded.shape[2]) < lengths[:, None]


def features_of(path: Path, config: AudioEncoderConfig) -> Tensor:
    """Log-mel features [mel, frame] of a file, at most `config.max_frames` of them; raises DataError."""
    waveform = read_sound(path, config.sample_rate_hz)
    longest = round(config.max_frames * HOP_S * config.sample_rate_hz)
    return log_mel(waveform[:longest], sample_rate_hz=config.sample_rate_hz, num_mels=config.num_mels)


@lru_cache(maxsize=1 << 17)
def num_frames(path: Path) -> int:
    """How many log-mel frames a clip has, uncut, from its header alone; raises DataError."""
    return max(1, int(read_header(path).duration_s / HOP_S))


def read_header(path: Path) -> Header:
    """Length, rate and channels of a sound file (WAV, FLAC, Ogg, MP3), checked.

    Raises:
        DataError: the file is absent, is no sound, has no samples, is too long or has too many channels.
    """
    import soundfile

    if not path.is_file():
        raise DataError(f"{path}: the sound does not exist.")
    try:
        found = soundfile.info(path)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    header = Header(found.frames, found.samplerate, found.channels)
    if header.num_frames <= 0:
        raise DataError(f"{path}: the sound has no samples. Record it again, or leave the example's sound out.")
    if header.num_channels > MAX_CHANNELS:
        raise DataError(
            f"{path}: {header.num_channels} channels; mono or stereo is allowed. Mix the file down to one channel."
        )
    if header.duration_s > MAX_SECONDS:
        raise DataError(
            f"{path}: {header.duration_s:,.0f} seconds; at most {MAX_SECONDS:,.0f} are allowed. Cut the file."
        )
    return header


def read_sound(path: Path, sample_rate_hz: int) -> Tensor:
    """Decode a file, take the mean of its channels, and resample it (windowed sinc).

    Returns:
        [samples] float32 in [-1, 1] at `sample_rate_hz`.

    Raises:
        DataError: as `read_header`, or the file is cut short, holds numbers that are none, or is shorter than
            half a window (12.5 ms).
        UsageError: torchaudio does not import.
    """
    import soundfile

    header = read_header(path)
    try:
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise _unreadable(path, error) from error
    waveform = torch.from_numpy(samples).mean(dim=1)
    if len(waveform) < header.num_frames:
        raise _unreadable(path, f"{len(waveform):,} of {header.num_frames:,} samples")
    if not waveform.isfinite().all():
        raise _unreadable(path, "samples that are not numbers")
    if header.sample_rate_hz != sample_rate_hz:
        waveform = torchaudio().functional.resample(waveform, header.sample_rate_hz, sample_rate_hz)
    if len(waveform) <= round(WINDOW_S * sample_rate_hz) // 2:
        raise DataError(
            f"{path}: {1e3 * header.duration_s:.1f} ms of sound; features need more than {1e3 * WINDOW_S / 2:g} ms. "
            "Pad it with silence, or leave the example's sound out."
        )
    return waveform


def _unreadable(path: Path, why: object) -> DataError:
    return DataError(f"{path}: not a readable sound ({why}). Replace the file; WAV, FLAC, Ogg and MP3 can be read.")
