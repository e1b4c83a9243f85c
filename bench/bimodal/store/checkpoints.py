"""Weights and training state on disk. Nothing that is loaded can run code.

Shape legend: tensors of a state dict keep whatever shape they have.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bimodal.errors import CheckpointError
from bimodal.files import replacing

if TYPE_CHECKING:
    from torch import Tensor

_RETRAIN = "Delete the cell's folder and repeat the run with --resume."


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write a state dict as safetensors, atomically; raises StorageError.

    Tensors that share memory (tied weights) are written once each, because safetensors knows no sharing.
    """
    import safetensors.torch

    stored: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in weights.items():
        plain = tensor.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        stored[name] = plain.clone() if storage in seen else plain
        seen.add(storage)
    content = safetensors.torch.save(stored)
    with replacing(path) as file:
        file.write(content)


def load_weights(path: Path, *, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a state dict, to the CPU.

    Args:
        path: a safetensors file.
        sha256: what `weights_sha256` must say of it, if known.

    Raises:
        CheckpointError: the file is missing, cut short, no safetensors, or of other weights than `sha256`.
    """
    import safetensors
    import safetensors.torch

    try:
        weights: dict[str, Tensor] = safetensors.torch.load_file(path)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except safetensors.SafetensorError as error:
        raise _damaged(path, error) from error
    if sha256 is not None and (found := weights_sha256(weights)) != sha256:
        raise CheckpointError(
            f"{path} holds other weights than were recorded (sha256 {found[:12]}, recorded {sha256[:12]}). {_RETRAIN}"
        )
    return weights


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """sha256 over names, types, shapes and bytes of a state dict, in order of the names."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # Through uint8, because numpy has no bfloat16; flat, because a scalar cannot be viewed as bytes.
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a restart point (nested dicts and lists of tensors, numbers and strings) atomically.

    Raises:
        StorageError: the disk is full.
    """
    import torch

    with replacing(path) as file:
        torch.save(dict(state), file)


def load_state(path: Path) -> dict[str, Any]:
    """Read a restart point, to the CPU, refusing anything but tensors and plain data.

    Raises:
        CheckpointError: the file is missing, cut short or of another kind.
    """
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (RuntimeError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from error
    if not isinstance(state, dict):
        raise _damaged(path, TypeError(f"a {type(state).__name__} instead of a dict"))
    return state


def _missing(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} does not exist. Repeat the run with --resume to train the cell.")


def _damaged(path: Path, error: Exception) -> CheckpointError:
    reason = str(error).partition("\n")[0].strip() or type(error).__name__
    return CheckpointError(f"{path} is cut short or no checkpoint ({reason}). {_RETRAIN}")
