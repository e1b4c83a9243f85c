"""Killed, resumed, failing, full: nothing that was complete is lost, and what comes after is the same."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bimodal.schema import CellResult, Manifest
from bimodal.store import RunDirectory, read_record

from .conftest import Bench

# Long enough to be killed in the middle, with a restart point every few steps.
LONGER = (
    "--model",
    "multimodal",
    "--preset",
    "smoke",
    "--set",
    "train.epochs=12",
    "--set",
    "train.evaluations=24",
)


def result_of(folder: Path) -> CellResult:
    run = RunDirectory(folder)
    (cell,) = read_record(run.manifest, Manifest).cells
    return read_record(run.cell(cell).result, CellResult)


def start(folder: Path, environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    command = [
        sys.executable,
        "-m",
        "bimodal.cli",
        "run",
        "--task",
        "captioning",
        *arguments,
        "--out",
        str(folder),
    ]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for_restart_point(folder: Path) -> Path:
    """The cell's folder, once a restart point is there."""
    give_up = time.monotonic() + 120
    while time.monotonic() < give_up:
        for state in folder.glob("cells/*/checkpoint/training_state.pt"):
            return state.parent.parent
        time.sleep(0.02)
    raise AssertionError("no restart point within 120 s")


@pytest.fixture(scope="module")
def whole(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> CellResult:
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = bench("run", "--task", "captioning", *LONGER, "--out", folder)
    assert done.returncode == 0, done.stderr
    return result_of(folder)


def test_a_run_killed_in_training_resumes_to_the_same_weights_and_metrics(
    bench: Bench, bench_environment: dict[str, str], whole: CellResult, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    process = start(folder, bench_environment, *LONGER)
    cell = wait_for_restart_point(folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (cell / "result.json").exists()
    assert not (cell / "predictions.jsonl").exists()

    done = bench("run", "--task", "captioning", *LONGER, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr
    resumed = result_of(folder)
    assert resumed.train is not None
    assert whole.train is not None
    assert resumed.train.resumed_at_steps
    assert resumed.train.weights_sha256 == whole.train.weights_sha256
    assert resumed.predictions_sha256 == whole.predictions_sha256
    assert resumed.metrics == whole.metrics
    assert resumed.probes == whole.probes
    steps = [row["step"] for row in map(json.loads, (cell / "train.jsonl").read_text().splitlines()) if "loss" in row]
    assert steps == sorted(set(steps)), "a resumed run must not log a step twice"


def test_ctrl_c_ends_the_cell_says_so_and_leaves_a_run_to_resume(
    bench: Bench, bench_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "interrupted"
    process = start(folder, bench_environment, *LONGER)
    cell = wait_for_restart_point(folder)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "interrupted" in stderr
    assert "--resume" in stderr
    assert "Traceback" not in stderr
    assert read_record(folder / "run.json", Manifest).status == "interrupted"
    assert not (cell / "result.json").exists()
    assert not list(folder.rglob("*.tmp"))
    # Nobody is left writing: the lock is free at once.
    done = bench("run", "--task", "captioning", *LONGER, "--out", folder, "--resume")
    assert done.returncode == 0, done.stderr


def test_complete_cells_are_kept_on_resume(bench: Bench, smoke_run: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in smoke_run.glob("cells/*/result.json")}
    arguments = ("--task", "captioning", "--model", "both", "--preset", "smoke", "--out", smoke_run)
    done = bench("run", *arguments, "--resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("complete before; kept") == 2
    assert {path: path.stat().st_mtime_ns for path in smoke_run.glob("cells/*/result.json")} == before


def test_a_restart_point_cut_short_fails_the_cell_and_says_what_to_do(
    bench: Bench, bench_environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "cut"
    process = start(folder, bench_environment, *LONGER)
    cell = wait_for_restart_point(folder)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    state = cell / "checkpoint" / "training_state.pt"
    state.write_bytes(state.read_bytes()[:1000])
    done = bench("run", "--task", "captioning", *LONGER, "--out", folder, "--resume")
    assert done.returncode == 1
    assert "training_state.pt" in done.stderr
    assert "Delete" in done.stderr
    assert "Traceback" not in done.stderr
    result = result_of(folder)
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.kind == "CheckpointError"


def test_a_cell_that_fails_does_not_take_the_others_along(bench: Bench, tmp_path: Path) -> None:
    # One patch of 48 pixels does not tile 64: only the multimodal contestant has patches.
    folder = tmp_path / "half"
    arguments = ("--task", "captioning", "--model", "multimodal,gpt", "--preset", "smoke")
    done = bench("run", *arguments, "--set", "model.image.patch_size=48", "--out", folder)
    assert done.returncode == 1
    results = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("cells/*/result.json")}
    assert results["captioning.openmoji.multimodal.s0"]["status"] == "failed"
    assert results["captioning.openmoji.gpt.s0"]["status"] == "ok"
    assert "48" in results["captioning.openmoji.multimodal.s0"]["error"]["message"]
    assert "failed" in (folder / "report.html").read_text()
    assert read_record(folder / "run.json", Manifest).status == "failed"
