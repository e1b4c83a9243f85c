import fcntl
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from bimodal import store
from bimodal.errors import UsageError
from bimodal.schema import DataConfig, Manifest, ModelConfig, RunConfig, TrainConfig


def config(model: str = "gpt", seed: int = 0, **train: Any) -> RunConfig:
    return RunConfig(
        task="captioning",
        preset="smoke",
        seed=seed,
        data=DataConfig(name="openmoji"),
        model=ModelConfig(name=model),
        train=TrainConfig(**train),
    )


@pytest.fixture
def run(tmp_path: Path) -> store.RunDirectory:
    """A folder that holds a run of two cells."""
    directory = store.RunDirectory(tmp_path / "run")
    manifest = Manifest(
        run_id="r",
        command="bench run",
        created_at="2026-01-31T00:00:00+00:00",
        tasks=(),
        datasets=(),
        cells=(config("gpt"), config("multimodal")),
        environment={},
    )
    store.write_json(directory.manifest, manifest)
    return directory


class TestLayout:
    def test_the_files_of_the_contract(self) -> None:
        run = store.RunDirectory(Path("r"))
        cell = run.cell(config("multimodal", seed=2))
        assert [run.manifest, run.comparison, run.report] == [
            Path("r/run.json"),
            Path("r/comparison.json"),
            Path("r/report.html"),
        ]
        assert cell.path == Path("r/cells/captioning.openmoji.multimodal.s2")
        names = [cell.config, cell.result, cell.predictions, cell.train_log, cell.timings, cell.checkpoint]
        assert [str(path.relative_to(cell.path)) for path in names] == [
            "config.json",
            "result.json",
            "predictions.jsonl",
            "train.jsonl",
            "timings.json",
            "checkpoint/model.safetensors",
        ]
        assert cell.probe_predictions("deranged").name == "predictions.deranged.jsonl"

    def test_every_path_is_its_own(self) -> None:
        cell = store.CellDirectory(Path("c"))
        paths = [
            cell.config,
            cell.result,
            cell.predictions,
            cell.probe_predictions("p"),
            cell.train_log,
            cell.timings,
            cell.log,
            cell.checkpoint,
            cell.tokenizer,
            cell.training_state,
        ]
        assert len(set(paths)) == len(paths)

    def test_a_run_id_is_readable_and_sorts_by_time(self) -> None:
        noon = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
        first = store.new_run_id("captioning", "both", "small", noon)
        later = store.new_run_id("captioning", "both", "base", noon + timedelta(seconds=1))
        assert first == "20260131-120000-captioning-both-small"
        assert first < later

    def test_a_run_id_is_in_utc(self) -> None:
        evening = datetime(2026, 1, 31, 23, 0, 0, tzinfo=timezone(timedelta(hours=-5)))
        assert store.new_run_id("t", "m", "p", evening).startswith("20260201-040000")


class TestOpening:
    def test_a_new_folder_is_made(self, tmp_path: Path) -> None:
        store.open_run(store.RunDirectory(tmp_path / "a" / "b"), [config()], resume=False)
        assert (tmp_path / "a" / "b").is_dir()

    def test_an_empty_folder_or_one_with_our_own_left_overs_will_do(self, tmp_path: Path) -> None:
        (tmp_path / ".lock").touch()
        (tmp_path / ".run.json.12.ab.tmp").touch()
        store.open_run(store.RunDirectory(tmp_path), [config()], resume=False)

    def test_a_folder_with_a_run_is_kept(self, run: store.RunDirectory) -> None:
        with pytest.raises(UsageError, match=r"holds a run already.*--resume.*--out"):
            store.open_run(run, [config()], resume=False)

    @pytest.mark.parametrize("name", ["thesis.tex", ".git"])
    def test_a_folder_with_other_files_is_kept(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        with pytest.raises(UsageError, match=rf"not empty \(it holds '{name}'\).*--out"):
            store.open_run(store.RunDirectory(tmp_path), [config()], resume=False)

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        with pytest.raises(UsageError, match=r"is a file\. Choose a folder"):
            store.open_run(store.RunDirectory(tmp_path / "a"), [config()], resume=False)

    def test_nothing_to_resume(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no run to resume in .*Leave out --resume"):
            store.open_run(store.RunDirectory(tmp_path), [config()], resume=True)

    def test_the_same_cells_may_be_resumed(self, run: store.RunDirectory) -> None:
        store.open_run(run, [config("gpt"), config("multimodal")], resume=True)

    def test_other_settings_are_named_once_with_both_values(self, run: store.RunDirectory) -> None:
        planned = [config("gpt", epochs=3), config("multimodal", epochs=3)]
        with pytest.raises(UsageError, match=r"train\.epochs: 10 there, 3 asked for\. Repeat") as caught:
            store.open_run(run, planned, resume=True)
        assert str(caught.value).count("train.epochs") == 1

    def test_cells_that_come_and_go_are_named(self, run: store.RunDirectory) -> None:
        with pytest.raises(UsageError, match=r"multimodal\.s0: not part of this command; .*gpt\.s1: not part"):
            store.open_run(run, [config("gpt"), config("gpt", seed=1)], resume=True)

    def test_differing_settings_are_dotted(self) -> None:
        assert store.differing_settings(config(seed=0), config(seed=1, batch_size=2)) == {
            "seed": (0, 1),
            "train.batch_size": (64, 2),
        }


class TestLock:
    def test_a_second_one_is_refused(self, run: store.RunDirectory) -> None:
        with run.lock(), pytest.raises(UsageError, match="in use: another `bench` process is working there"):
            run.lock()

    def test_it_can_be_taken_again_after_release(self, run: store.RunDirectory) -> None:
        with run.lock():
            pass
        with run.lock():
            pass

    def test_another_process_is_refused(self, run: store.RunDirectory) -> None:
        code = (
            "import sys; from pathlib import Path; from bimodal import store\n"
            "try: store.RunDirectory(Path(sys.argv[1])).lock()\n"
            "except store.StorageError: raise\n"
            "except ValueError as error: print(error)\n"
        )
        command = [sys.executable, "-c", code, str(run.path)]
        with run.lock():
            assert "in use" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""

    def test_it_lives_until_the_last_child_is_gone(self, run: store.RunDirectory) -> None:
        lock = run.lock()
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
        lock.release()
        with pytest.raises(UsageError, match="in use"):
            run.lock()
        child.communicate()
        with run.lock():
            pass

    def test_waiting_ends_when_it_is_free(self, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from bimodal import store\n"
            "lock = store.FileLock.acquire(Path(sys.argv[1])); print('mine', flush=True); sys.stdin.read()\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "lock")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "mine\n"
            assert store.FileLock.try_acquire(tmp_path / "lock") is None
            other.communicate()
        with store.FileLock.acquire(tmp_path / "lock") as lock:
            assert fcntl.fcntl(lock.descriptor, fcntl.F_GETFD) & fcntl.FD_CLOEXEC == 0
