"""Cross-entropy that turns logits into their own gradient, where they lie.

Torch's cross_entropy keeps log-probabilities for the backward pass and there makes a gradient of the same size: three
arrays of [tokens, vocab_size], the largest that a small language model has. But all that the backward pass needs,
softmax(logits) - target, is known in the forward pass, and nobody needs the logits afterwards: one array does.

Source: Hsu et al. 2024, Liger Kernel, sec. 3.2 (gradients made in the forward pass, in place; without its chunks
of rows, which gained nothing more here where memory is kept).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bimodal_kernels import training


def summed_cross_entropy(
    logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0, divisor: float = 1.0, kernel: str = "sdpa"
) -> Tensor:
    """Cross-entropy in nats, summed over rows; a drop-in for torch's, except that it may overwrite `logits`.

    Args:
        logits: [row, class] float32. With gradients on, they are used up: whatever else reads them in the backward
            pass (a non-linearity that made them, say) makes torch raise.
        targets: [row] int64, a class each.
        label_smoothing: share of the target's probability that is spread over all classes.
        divisor: of the sum; known beforehand, it costs nothing.
        kernel: backend of the contestant's kernels.
    """
    if torch.is_grad_enabled() and logits.requires_grad:
        return _UsesUpLogits.apply(logits, targets, label_smoothing, divisor, kernel)  # type: ignore[no-any-return]
    summed = torch.nn.functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=label_smoothing)
    return summed / divisor


class _UsesUpLogits(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, targets: Tensor, label_smoothing: float, divisor: float, kernel: str
    ) -> Tensor:
        gradient = logits.detach()  # shares memory and version counter
        into = training.cross_entropy_ if training.serves(kernel, gradient) else _cross_entropy_
        losses = into(gradient, targets, label_smoothing=label_smoothing, divisor=divisor)
        ctx.save_for_backward(gradient)
        return losses.sum() / divisor

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        whole = grad_loss.device.type == "cpu" and grad_loss.item() == 1  # asking a GPU would make it wait
        return gradient if whole else gradient.mul_(grad_loss), None, None, None, None


def _cross_entropy_(logits: Tensor, targets: Tensor, *, label_smoothing: float, divisor: float) -> Tensor:
    """Losses [row]; their gradient, divided by `divisor`, takes the logits' place."""
    index = targets[:, None]
    wanted = logits.gather(1, index)
    if label_smoothing:
        wanted = torch.lerp(wanted, logits.mean(1, keepdim=True), label_smoothing)
    largest = logits.amax(1, keepdim=True)
    torch.softmax(logits, 1, out=logits)
    # The largest probability is 1 / sum(exp(logits - largest)), and cannot underflow.
    log_sum_exp = largest - logits.amax(1, keepdim=True).log()
    logits.scatter_(1, index, logits.gather(1, index) - (1 - label_smoothing))
    if label_smoothing:
        logits.sub_(label_smoothing / logits.shape[1])
    if divisor != 1:
        logits.div_(divisor)
    return (log_sum_exp - wanted).squeeze(1)
