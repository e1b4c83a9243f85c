"""The tagging head that reads features of words."""

import pytest
import torch

from bimodal.word_features import FeatureSizes, FeatureTensors
from bimodal_models.blocks.word_tagger import WordTagger

SIZES = FeatureSizes(window=3, words=9, shapes=5, affixes=4, unknown_word=1)


def tagger() -> WordTagger:
    torch.manual_seed(0)
    return WordTagger(8, 5, SIZES).eval()


def inputs() -> tuple[torch.Tensor, FeatureTensors]:
    draw = torch.Generator().manual_seed(0)
    features = FeatureTensors(
        torch.randint(2, 9, (2, 4, 3), generator=draw),
        torch.randint(5, (2, 4, 3), generator=draw),
        torch.randint(4, (2, 4, 6), generator=draw),
    )
    return torch.randn(2, 4, 8, generator=draw), features


@pytest.mark.parametrize("which", ["words", "shapes", "affixes", "states"])
def test_everything_it_is_told_matters_at_its_place_and_nowhere_else(which: str) -> None:
    states, features = inputs()
    before = tagger()(states, features)
    if which == "states":
        states[0, 1] += 1
    else:
        read = getattr(features, which)
        read[0, 1, 0] = (read[0, 1, 0] + 1) % 4
    changed = (tagger()(states, features) != before).any(-1)
    assert changed.nonzero().tolist() == [[0, 1]]


def test_in_training_every_fifth_word_is_taken_for_unknown_and_no_word_stays_none() -> None:
    model = tagger()
    words = torch.full((200, 10, 3), 7)
    words[..., 0] = 0
    assert torch.equal(model._some_unknown(words), words)
    read = model.train()._some_unknown(words)
    assert torch.all(read[..., 0] == 0)
    assert (read[..., 1:] == SIZES.unknown_word).float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert set(read[..., 1:].unique().tolist()) == {SIZES.unknown_word, 7}
