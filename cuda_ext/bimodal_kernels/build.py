"""Compiling the kernels, once per machine: a cache that several processes share. Imports no torch.

An entry is a library and, written after it, a record with the library's SHA-256. Both are written under another name
and renamed; an entry whose record is missing or does not fit is no entry, and is built again. One process builds, under
a lock; others wait for it and find its work.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bimodal_kernels.recipe import RECIPES, Recipe
from bimodal_kernels.toolchain import CompileError, KernelUnavailableError, gpu_capabilities

Say = Callable[[str], None]
"""Told what takes long."""


class Built(NamedTuple):
    """A library that is there."""

    path: Path
    fresh: bool
    """Whether this call compiled it."""
    seconds: float
    """What compiling took, then."""


def cache_dir() -> Path:
    """Where libraries are kept: `kernels` in `$BIMODAL_CACHE`, else in the platform's cache folder for bimodal."""
    if chosen := os.environ.get("BIMODAL_CACHE"):
        return Path(chosen).expanduser() / "kernels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bimodal" / "kernels"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bimodal" / "kernels"


def find(recipe: Recipe) -> Path | None:
    """The library of a recipe if it is in the cache and whole; never compiles."""
    entry = _Entry(recipe)
    return entry.library if entry.is_whole() else None


def ensure(name: str, say: Say = lambda message: None, *, force: bool = False) -> Built:
    """The library `native` or `cuda`: from the cache, or compiled now.

    Args:
        name: a name of `RECIPES`.
        say: told before something takes long.
        force: compile even if it is there.

    Raises:
        KernelUnavailableError: a compiler is missing, compiling failed, or the cache cannot be written.
    """
    return ensure_recipe(RECIPES[name](), say, force=force)


def ensure_recipe(recipe: Recipe, say: Say = lambda message: None, *, force: bool = False) -> Built:
    """As `ensure`, for what is made by a recipe of one's own.

    Raises:
        KernelUnavailableError: compiling failed, or the cache cannot be written.
    """
    entry = _Entry(recipe)
    if not force and entry.is_whole():
        return Built(entry.library, fresh=False, seconds=0.0)
    try:
        entry.library.parent.mkdir(parents=True, exist_ok=True)
        with _locked(entry.lock, say):
            if not force and entry.is_whole():  # somebody else was faster
                return Built(entry.library, fresh=False, seconds=0.0)
            say(f"compiling the {recipe.name} kernels, once for this machine")
            started = time.monotonic()
            with tempfile.TemporaryDirectory(dir=entry.library.parent, prefix=".building-") as folder:
                entry.put(_compile(recipe, Path(folder)), seconds=time.monotonic() - started)
            return Built(entry.library, fresh=True, seconds=time.monotonic() - started)
    except OSError as error:
        raise KernelUnavailableError(f"the kernel cache {entry.library.parent} cannot be written: {error}") from error


def ahead(requested: Iterable[str], say: Say) -> None:
    """Compile what backends of these names (`auto` among them) could use here, so that nobody waits for it later.

    What cannot be had is no error now: whoever chooses a backend will say so.
    """
    names = set(requested)
    for name in RECIPES:
        if names.isdisjoint((name, "auto")) or (name == "cuda" and not gpu_capabilities()):
            continue
        with suppress(KernelUnavailableError):
            ensure(name, say)


class _Entry:
    """A library's place in the cache."""

    def __init__(self, recipe: Recipe) -> None:
        stem = f"{recipe.name}-{recipe.key}"
        self.recipe = recipe
        self.library = cache_dir() / f"{stem}{recipe.suffix}"
        self.record = cache_dir() / f"{stem}.json"
        self.lock = cache_dir() / f"{stem}.lock"

    def is_whole(self) -> bool:
        """Whether library and record are there and fit."""
        try:
            recorded = json.loads(self.record.read_bytes())
            return bool(recorded["sha256"] == _sha256(self.library))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def put(self, library: Path, seconds: float) -> None:
        """Move a finished library in; the record comes last, so that a half-written entry is none."""
        self.record.unlink(missing_ok=True)
        record = library.with_suffix(".json")
        record.write_text(
            json.dumps({"sha256": _sha256(library), "seconds": round(seconds, 1), **self.recipe.made_of}, indent=2)
        )
        for source, target in ((library, self.library), (record, self.record)):
            with source.open("rb+") as file:
                os.fsync(file.fileno())
            source.replace(target)


def _compile(recipe: Recipe, folder: Path) -> Path:
    """Compile and link in `folder`; returns the library."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool, _Compilers(folder) as compilers:
        list(pool.map(lambda step: compilers.run((*step.command, "-o", step.output)), recipe.compile))
        objects = [step.output for step in recipe.compile]
        compilers.run((*recipe.link, *objects, "-o", "library.so", *recipe.libraries))
    return folder / "library.so"


class _Compilers:
    """Compiler processes in one folder; whatever happens, none outlives the block."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: set[subprocess.Popen[str]] = set()
        self.stopped = False

    def __enter__(self) -> _Compilers:
        return self

    def __exit__(self, *error: object) -> None:
        self.stopped = True
        for process in list(self.running):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def run(self, command: tuple[str, ...]) -> None:
        """Run one command.

        Raises:
            CompileError: it failed; the message has its first error.
        """
        if self.stopped:
            return
        with subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self.running.add(process)
            said, _ = process.communicate()
            self.running.discard(process)
        if process.returncode and not self.stopped:
            self.stopped = True  # the others need not start
            raise CompileError(f"compiling failed: {_first_error(said, command)}")


def _first_error(said: str, command: tuple[str, ...]) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"\berror[: ]", line)] or lines or [f"{command[0]} gave no reason"]
    return telling[0]


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    import fcntl  # POSIX only; imported here so that the package can be imported anywhere

    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that compiles the same kernels")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
