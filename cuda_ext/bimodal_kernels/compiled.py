"""The backends that are compiled here: `cuda` and `native`, which share one op and differ by the inputs' device."""

from __future__ import annotations

from torch import Tensor

from bimodal_kernels import loader, ops


def require(name: str) -> None:
    """Have the library in this process; compiles it if need be.

    Raises:
        RuntimeError: it cannot be had; the message says what is missing.
    """
    reason = loader.obstacle(name)
    if reason is not None:
        raise RuntimeError(f"Kernel {name!r} cannot run: {reason}. choose_backend(...) finds one that can.")


def cuda(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float
) -> Tensor:
    """Attention by `csrc/cuda`."""
    require("cuda")
    return ops.attend(query, key, value, key_padding_mask, causal, scale)


def native(
    query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None, causal: bool, scale: float
) -> Tensor:
    """Attention by `csrc/native`."""
    require("native")
    return ops.attend(query, key, value, key_padding_mask, causal, scale)
