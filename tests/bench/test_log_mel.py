import sys

import pytest
import torch
from transformers import WhisperFeatureExtractor

from bimodal import log_mel as module
from bimodal.log_mel import log_mel


@pytest.fixture
def clip():
    """A second of two tones that fade, with a little noise."""
    time = torch.arange(16_000) / 16_000
    tones = torch.sin(440 * 6.2832 * time) * (-3 * time).exp() + 0.3 * torch.sin(3000 * 6.2832 * time)
    return 0.5 * tones + 0.001 * torch.randn(16_000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("num_mels", [80, 128])
def test_agrees_with_whispers_feature_extractor(clip, num_mels):
    extractor = WhisperFeatureExtractor(feature_size=num_mels)
    expected = extractor(clip.numpy(), sampling_rate=16_000, padding=False, return_tensors="pt")
    ours = log_mel(clip, num_mels=num_mels)
    assert ours.shape == (num_mels, 100)
    torch.testing.assert_close(ours, expected.input_features[0], atol=1e-4, rtol=1e-4)


def test_a_frame_is_10_ms_at_any_sample_rate():
    assert log_mel(torch.randn(22_050), sample_rate_hz=22_050, num_mels=40).shape == (40, 100)


def test_silence_is_finite():
    assert log_mel(torch.zeros(1600)).isfinite().all()


def test_clip_shorter_than_half_a_window_is_refused():
    with pytest.raises(ValueError, match="has 200 samples; log-mel features need more than 200"):
        log_mel(torch.zeros(200))


def testtorchaudio_that_does_not_import_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    module._mel_filters.cache_clear()
    with pytest.raises(ValueError, match=r"does not import beside torch .*CPU-only one, or leave the audio out"):
        log_mel(torch.zeros(1600))
