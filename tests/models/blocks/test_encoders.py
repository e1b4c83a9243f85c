import pytest
import torch

from bimodal_models.blocks.audio_encoder import AudioEncoder, sinusoids
from bimodal_models.blocks.image_encoder import ImageEncoder


@pytest.fixture
def image_encoder(tiny, make):
    return make.shaken(ImageEncoder(tiny.image, kernel="sdpa"))


@pytest.fixture
def audio_encoder(tiny, make):
    return make.shaken(AudioEncoder(tiny.audio, kernel="sdpa"))


def test_image_tokens_are_the_class_token_and_the_patches(image_encoder):
    assert image_encoder(torch.zeros(2, 3, 8, 8)).shape == (2, 1 + 4, 12)


def test_patches_are_read_row_by_row(tiny):
    encoder = ImageEncoder(tiny.image, kernel="sdpa")
    image = torch.zeros(1, 3, 8, 8)
    image[:, :, :4, 4:] = 1.0  # top right
    patches = encoder.patches(image)[0]
    changed = (patches != encoder.patch_embedding.bias).any(-1)
    assert changed.tolist() == [False, True, False, False]


def test_patches_are_what_the_convolution_of_vit_makes(image_encoder):
    image = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    convolved = image_encoder.patch_embedding(image).flatten(2).transpose(1, 2)
    torch.testing.assert_close(image_encoder.patches(image), convolved, atol=1e-6, rtol=1e-5)


def test_picture_of_another_size_is_refused_with_both_sizes(image_encoder):
    with pytest.raises(ValueError, match="built for pictures of 3x8x8, got 3x8x12"):
        image_encoder(torch.zeros(1, 3, 8, 12))


def test_patches_that_do_not_tile_the_picture_are_refused(tiny):
    config = tiny.image.model_copy(update={"image_size": 10})
    with pytest.raises(ValueError, match=r"patch_size 4 does not tile pictures of 10x10: .* such as 8"):
        ImageEncoder(config, kernel="sdpa")


@pytest.mark.parametrize(("frames", "tokens"), [(1, 1), (2, 1), (7, 4), (20, 10)])
def test_two_frames_make_one_audio_token(audio_encoder, frames, tokens):
    out, mask = audio_encoder(torch.zeros(2, 6, frames))
    assert out.shape == (2, tokens, 8)
    assert mask is None


@pytest.mark.parametrize("frames", [5, 6])
def test_a_padded_clip_gives_the_tokens_of_the_clip_alone(audio_encoder, frames):
    clip = torch.randn(1, 6, frames, generator=torch.Generator().manual_seed(0))
    padded = torch.full((1, 6, 14), 9.0)
    padded[:, :, :frames] = clip
    alone, _ = audio_encoder(clip)
    out, mask = audio_encoder(padded, torch.arange(14)[None] < frames)
    assert mask.sum().item() == alone.shape[1] == 3
    torch.testing.assert_close(out[:, :3], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 5, 10), (1, 6, 21), (1, 6, 0)])
def test_clip_that_does_not_fit_is_refused(audio_encoder, shape):
    message = f"built for 6 mel bands and 1 to 20 frames, got {shape[1]} bands and {shape[2]} frames"
    with pytest.raises(ValueError, match=message):
        audio_encoder(torch.zeros(shape))


def test_keys_of_the_audio_encoder_have_no_bias(audio_encoder):
    names = dict(audio_encoder.blocks[0].attention.named_parameters())
    assert sorted(names) == [
        "in_proj.weight",
        "out_proj.bias",
        "out_proj.weight",
        "query_bias",
        "value_bias",
    ]


@pytest.mark.parametrize("width", [2, 7])
def test_width_that_cannot_hold_sinusoids_is_refused(tiny, width):
    config = tiny.audio.model_copy(update={"embed_dim": width, "num_heads": 1})
    with pytest.raises(ValueError, match=f"model.audio.embed_dim must be even and at least 4, got {width}"):
        AudioEncoder(config, kernel="sdpa")


def test_sinusoids_start_at_sine_0_and_cosine_0():
    assert sinusoids(3, 4)[0].tolist() == [0.0, 0.0, 1.0, 1.0]
    assert sinusoids(3, 4)[1, 0].item() == pytest.approx(0.841471)
