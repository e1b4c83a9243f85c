"""Cross-entropy that turns logits into their own gradient, where they lie.

Torch's cross_entropy keeps log-probabilities for the backward pass and there makes a gradient of the same size: three
arrays of [tokens, vocab_size], the largest that a small language model has. But all that the backward pass needs,
softmax(logits) - target, is known in the forward pass, and nobody needs the logits afterwards: one array does.

Source: Hsu et al. 2024, Liger Kernel, sec. 3.2 (gradients made in the forward pass, in place; without its chunks
of rows, which gained nothing more here: docs/speed.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def summed_cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy in nats, summed over rows; a drop-in for torch's, except that it may overwrite `logits`.

    Args:
        logits: [row, class] float32. With gradients on, they are used up: whatever else reads them in the backward
            pass (a non-linearity that made them, say) makes torch raise.
        targets: [row] int64, a class each.
        label_smoothing: share of the target's probability that is spread over all classes.
    """
    if torch.is_grad_enabled() and logits.requires_grad:
        return _UsesUpLogits.apply(logits, targets, label_smoothing)  # type: ignore[no-any-return]
    return torch.nn.functional.cross_entropy(logits, targets, reduction="sum", label_smoothing=label_smoothing)


class _UsesUpLogits(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        scratch = logits.detach()  # shares memory and version counter
        index = targets[:, None]
        wanted = scratch.gather(1, index)
        if label_smoothing:
            wanted = torch.lerp(wanted, scratch.mean(1, keepdim=True), label_smoothing)
        largest = scratch.amax(1, keepdim=True)
        torch.softmax(scratch, 1, out=scratch)
        # The largest probability is 1 / sum(exp(logits - largest)), and cannot underflow.
        log_sum_exp = largest - scratch.amax(1, keepdim=True).log()
        scratch.scatter_(1, index, scratch.gather(1, index) - (1 - label_smoothing))
        if label_smoothing:
            scratch.sub_(label_smoothing / scratch.shape[1])
        ctx.save_for_backward(scratch)
        return (log_sum_exp - wanted).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(grad_loss), None, None
