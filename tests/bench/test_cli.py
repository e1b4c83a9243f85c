"""The command line: help without torch, clear refusals with exit code 2, commands that read a run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bimodal.datasets import load_dataset
from bimodal.schema import DataConfig

from .conftest import Bench


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from bimodal.cli import app; "
        "result = CliRunner().invoke(app, ['run', '--help']); assert result.exit_code == 0, result.output; "
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'altair'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["run", "list", "report", "compare", "reproduce", "doctor", "data", "profile"])
def test_every_command_has_help_with_an_example(bench: Bench, command: str) -> None:
    arguments = [command, "--help"] if command != "data" else ["data", "show", "--help"]
    done = bench(*arguments)
    assert done.returncode == 0
    assert "Example" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--task", "captoning"], "Did you mean 'captioning'?"),
        (["run", "--task", "captioning", "--preset", "smal"], "Did you mean 'small'?"),
        (["run", "--task", "captioning", "--set", "train.epoch=2"], "Did you mean 'train.epochs'?"),
        (["run", "--task", "captioning", "--resume"], "--resume needs --out"),
        (["list", "model"], "Did you mean 'models'?"),
        (["data", "show", "openmoij"], "Did you mean 'openmoji'?"),
        (["data", "show", "openmoji", "--variant", "easy"], "Available: compositional, hard"),
        (["report", "nowhere"], "nowhere"),
        (["compare", "nowhere", "neither"], "nowhere"),
        (["profile", "smal"], "Did you mean 'small'?"),
        (["profile", "smoke", "--model", "both"], "One contestant on one task is profiled at a time"),
        (["profile", "smoke", "--trace", "missing/step.json"], "there is no folder missing"),
        (["profile", ".", "--set", "seed=1"], "a run has its own settings"),
    ],
)
def test_a_wrong_name_is_refused_with_exit_code_2_and_no_traceback(
    bench: Bench, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = bench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir()), "a refused command leaves nothing behind"


def test_a_folder_that_holds_another_run_is_refused_and_left_alone(bench: Bench, smoke_run: Path) -> None:
    before = (smoke_run / "run.json").read_bytes()
    arguments = ("--task", "captioning", "--preset", "smoke", "--out", smoke_run)
    done = bench("run", *arguments)
    assert done.returncode == 2
    assert "holds a run already" in done.stderr
    other = bench("run", *arguments, "--resume", "--set", "train.learning_rate=0.5")
    assert other.returncode == 2
    assert "train.learning_rate: 0.001 there, 0.5 asked for" in other.stderr
    assert (smoke_run / "run.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["corrupt", "missing"])
def test_a_damaged_picture_stops_the_run_before_training_and_names_file_and_fix(
    bench: Bench, data_cache: Path, smoke_run: Path, tmp_path: Path, damage: str
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(data_cache, cache)
    picture = next((cache / "openmoji").rglob("1F600.png"))
    if damage == "corrupt":
        picture.write_bytes(picture.read_bytes()[:100])
    else:
        picture.unlink()
    out = tmp_path / "run"
    done = bench("run", "--task", "captioning", "--preset", "smoke", "--out", out, BIMODAL_CACHE=str(cache))
    assert done.returncode == 2
    assert "1F600.png" in done.stderr
    assert "bench data get openmoji --force" in done.stderr
    assert not (out / "cells").exists()
    assert bench("data", "get", "openmoji", "--force", BIMODAL_CACHE=str(cache)).returncode == 0
    assert bench("data", "show", "openmoji", BIMODAL_CACHE=str(cache)).returncode == 0


def test_a_report_is_built_again_from_the_files_of_the_run(bench: Bench, smoke_run: Path, tmp_path: Path) -> None:
    done = bench("report", smoke_run, "--out", tmp_path / "again.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.html").read_text() == (smoke_run / "report.html").read_text()


def test_a_run_compared_with_itself_differs_by_nothing(bench: Bench, smoke_run: Path) -> None:
    done = bench("compare", smoke_run, smoke_run, "--json")
    rows = json.loads(done.stdout)
    assert {row["metric"] for row in rows} >= {"bleu", "chrf", "bits_per_byte"}
    assert {row["cell"] for row in rows} == {"captioning.openmoji.gpt.s0", "captioning.openmoji.multimodal.s0"}
    assert all(row["difference"] == 0 and row["ci95"] == [0, 0] for row in rows)


def test_a_card_shows_licence_splits_and_samples(bench: Bench, smoke_run: Path, data_cache: Path) -> None:
    done = bench("data", "show", "openmoji", "--samples", "2")
    record = load_dataset_record(data_cache)
    assert "CC BY-SA 4.0" in done.stdout
    assert record["fingerprint"] in done.stdout
    assert json.loads(bench("data", "show", "openmoji", "--json").stdout) == record


def load_dataset_record(data_cache: Path) -> dict[str, object]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIMODAL_CACHE", str(data_cache))
        return load_dataset(DataConfig(name="openmoji"), lambda *_: None).record.model_dump(mode="json")


@pytest.mark.parametrize("what", ["tasks", "models", "datasets", "presets", "kernels", "settings"])
def test_lists_are_names_with_summaries(bench: Bench, what: str) -> None:
    names = json.loads(bench("list", what, "--json").stdout)
    assert names
    assert all(names.values()) or what == "settings"


def test_json_output_is_json_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    arguments = ("--task", "captioning", "--model", "gpt", "--preset", "smoke", "--set", "train.epochs=1")
    done = bench("run", *arguments, "--out", tmp_path / "run", "--json")
    answer = json.loads(done.stdout)
    assert answer["status"] == "ok"
    assert answer["cells"]["captioning.openmoji.gpt.s0"]["metrics"]["bits_per_byte"] > 0


def test_the_doctor_finds_nothing_wrong_and_says_what_is_used(bench: Bench) -> None:
    done = bench("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 0
    assert findings["torch"]["status"] == "ok"
    assert {"threads", "cache", "kernel sdpa", "data openmoji"} <= set(findings)
