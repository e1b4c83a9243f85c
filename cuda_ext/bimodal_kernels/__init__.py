"""Attention kernels behind one door: `attention(...)`, its backends, and the choice between them.

What names exist is known without torch (`BACKENDS`, `choose_backend`), so that the command line can list them
cheaply; `attention` itself is imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bimodal_kernels.catalog import BACKENDS, RUNNABLE, KernelChoice, choose_backend, require_runnable

if TYPE_CHECKING:
    from bimodal_kernels.dispatch import attention

__all__ = ["BACKENDS", "RUNNABLE", "KernelChoice", "attention", "choose_backend", "require_runnable"]


def __getattr__(name: str) -> Any:
    """Import the op (and with it torch) when it is first asked for (PEP 562)."""
    if name == "attention":
        from bimodal_kernels.dispatch import attention

        return attention
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
