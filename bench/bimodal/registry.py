"""Finds tasks, data sets and models by name: one module each, no table to keep.

A task is a module `bimodal_tasks.<name>` with a `TASK`, a data set `bimodal_tasks.datasets.<name>` with a `SOURCE`,
a model `bimodal_models.<name>` with a `MODEL`, a format of own data `bimodal_tasks.formats.<name>` with a `FORMAT`.
Third parties add theirs through the entry-point groups `bimodal.tasks`, `bimodal.datasets`, `bimodal.models` and
`bimodal.formats`, each entry naming such an object (`package.module:TASK`).
Names are found without importing anything heavy; importing happens when one is loaded.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, cast

from bimodal.errors import unknown_name
from bimodal.types import DatasetSource, Format, ModelSpec, Task

Kind = Literal["task", "dataset", "model", "format"]


@dataclass(frozen=True, slots=True)
class _Room:
    package: str
    attribute: str
    entry_point_group: str


_ROOMS: dict[Kind, _Room] = {
    "task": _Room("bimodal_tasks", "TASK", "bimodal.tasks"),
    "dataset": _Room("bimodal_tasks.datasets", "SOURCE", "bimodal.datasets"),
    "model": _Room("bimodal_models", "MODEL", "bimodal.models"),
    "format": _Room("bimodal_tasks.formats", "FORMAT", "bimodal.formats"),
}


def summaries(kind: Kind) -> dict[str, str]:
    """Every available name with the first line of its module's docstring, sorted by name."""
    found = _built_in(kind)
    for entry in entry_points(group=_ROOMS[kind].entry_point_group):
        found.setdefault(entry.name, f"from {entry.value}")
    return dict(sorted(found.items()))


def load_task(name: str) -> Task:
    """The task of that name.

    Raises:
        UsageError: no such task; the message suggests the nearest name.
    """
    return cast(Task, _load("task", name))


def load_source(name: str) -> DatasetSource:
    """The data set source of that name.

    Raises:
        UsageError: no such data set; the message suggests the nearest name.
    """
    return cast(DatasetSource, _load("dataset", name))


def load_model(name: str) -> ModelSpec:
    """The model of that name.

    Raises:
        UsageError: no such model; the message suggests the nearest name.
    """
    return cast(ModelSpec, _load("model", name))


def load_format(name: str) -> Format:
    """The format of that name.

    Raises:
        UsageError: no such format; the message suggests the nearest name.
    """
    return cast(Format, _load("format", name))


def _load(kind: Kind, name: str) -> Any:
    room = _ROOMS[kind]
    if name in _built_in(kind):
        return getattr(importlib.import_module(f"{room.package}.{name}"), room.attribute)
    for entry in entry_points(group=room.entry_point_group):
        if entry.name == name:
            return entry.load()
    raise unknown_name(kind, name, summaries(kind))


def _built_in(kind: Kind) -> dict[str, str]:
    """Names and docstring first lines of the modules in a room that assign its attribute, without importing them."""
    room = _ROOMS[kind]
    spec = importlib.util.find_spec(room.package)
    if spec is None or spec.submodule_search_locations is None:
        return {}
    found: dict[str, str] = {}
    for folder in spec.submodule_search_locations:
        for module in pkgutil.iter_modules([folder]):
            if module.ispkg:
                continue
            tree = ast.parse((Path(folder) / f"{module.name}.py").read_text(encoding="utf-8"))
            if any(room.attribute in _assigned(node) for node in tree.body):
                found[module.name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def _assigned(node: ast.stmt) -> set[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
