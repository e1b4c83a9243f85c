"""Controls made as large, or trained as long, as what they are compared with."""

import pytest

from bimodal.errors import UsageError
from bimodal.matching import lengthened, widened
from bimodal.order import examples_within, planned_steps
from bimodal.schema import ModelConfig, TrainConfig


def parameters(model: ModelConfig) -> int:
    """Of a made-up architecture that, like a Transformer, is linear in its feed-forward width."""
    assert model.mlp_dim is not None
    return model.num_layers * (4 * model.embed_dim**2 + 2 * model.embed_dim * model.mlp_dim) + 1000 * model.embed_dim


@pytest.mark.parametrize("target", [300_000, 1_234_567, 40_000_000])
def test_a_model_is_widened_to_a_number_of_parameters_in_its_own_proportions(target: int) -> None:
    wide = widened(ModelConfig(name="gpt", num_layers=3, num_heads=2, embed_dim=128), target, parameters)
    assert parameters(wide) == pytest.approx(target, rel=0.01)
    assert wide.embed_dim == 64 * wide.num_heads
    assert wide.num_layers == 3


def test_a_wide_enough_model_keeps_four_times_its_width_in_the_feed_forward_layers() -> None:
    wide = widened(ModelConfig(name="gpt", num_layers=8, num_heads=6, embed_dim=384), 100_000_000, parameters)
    assert wide.mlp_dim is not None
    assert wide.mlp_dim / wide.embed_dim == pytest.approx(4, rel=0.15)


def test_a_model_that_starts_from_a_checkpoint_cannot_be_widened() -> None:
    with pytest.raises(UsageError, match=r"starts from model\.init cannot be widened"):
        widened(ModelConfig(name="gpt", init="gpt2"), 1_000_000, parameters)


@pytest.mark.parametrize("wanted", [90.0, 1000.0, 12_345.0])
def test_a_training_is_lengthened_to_a_number_of_examples_within_half_a_step(wanted: float) -> None:
    train = lengthened(TrainConfig(epochs=1, batch_size=8, accumulate=2, patience=3), wanted, examples=100)
    seen = examples_within(planned_steps(train, 100), train, 100)
    assert seen == pytest.approx(wanted, abs=8)
    assert train.patience is None


def test_the_last_step_of_an_epoch_sees_what_is_left() -> None:
    train = TrainConfig(epochs=2, batch_size=30)
    assert planned_steps(train, 100) == 8
    assert [examples_within(steps, train, 100) for steps in (1, 3, 4, 5, 8)] == [30, 90, 100, 130, 200]
