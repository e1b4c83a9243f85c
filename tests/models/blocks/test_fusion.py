import torch

from bimodal_models.blocks.fusion import Fusion


def fusion() -> Fusion:
    torch.manual_seed(0)
    return Fusion(8, image_dim=6, audio_dim=4, layer_norm_eps=1e-5)


def test_image_tokens_come_before_audio_tokens():
    both, _ = fusion()(torch.ones(2, 3, 6), None, torch.ones(2, 5, 4), None)
    image, _ = fusion()(torch.ones(2, 3, 6), None, None, None)
    audio, _ = fusion()(None, None, torch.ones(2, 5, 4), None)
    torch.testing.assert_close(both, torch.cat([image, audio], dim=1))


def test_modality_embedding_tells_equal_tokens_apart():
    memory, _ = fusion()(torch.zeros(1, 1, 6), None, torch.zeros(1, 1, 4), None)
    assert not torch.isclose(memory[0, 0], memory[0, 1]).all()


def test_mask_of_one_modality_leaves_the_other_whole():
    present = torch.tensor([True, False])
    _, mask = fusion()(torch.ones(2, 2, 6), present, torch.ones(2, 3, 4), None)
    assert mask.tolist() == [[True] * 5, [False] * 2 + [True] * 3]
