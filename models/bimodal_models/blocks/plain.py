"""Whether layers are as they were built, so that a whole sub-layer of them may run as one native call."""

from collections.abc import Sequence

from torch import nn

from bimodal_kernels import sublayers


def untouched(modules: Sequence[nn.Module], types: tuple[type[nn.Module], ...]) -> bool:
    """Whether modules are of these very types, nobody waits for their calls, and all their weights are trained.

    Adapters, int8 layers, hooks, and parametrisations change one of these.
    """
    return (
        tuple(map(type, modules)) == types
        and not any(map(_is_watched, modules))
        and all(p is None or p.requires_grad for module in modules for p in module._parameters.values())
    )


def _is_watched(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or "forward" in module.__dict__
    )


def norm_of(layer: nn.LayerNorm) -> sublayers.Norm:
    """Its tensors."""
    return sublayers.Norm(layer.weight, layer.bias, layer.eps)


def linear_of(layer: nn.Linear) -> sublayers.Linear:
    """Its tensors."""
    return sublayers.Linear(layer.weight, layer.bias)
