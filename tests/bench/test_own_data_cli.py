"""Own data from the command line: checked, trained on, and what was left out is in result and report."""

import json
from pathlib import Path

import pytest

from bimodal.cli.data import own_data_settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine") / "tweets"
    folder.mkdir()
    for name, numbers in (("train", range(24)), ("dev", range(24, 32)), ("test", range(32, 40))):
        rows = "".join(f"Ann{n}\tB-PER\nlikes\tO\nRome\tB-LOC\n\n" for n in numbers)
        (folder / f"{name}.conll").write_text(rows)
    return folder


@pytest.fixture(scope="module")
def spoilt(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    copy = tmp_path_factory.mktemp("spoilt") / "tweets"
    shutil.copytree(folder, copy)
    with (copy / "train.conll").open("a") as stream:
        stream.write("<b>Zoe</b>\tI-PER\n\n")
    return copy


def test_a_sound_folder_passes_the_check(bench, folder: Path) -> None:
    done = bench("data", "check", folder, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["format"], found["skipped"]) == ("wnut", 0)
    assert {split: row["examples"] for split, row in found["splits"].items()} == {
        "train": 24,
        "validation": 8,
        "test": 8,
    }


def test_a_spoilt_folder_fails_the_check_and_says_where(bench, spoilt: Path) -> None:
    done = bench("data", "check", spoilt)
    assert done.returncode == 2
    assert "1 rows cannot be used" in done.stdout
    assert "train.conll, line 97: I-PER goes on with nothing" in done.stdout


def test_a_run_stops_at_a_bad_row_unless_it_is_to_be_skipped(bench, spoilt: Path, tmp_path: Path) -> None:
    tiny = ("--set", "train.epochs=1", "--set", "measure.requests=2", "--set", "data.train_limit=8")
    command = ("run", "--task", "ner", "--data", spoilt, "--model", "gpt", "--preset", "smoke", *tiny)
    stopped = bench(*command, "--out", tmp_path / "a")
    assert stopped.returncode == 2
    assert "I-PER goes on with nothing" in stopped.stderr
    done = bench(*command, "--out", tmp_path / "b", "--on-bad-example", "skip")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "b" / "run.json").read_text())
    assert manifest["datasets"][0]["skipped"] == 1
    assert (tmp_path / "b" / "cells" / "ner.folder.gpt.s0" / "result.json").exists()
    report = (tmp_path / "b" / "report.html").read_text()
    assert "1 rows that could not be used" in report
    assert "<b>Zoe" not in report


def test_a_folder_is_refused_where_none_is_read(bench, folder: Path) -> None:
    done = bench("run", "--task", "ner", "--dataset", "names", "--data", folder)
    assert done.returncode == 2
    assert "'names' reads no folder: leave --data out" in done.stderr
    done = bench("run", "--task", "ner", "--dataset", "folder")
    assert done.returncode == 2
    assert "'folder' needs a folder: pass --data DIR" in done.stderr


def test_a_folder_is_kept_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert own_data_settings("2015", "coco", None) == (f"data.path={tmp_path / '2015'}", "data.format=coco")
