"""Log-mel features, as Whisper makes them. Legend: samples, mel, frame (10 ms)."""

from functools import lru_cache
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from bimodal.errors import UsageError

WINDOW_S = 0.025
HOP_S = 0.010
MAX_FREQUENCY_HZ = 8000.0
DYNAMIC_RANGE = 8.0
"""In powers of ten: what lies further below the loudest point is cut."""


def log_mel(
    waveform: Float[Tensor, "samples"], *, sample_rate_hz: int = 16_000, num_mels: int = 80
) -> Float[Tensor, "mel frame"]:
    """Log10 power in mel bands, 25 ms windows every 10 ms, its loudest 80 dB scaled to about [-1, 1].

    Args:
        waveform: mono samples in [-1, 1].
        sample_rate_hz: of the waveform; Whisper's weights want 16,000.
        num_mels: bands up to 8 kHz (Slaney's scale and area normalisation).

    Raises:
        ValueError: the clip is shorter than half a window.
        UsageError: torchaudio does not import.

    Source: Radford et al. 2022 (Whisper), sec. 2.2; agrees with Hugging Face's WhisperFeatureExtractor.
    """
    window, hop = round(WINDOW_S * sample_rate_hz), round(HOP_S * sample_rate_hz)
    if waveform.shape[0] <= window // 2:
        raise ValueError(
            f"The clip has {waveform.shape[0]} samples; log-mel features need more than {window // 2} "
            f"(half a window at {sample_rate_hz} Hz). Leave it out, or pad it with silence."
        )
    shape = torch.hann_window(window, device=waveform.device)
    spectrum = torch.stft(waveform, window, hop, window=shape, return_complex=True)[:, :-1]
    power = spectrum.abs() ** 2  # [frequency, frame]
    filters = _mel_filters(window // 2 + 1, sample_rate_hz, num_mels).to(waveform.device)
    log_power = (filters.T @ power).clamp_min(1e-10).log10()
    return (log_power.maximum(log_power.max() - DYNAMIC_RANGE) + 4.0) / 4.0


@lru_cache(maxsize=8)
def _mel_filters(num_frequencies: int, sample_rate_hz: int, num_mels: int) -> Float[Tensor, "frequency mel"]:
    filters: Tensor = torchaudio().functional.melscale_fbanks(
        num_frequencies,
        f_min=0.0,
        f_max=min(MAX_FREQUENCY_HZ, sample_rate_hz / 2),
        n_mels=num_mels,
        sample_rate=sample_rate_hz,
        norm="slaney",
        mel_scale="slaney",
    )
    return filters


def torchaudio() -> ModuleType:
    """The package torchaudio, or a UsageError that says why it does not import."""
    # Imported only here: torchaudio fails to import beside a CPU-only torch, and only sound needs it.
    try:
        import torchaudio as package
    except (ImportError, OSError) as error:
        raise UsageError(
            f"Log-mel features need torchaudio, which does not import beside torch {torch.__version__} "
            f"({error}). torchaudio 2.11 wants a CUDA build of torch, even on a machine without a GPU: "
            "install the default torch wheel instead of the CPU-only one, or leave the audio out."
        ) from error
    module: ModuleType = package
    return module
