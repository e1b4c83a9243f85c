"""cross_entropy: what torch's gives, in one array."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from bimodal.cross_entropy import summed_cross_entropy

WEIGHT = torch.randn(7, 5, generator=torch.Generator().manual_seed(1))
TARGETS = torch.tensor([0, 6, 3])


def states(scale: float = 1.0) -> Tensor:
    drawn = torch.randn(3, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float32)
    return (scale * drawn).requires_grad_()


@pytest.mark.parametrize("kernel", ["sdpa", "native"])
@pytest.mark.parametrize("factor", [1.0, 3.0])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_loss_and_gradients_are_those_of_torch(
    scale: float, label_smoothing: float, factor: float, kernel: str
) -> None:
    ours, torchs = states(scale), states(scale)
    options = {"label_smoothing": label_smoothing}
    loss = summed_cross_entropy(F.linear(ours, WEIGHT), TARGETS, divisor=2.0, kernel=kernel, **options)
    expected = F.cross_entropy(F.linear(torchs, WEIGHT), TARGETS, reduction="sum", **options) / 2
    (factor * loss).backward()
    (factor * expected).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, torchs.grad, rtol=1e-5, atol=1e-5)


def test_the_gradient_takes_the_place_of_the_logits() -> None:
    logits = F.linear(states(), WEIGHT)
    probabilities = logits.detach().softmax(1)
    summed_cross_entropy(logits, TARGETS)
    torch.testing.assert_close(logits.detach(), probabilities - F.one_hot(TARGETS, 7))


def test_without_gradients_the_logits_stay_as_they_are() -> None:
    logits = F.linear(states(), WEIGHT).detach()
    before = logits.clone()
    summed_cross_entropy(logits, TARGETS)
    assert torch.equal(logits, before)


def test_logits_that_the_backward_pass_still_needs_are_not_overwritten_unnoticed() -> None:
    loss = summed_cross_entropy(F.linear(states(), WEIGHT).tanh(), TARGETS)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
