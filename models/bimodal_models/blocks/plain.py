"""Whether layers are as they were built, so that a whole sub-layer of them may run as one native call."""

from collections.abc import Sequence

from torch import nn

from bimodal_kernels import sublayers


def untouched(modules: Sequence[nn.Module], types: tuple[type[nn.Module], ...]) -> bool:
    """Whether modules are of these very types, nobody waits for their calls, and all their weights are trained.

    Adapters, int8 layers, hooks, and parametrisations change one of these.
    """
    if tuple(map(type, modules)) != types:
        return False
    for module in modules:  # of every block at every step: by the dictionary, which is several times as fast
        own = module.__dict__
        if any(map(own.__getitem__, _HOOKS)) or "forward" in own:
            return False
        for parameter in own["_parameters"].values():
            if parameter is not None and not parameter.requires_grad:
                return False
    return True


_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def norm_of(layer: nn.LayerNorm) -> sublayers.Norm:
    """Its tensors."""
    return sublayers.Norm(layer.weight, layer.bias, layer.eps)


def linear_of(layer: nn.Linear) -> sublayers.Linear:
    """Its tensors."""
    return sublayers.Linear(layer.weight, layer.bias)
