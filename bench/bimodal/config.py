"""From a command line to cells: `plan()` turns a request into one `RunConfig` per contestant and seed. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bimodal import contestants, registry
from bimodal.errors import UsageError, unknown_name
from bimodal.schema import DataConfig, RunConfig
from bimodal.types import Task
from bimodal_kernels.catalog import AUTO, BACKENDS

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
"""What can be a device; whether this machine has it is found out where torch is loaded."""
_OWN_FLAGS = {
    "data.task",
    "task",
    "preset",
    "seed",
    "device",
    "kernel",
    "data.name",
    "model.name",
    "contestant",
    "variant.name",
    "variant.of",
    "schema_version",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for, as typed."""

    task: str
    model: str = "both"
    dataset: str | None = None
    preset: str = "small"
    seed: int = 0
    seeds: int = 1
    device: str = "auto"
    kernel: str = "auto"
    variant: str | None = None
    """Made of every contestant after its training, and compared with it; a name of `contestants.VARIANTS`."""
    dials: str | None = None
    """Dials of the data set with commas between, each a comparison of its own."""
    settings: Sequence[str] = ()
    """`key=value` pairs; the key is a path into RunConfig, the value TOML (or plain text)."""


ALL_TASKS = "all"
"""Every task, each on its own data set."""


def plan(request: Request) -> tuple[RunConfig, ...]:
    """The cells of a request: for every task asked for and every seed, every contestant, all else equal.

    Raises:
        UsageError: an unknown task, model, data set, preset, kernel or setting, or a value that does not fit.
    """
    if request.task != ALL_TASKS:
        return _plan_task(request)
    if request.dataset is not None:
        raise UsageError(f"--task all takes each task's own data set: leave --dataset {request.dataset} out.")
    return tuple(cell for name in registry.summaries("task") for cell in _plan_task(replace(request, task=name)))


def _plan_task(request: Request) -> tuple[RunConfig, ...]:
    task = registry.load_task(request.task)
    dataset = request.dataset or task.default_dataset
    source = registry.load_source(dataset)
    if request.task not in source.tasks and dataset != task.default_dataset:
        raise UsageError(
            f"Data set {dataset!r} does not serve the task {request.task!r}; it serves: {', '.join(source.tasks)}."
        )
    if request.kernel not in (AUTO, *BACKENDS):
        raise unknown_name("kernel", request.kernel, (AUTO, *BACKENDS))
    if not _DEVICE.fullmatch(request.device):
        raise UsageError(f"Unknown device {request.device!r}. Allowed: auto, cpu, cuda, cuda:N, mps.")
    if request.variant is not None and request.variant not in contestants.VARIANTS:
        raise unknown_name("variant", request.variant, contestants.VARIANTS)
    if request.seeds < 1:
        raise UsageError(f"--seeds must be at least 1, got {request.seeds}.")

    settings = load_preset(request.preset)
    of_preset = _of_this_data(settings, request.task, dataset)
    for section, values in (*task.settings.items(), *source.settings.items(), *of_preset.items()):
        settings[section] = {**settings.get(section, {}), **values}
    for setting in request.settings:
        _apply(settings, setting)
    settings["data"] = {**settings.get("data", {}), "name": dataset, "task": request.task}
    preset = Path(request.preset).stem
    common = {"task": request.task, "preset": preset, "device": request.device, "kernel": request.kernel}
    cells = tuple(
        _validated({**contestants.settings_of(name, dialled, variant), **common, "seed": seed})
        for dialled in _with_dials(settings, request.dials)
        for seed in range(request.seed, request.seed + request.seeds)
        for variant in (None, *([request.variant] if request.variant else []))  # made of what was trained before
        for name in contestants.named(request.model)
    )
    data = source.resolved(cells[0].data)
    _check_speech(task, data)
    return tuple(cell.model_copy(update={"data": source.resolved(cell.data)}) for cell in cells)


def _of_this_data(settings: dict[str, Any], task: str, dataset: str) -> dict[str, Any]:
    """A preset's tables `[for.<task>.<data set>.<section>]` for this task and data set; takes all of them out.

    Raises:
        UsageError: a table is for a task or a data set that does not exist.
    """
    tables: dict[str, dict[str, Any]] = settings.pop("for", {})
    datasets = [name for of_task in tables.values() for name in of_task]
    for kind, names, known in (
        ("task", list(tables), registry.summaries("task")),
        ("data set", datasets, registry.summaries("dataset")),
    ):
        for name in names:
            if name not in known:
                raise unknown_name(f"{kind} in a preset's [for.<task>.<data set>]", name, known)
    own: dict[str, Any] = tables.get(task, {}).get(dataset, {})
    return own


def _with_dials(settings: dict[str, Any], dials: str | None) -> list[dict[str, Any]]:
    """The settings once per dial; once as they are where none is asked for."""
    if dials is None:
        return [settings]
    try:
        values = [float(part) for part in dials.split(",")]
    except ValueError as error:
        raise UsageError(f"--dial takes numbers from 0 to 1 with commas between, got {dials!r}.") from error
    if len(set(values)) != len(values) or not all(0 <= value <= 1 for value in values):
        raise UsageError(f"--dial takes numbers from 0 to 1, each once, got {dials!r}.")
    return [{**settings, "data": {**settings["data"], "dial": value}} for value in values]


def _check_speech(task: Task, data: DataConfig) -> None:
    """Raise UsageError where synthetic speech would give the task's answer away."""
    speech = data.speech
    if speech.engine == "none":
        return
    if speech.field == "target" and "target" in task.unheard:
        raise UsageError(
            f"In the task {task.name!r} the target may not be spoken: whoever hears it has the answer. "
            "Speak the text: --set data.speech.field=text."
        )
    if data.language == speech.language and "target language" in task.unheard:
        raise UsageError(
            f"In the task {task.name!r} nothing may be spoken in the target's language ({data.language}), but that is "
            f"what the voice {speech.voice!r} speaks. Choose a voice of the text's: --set data.speech.voice=en."
        )


def presets() -> dict[str, str]:
    """Names of the built-in presets with the comment on their first line."""
    folder = resources.files("bimodal") / "presets"
    found = {Path(file.name).stem: file for file in folder.iterdir() if file.name.endswith(".toml")}
    first_lines = {name: file.read_text(encoding="utf-8").partition("\n")[0] for name, file in found.items()}
    return {name: first_lines[name].lstrip("# ") for name in sorted(found)}


def load_preset(name: str) -> dict[str, Any]:
    """The settings of a built-in preset, or of the TOML file of that path.

    Raises:
        UsageError: no such preset or file, or not TOML.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"Preset file {name} does not exist.")
        text = path.read_text(encoding="utf-8")
    elif name in presets():
        text = (resources.files("bimodal") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    else:
        raise unknown_name("preset", name, presets())
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"Preset {name} is not valid TOML: {error}.") from error


def _apply(settings: dict[str, Any], setting: str) -> None:
    """Write one `key=value` into the nested settings, after checking that the key exists."""
    key, equals, text = setting.partition("=")
    key = key.strip()
    if not equals or not key:
        raise UsageError(f"--set takes key=value, got {setting!r}; for example --set train.epochs=5.")
    known = setting_keys()
    if key not in known:
        raise unknown_name("setting", key, known)
    *path, last = key.split(".")
    for part in path:
        settings = settings.setdefault(part, {})
    settings[last] = _parse_value(text.strip())


def setting_keys(model: type[BaseModel] = RunConfig, prefix: str = "") -> tuple[str, ...]:
    """Every key that `--set` takes: the leaves of RunConfig that have no flag of their own."""
    keys: list[str] = []
    for name, field in model.model_fields.items():
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if isinstance(t, type)]
        nested = next((t for t in inner if issubclass(t, BaseModel)), None)
        keys += setting_keys(nested, f"{prefix}{name}.") if nested else [f"{prefix}{name}"]
    return tuple(key for key in keys if key not in _OWN_FLAGS and not key.startswith("match."))


def _parse_value(text: str) -> Any:
    """A TOML value; `null` and `none` are None, and what is not TOML is plain text (a path, a name)."""
    if text.lower() in {"null", "none"}:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _validated(settings: dict[str, Any]) -> RunConfig:
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}, got {problem['input']!r}"
            for problem in error.errors()
            if problem["type"] != "default_factory_not_called"  # follows from another one
        ]
        raise UsageError("These settings do not fit: " + "; ".join(problems) + ".") from error
