import jaxtyping
import pytest
import torch

from bimodal_models import gpt


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return gpt.build(tiny.model_copy(update={"embed_dim": 128, "num_layers": 4}), vocab_size=13, kernel="sdpa")


def test_weights_start_as_gpt2s(model):
    assert model.token_embedding.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert model.blocks[0].attention.in_proj.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not model.blocks[0].attention.in_proj.bias.any()


@pytest.mark.parametrize("projection", ["attention.out_proj", "mlp.down"])
def test_residual_projections_start_smaller_the_deeper_the_model(model, projection):
    weight = model.blocks[2].get_submodule(projection).weight
    assert weight.std().item() == pytest.approx(0.02 / 8**0.5, rel=0.05)  # two for each of 4 layers


def test_head_is_tied_to_the_embedding(model):
    states = torch.eye(128)[None]
    assert torch.equal(model.logits(states)[0], model.token_embedding.weight.T)


def test_a_tagging_head_changes_no_other_weight(tiny, model):
    torch.manual_seed(0)
    tagger = gpt.build(model.config, vocab_size=13, kernel="sdpa", num_tags=3)
    for name, weight in model.named_parameters():
        assert torch.equal(weight, tagger.get_parameter(name)), name


def test_wrong_shapes_are_caught_inside_tests(model):
    with pytest.raises(jaxtyping.TypeCheckError, match="tokens"):
        model.hidden(torch.zeros(3, dtype=torch.long))


def test_a_foreign_cache_is_refused(model):
    class Other:
        def select(self, rows):
            return self

    with pytest.raises(ValueError, match="Expected the cache that prefill returned, got a Other"):
        model.decode(torch.tensor([0]), Other())
    with pytest.raises(ValueError, match="Expected the context that encode returned, got a Other"):
        model.hidden(torch.tensor([[0]]), context=Other())


def test_empty_vocabulary_is_refused(tiny):
    with pytest.raises(ValueError, match="vocab_size must be at least 1, got 0"):
        gpt.build(tiny, vocab_size=0, kernel="sdpa")
