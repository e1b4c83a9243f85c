import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bimodal import store
from bimodal.errors import DataError
from bimodal.schema import DataConfig, ModelConfig, PredictionRow, RunConfig


def row(identifier: str, prediction: str = "b") -> PredictionRow:
    return PredictionRow(id=identifier, text="", target="a", prediction=prediction, target_bits=1.5, target_bytes=1)


def config(seed: int = 0) -> RunConfig:
    return RunConfig(
        task="captioning",
        preset="smoke",
        seed=seed,
        data=DataConfig(name="openmoji"),
        model=ModelConfig(name="gpt"),
    )


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    store.write_json(path, config())
    return path


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is opened for writing lies on /dev/full, where the kernel answers ENOSPC."""
    really_open = Path.open

    def open_full(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if "x" in mode or "a" in mode:
            path.touch()
            return really_open(Path("/dev/full"), "wb", *arguments, **options)
        return really_open(path, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_full)


class TestWriting:
    def test_a_record_comes_back(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "folder" / "config.json"
        store.write_json(path, config(seed=3))
        assert store.read_record(path, RunConfig) == config(seed=3)

    def test_rows_come_back(self, tmp_path: Path) -> None:
        rows = (row("1"), row("2", "line\u2028separator\r\nand ü"))
        store.write_jsonl(tmp_path / "p.jsonl", rows)
        assert store.read_jsonl(tmp_path / "p.jsonl", PredictionRow) == rows

    def test_what_was_there_stays_when_writing_fails(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        store.write_json(path, {"a": 1})
        with pytest.raises(ValueError, match="not JSON compliant"):
            store.write_json(path, {"a": float("nan")})
        with pytest.raises(TypeError), store.replacing(path) as file:
            file.write(b"half".decode())  # type: ignore[arg-type]
        assert json.loads(path.read_text()) == {"a": 1}
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]

    def test_a_file_appears_only_at_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "a"
        with store.replacing(path) as file:
            file.write(b"whole")
            assert not path.exists()
        assert path.read_bytes() == b"whole"

    def test_others_may_read_what_we_may_share(self, tmp_path: Path) -> None:
        old = os.umask(0o022)
        try:
            store.write_text(tmp_path / "a", "x")
        finally:
            os.umask(old)
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


@pytest.mark.usefixtures("full_disk")
class TestFullDisk:
    MESSAGE = r"Cannot write .*{}: the disk is full \(\d+ bytes free in .*kept.*--resume"

    def test_text(self, tmp_path: Path) -> None:
        with pytest.raises(store.StorageError, match=self.MESSAGE.format("report.html")):
            store.write_text(tmp_path / "report.html", "x" * 100_000)
        assert list(tmp_path.iterdir()) == []

    def test_rows(self, tmp_path: Path) -> None:
        with pytest.raises(store.StorageError, match=self.MESSAGE.format("p.jsonl")):
            store.write_jsonl(tmp_path / "p.jsonl", [row("1")])
        assert list(tmp_path.iterdir()) == []

    def test_weights(self, tmp_path: Path) -> None:
        with pytest.raises(store.StorageError, match=self.MESSAGE.format("model.safetensors")):
            store.save_weights(tmp_path / "model.safetensors", {"w": torch.zeros(100_000)})
        assert list(tmp_path.iterdir()) == []

    def test_training_state(self, tmp_path: Path) -> None:
        with pytest.raises(store.StorageError, match=self.MESSAGE.format("state.pt")):
            store.save_state(tmp_path / "state.pt", {"w": torch.zeros(100_000)})
        assert list(tmp_path.iterdir()) == []

    def test_log(self, tmp_path: Path) -> None:
        with pytest.raises(store.StorageError, match=self.MESSAGE.format("train.jsonl")):
            store.JsonlLog(tmp_path / "train.jsonl").append({"step": 1})

    def test_exit_code_is_that_of_a_failed_cell(self) -> None:
        assert store.StorageError.exit_code == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_spent_quota_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(store.StorageError, match="the disk is full"):
        store.write_text(tmp_path / "a", "x")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, target: Path) -> Path:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(store.StorageError, match=r"Cannot write .*Permission denied.*--out"):
        store.write_text(tmp_path / "a", "x")


def test_other_failures_are_not_dressed_up(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        store.write_text(tmp_path / "a", "x")


class TestReading:
    def test_a_missing_record(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"run\.json does not exist\. Is this the folder of a run"):
            store.read_record(tmp_path / "run.json", RunConfig)

    def test_a_record_cut_short(self, record: Path) -> None:
        record.write_bytes(record.read_bytes()[:100])
        with pytest.raises(DataError, match=r"config\.json is not JSON .*repeat the run with --resume"):
            store.read_record(record, RunConfig)

    def test_a_record_of_another_schema(self, record: Path) -> None:
        record.write_text(json.dumps(json.loads(record.read_text()) | {"schema_version": 7}))
        with pytest.raises(DataError, match=r"schema version 7; this bimodal reads version 1"):
            store.read_record(record, RunConfig)

    def test_a_record_with_a_wrong_value(self, record: Path) -> None:
        content = json.loads(record.read_text())
        content["train"]["epochs"] = 0
        record.write_text(json.dumps(content))
        with pytest.raises(DataError, match=r"not a valid RunConfig: train\.epochs: .*greater than 0"):
            store.read_record(record, RunConfig)

    def test_a_bad_row_is_named_by_its_line(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        store.write_jsonl(path, [row("1"), {"id": "2"}])
        with pytest.raises(DataError, match=r"p\.jsonl:2 is not a valid PredictionRow: text: Field required"):
            store.read_jsonl(path, PredictionRow)

    def test_missing_rows(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"p\.jsonl does not exist"):
            store.read_jsonl(tmp_path / "p.jsonl", PredictionRow)


class TestLog:
    def test_resuming_forgets_what_will_be_repeated(self, tmp_path: Path) -> None:
        log = store.JsonlLog(tmp_path / "train.jsonl")
        for step in (1, 2, 3):
            log.append({"step": step})
        again = store.JsonlLog.resume(log.path, lambda entry: bool(entry["step"] <= 2))
        again.append({"step": 3, "again": True})
        assert log.path.read_text() == '{"step": 1}\n{"step": 2}\n{"step": 3, "again": true}\n'

    @pytest.mark.parametrize("tail", [b'{"step": 2, "lo', b'{"step": 2}', b"\xff"])
    def test_a_last_line_without_its_end_is_dropped(self, tmp_path: Path, tail: bytes) -> None:
        path = tmp_path / "train.jsonl"
        path.write_bytes(b'{"step": 1}\n' + tail)
        store.JsonlLog.resume(path, lambda entry: True).append({"step": 2})
        assert path.read_text() == '{"step": 1}\n{"step": 2}\n'

    def test_damage_in_the_middle_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "train.jsonl"
        path.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
        with pytest.raises(DataError, match=r"train\.jsonl:2 is not JSON"):
            store.JsonlLog.resume(path, lambda entry: True)

    def test_a_new_log_needs_no_file(self, tmp_path: Path) -> None:
        store.JsonlLog.resume(tmp_path / "cell" / "train.jsonl", lambda entry: True).append({"step": 1})
        assert (tmp_path / "cell" / "train.jsonl").read_text() == '{"step": 1}\n'


def test_the_store_imports_no_torch() -> None:
    code = "import sys, bimodal.store; assert 'torch' not in sys.modules and 'safetensors' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
