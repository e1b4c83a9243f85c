"""Attention kernels behind one door: `attention(...)`, its backends, and the choice between them.

What names exist is known without torch (`BACKENDS`, `choose_backend`), so that the command line can list them
cheaply; `attention` and `attention_decode` themselves are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bimodal_kernels.catalog import AUTO, BACKENDS, KernelChoice, choose_backend, require_backend

if TYPE_CHECKING:
    from bimodal_kernels.dispatch import attention, attention_decode, self_attention

__all__ = [
    "AUTO",
    "BACKENDS",
    "KernelChoice",
    "attention",
    "attention_decode",
    "choose_backend",
    "require_backend",
    "self_attention",
]


def __getattr__(name: str) -> Any:
    """Import the op (and with it torch) when it is first asked for (PEP 562)."""
    if name in ("attention", "attention_decode", "self_attention"):
        from bimodal_kernels import dispatch

        return getattr(dispatch, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
