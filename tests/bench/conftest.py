"""A real run of the smoke preset, made once for all tests that read what a run leaves behind."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., "subprocess.CompletedProcess[str]"]
TINY = {
    "data.train_limit": 96,
    "data.validation_limit": 16,
    "data.test_limit": 24,
    "train.epochs": 1,
    "train.evaluations": 1,
    "train.batch_size": 16,
    "measure.requests": 2,
    "measure.warmup": 1,
    "measure.processes": 1,
    "measure.throughput_rounds": 1,
    "decode.max_new_tokens": 4,
}
"""Settings with which a smoke cell takes little more than starting its process."""


@pytest.fixture(scope="session")
def bench_environment(data_cache: Path) -> dict[str, str]:
    """The environment of `bench` in tests: a cache of its own, prepared from nothing."""
    return {**os.environ, "BIMODAL_CACHE": str(data_cache), "COLUMNS": "200"}


@pytest.fixture(scope="session")
def bench(bench_environment: dict[str, str]) -> Bench:
    """Run `bench ARGS...` in a process of its own."""

    def run(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bimodal.cli", *map(str, arguments)],
            env={**bench_environment, **environment},
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run


@pytest.fixture(scope="session")
def smoke_run(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `bench run --task captioning --model both --preset smoke`."""
    folder = tmp_path_factory.mktemp("smoke") / "run"
    done = bench("run", "--task", "captioning", "--model", "both", "--preset", "smoke", "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def tiny_ladder(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `bench run --task captioning --model ladder`, with next to no training."""
    folder = tmp_path_factory.mktemp("ladder") / "run"
    settings = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    ladder = ("run", "--task", "captioning", "--model", "ladder", "--preset", "smoke", "--out", folder)
    done = bench(*ladder, *settings)
    assert done.returncode == 0, done.stderr
    return folder
