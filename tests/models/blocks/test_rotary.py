"""Queries and keys are turned as RoFormer defines it, and nothing but distance is left in their product."""

import pytest
import torch
from transformers.models.gptj import modeling_gptj

from bimodal.errors import UsageError
from bimodal_models import gpt
from bimodal_models.blocks.rotary import rotated, rotation_table


@pytest.fixture
def projected():
    return torch.randn(2, 9, 3, 4, 6, generator=torch.Generator().manual_seed(0))


def test_turns_queries_and_keys_as_gpt_j_does_and_leaves_values(projected):
    found = rotated(projected, rotation_table(9, 6)[None])
    sine, cosine = modeling_gptj.create_sinusoidal_positions(9, 6)[None].chunk(2, dim=-1)
    for part in (0, 1):
        expected = modeling_gptj.apply_rotary_pos_emb(projected[:, :, part], sine, cosine)
        torch.testing.assert_close(found[:, :, part], expected)
    assert torch.equal(found[:, :, 2], projected[:, :, 2])


def test_scores_depend_on_distance_alone():
    query, key = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    same = torch.stack([query, key, key])[None, None, :, None].expand(1, 20, 3, 1, 6)
    turned = rotated(same, rotation_table(20, 6)[None])[0, :, :, 0]
    scores = turned[:, 0] @ turned[:, 1].T  # [query's position, key's position]
    for distance in range(-5, 6):
        of_one_distance = scores.diagonal(distance)
        torch.testing.assert_close(of_one_distance, of_one_distance[:1].expand_as(of_one_distance))
    assert scores[10].unique().numel() == 20


def test_rows_may_stand_at_positions_of_their_own(projected):
    table, positions = rotation_table(30, 6), torch.tensor([4, 17])
    token = projected[:, :1]
    found = rotated(token, table[positions, None])
    for row, position in enumerate(positions.tolist()):
        assert torch.equal(found[row : row + 1], rotated(token[row : row + 1], table[None, position : position + 1]))


def test_half_precision_stays_half_precision(projected):
    found = rotated(projected.bfloat16(), rotation_table(9, 6)[None])
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), rotated(projected, rotation_table(9, 6)[None]), atol=0.04, rtol=0.02)


def test_heads_that_cannot_be_split_into_pairs_are_refused(tiny):
    config = tiny.model_copy(update={"positions": "rotary", "embed_dim": 6})
    with pytest.raises(UsageError, match=r"heads of 3 cannot be split into pairs: model\.embed_dim"):
        gpt.build(config, vocab_size=13, kernel="sdpa")


def test_weights_of_gpt_2_with_rotary_positions_are_refused(tiny):
    config = tiny.model_copy(update={"positions": "rotary", "init": "gpt2"})
    with pytest.raises(UsageError, match=r"model\.init names a GPT-2 and model\.positions is 'rotary'"):
        gpt.build(config, vocab_size=13, kernel="sdpa")
