"""Hugging Face checkpoints: found, opened, read and checked. Nothing here runs code from a checkpoint."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from bimodal.errors import CheckpointError

_SAFETENSORS = "model.safetensors"
_PICKLE = "pytorch_model.bin"
_SAFE_FILES = ["config.json", "model*.safetensors", "model.safetensors.index.json"]
_PICKLE_FILES = ["pytorch_model*.bin", "pytorch_model.bin.index.json"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An opened checkpoint: its configuration, and which file holds which tensor."""

    folder: Path
    config: Mapping[str, Any]
    files: Mapping[str, Path]
    """Tensor name to file."""

    def number(self, key: str) -> int:
        """A whole number above 0 from config.json.

        Raises:
            CheckpointError: it is missing or no such number.
        """
        value = self.config.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self.error(f"config.json has {key} = {value!r}, expected a whole number above 0")
        return value

    def require(self, key: str, *allowed: object) -> None:
        """Refuse an option this project's modules do not have; a missing key is the first allowed.

        Raises:
            CheckpointError: naming the option, its value and what is supported.
        """
        value = self.config.get(key, allowed[0])
        if value not in allowed:
            supported = " or ".join(repr(option) for option in allowed)
            raise self.error(f"config.json has {key} = {value!r}, only {supported} is supported")

    def prefix(self, anchor: str, candidates: Iterable[str]) -> str:
        """The first candidate that stands before `anchor` in a tensor's name.

        Raises:
            CheckpointError: no tensor is called so: the weights are of another model.
        """
        tried = tuple(candidates)
        for candidate in tried:
            if candidate + anchor in self.files:
                return candidate
        names = ", ".join(repr(candidate + anchor) for candidate in tried)
        raise self.error(f"none of its {len(self.files)} tensors is called {names}")

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The named tensors, in fp32 on the CPU.

        Raises:
            CheckpointError: some are missing, or a file is cut short.
        """
        wanted = list(names)
        missing = [name for name in wanted if name not in self.files]
        if missing:
            shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
            raise self.error(f"{len(missing)} of {len(wanted)} tensors are missing: {shown}")
        tensors: dict[str, Tensor] = {}
        for file in sorted({self.files[name] for name in wanted}):
            here = [name for name in wanted if self.files[name] == file]
            tensors.update((name, tensor.float()) for name, tensor in _read_file(file, here).items())
        return tensors

    def load_into(self, module: nn.Module, tensors: Mapping[str, Tensor], *, fresh: tuple[str, ...] = ()) -> None:
        """Copy tensors into a module's weights of the same names; those starting with `fresh` stay as drawn.

        Raises:
            CheckpointError: shapes differ from what config.json announces.
        """
        own = module.state_dict()
        wrong = [
            f"{name} is {list(tensors[name].shape)}, expected {list(weight.shape)}"
            for name, weight in own.items()
            if name in tensors and tensors[name].shape != weight.shape
        ]
        if wrong:
            raise self.error(f"tensors do not have the shapes that config.json announces: {'; '.join(wrong[:3])}")
        keys = module.load_state_dict(dict(tensors), strict=False)
        left = [name for name in keys.missing_keys if not name.startswith(fresh)]
        assert not left, f"the loader names no source for {left}"
        assert not keys.unexpected_keys, f"the loader names weights that do not exist: {keys.unexpected_keys}"

    def error(self, what: str) -> CheckpointError:
        """A CheckpointError about this checkpoint."""
        return CheckpointError(f"Cannot load the checkpoint in {self.folder}: {what}.")


def open_checkpoint(init: str, *, model_type: str) -> Checkpoint:
    """Open a local folder, or a hub id (downloaded into Hugging Face's cache).

    Raises:
        CheckpointError: not found, unreadable, or of another architecture than `model_type`.
    """
    folder = Path(init).expanduser()
    if not folder.is_dir():
        folder = _download(init)
    config = _read_json(folder / "config.json")
    found = config.get("model_type")
    if found != model_type:
        raise CheckpointError(
            f"The checkpoint in {folder} is of model_type {found!r}, expected {model_type!r}. "
            f"Point init at a {model_type} checkpoint."
        )
    return Checkpoint(folder, config, _tensor_files(folder))


def _download(init: str) -> Path:
    if init.startswith((".", "/", "~")) or init.count("/") > 1:
        raise CheckpointError(f"No such checkpoint folder: {init}. Give a folder with a config.json, or a hub id.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        folder = Path(snapshot_download(init, allow_patterns=_SAFE_FILES))
        if not any(folder.glob("model*.safetensors")):
            folder = Path(snapshot_download(init, allow_patterns=["config.json", *_PICKLE_FILES]))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise CheckpointError(
            f"Checkpoint {init!r} is neither a local folder nor to be had from the Hugging Face hub: {error} "
            "Check the name and the network, or download it and give the folder."
        ) from error
    return folder


def _tensor_files(folder: Path) -> dict[str, Path]:
    """Which file holds which tensor: a single file, or the shards of an index; safetensors first."""
    for single in (_SAFETENSORS, _PICKLE):
        if (folder / single).is_file():
            return dict.fromkeys(_names(folder / single), folder / single)
        index = folder / f"{single}.index.json"
        if index.is_file():
            return _shards(index)
    raise CheckpointError(f"No weights in {folder}: expected {_SAFETENSORS} (or its index), or {_PICKLE}.")


def _shards(index: Path) -> dict[str, Path]:
    weight_map = _read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(file, str) for file in weight_map.values()):
        raise CheckpointError(f"{index} has no weight_map from tensor to file name: it is no checkpoint index.")
    files = {}
    for name, file in weight_map.items():
        # A name with folders in it could point out of the checkpoint.
        if Path(file).name != file or not (index.parent / file).is_file():
            raise CheckpointError(f"{index} names the shard {file!r}, which is not in {index.parent}.")
        files[name] = index.parent / file
    return files


def _names(file: Path) -> list[str]:
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, framework="pt") as opened:
                return list(opened.keys())
        except (SafetensorError, OSError) as error:
            raise _corrupt(file, error) from error
    return list(_unpickle(file))


def _read_file(file: Path, names: list[str]) -> dict[str, Tensor]:
    if file.suffix == ".safetensors":
        try:
            with safe_open(file, framework="pt") as opened:
                return {name: opened.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise _corrupt(file, error) from error
    tensors = _unpickle(file)
    try:
        return {name: tensors[name] for name in names}
    except KeyError as error:
        raise _corrupt(file, error) from error


def _unpickle(file: Path) -> dict[str, Tensor]:
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError, OSError, ValueError) as error:
        raise _corrupt(file, error) from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{file} does not hold tensors by name: it is no model's weights.")
    return tensors


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{file.parent} has no {file.name}: it is no Hugging Face checkpoint.") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds a {type(content).__name__}, expected an object.")
    return content


def _corrupt(file: Path, error: Exception) -> CheckpointError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CheckpointError(f"{file} is cut short or corrupt ({reason}). Download or copy it again.")
