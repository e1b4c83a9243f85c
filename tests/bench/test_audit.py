"""`bench audit`: a model that ignores its picture loses exactly nothing; one that does not, something."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bimodal import store
from bimodal.audit import audit
from bimodal.console import SilentWatcher
from bimodal.errors import DataError, UsageError
from bimodal.publish import Run, load_run
from bimodal.schema import AuditDrop, CellResult

from .conftest import Bench


@pytest.fixture(autouse=True)
def _prepared_data(data_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIMODAL_CACHE", str(data_cache))


def multimodal_of(run: Run) -> tuple[CellResult, store.CellDirectory]:
    result = next(result for result in run.results if result.config.contestant == "multimodal")
    return result, run.directory.cell(result.config)


def with_gates(run: Run, gate: Callable[[float], float]) -> None:
    """Change every gate of the stored checkpoint, and let the result vouch for it."""
    result, files = multimodal_of(run)
    weights = store.load_weights(files.checkpoint)
    changed = {
        name: tensor.clone().apply_(gate) if name.endswith("cross.gate") else tensor for name, tensor in weights.items()
    }
    store.save_weights(files.checkpoint, changed)
    assert result.train is not None
    trained = result.train.model_copy(update={"weights_sha256": store.weights_sha256(changed)})
    store.write_json(files.result, result.model_copy(update={"train": trained}))


@pytest.fixture
def copied(tiny_ladder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_ladder, tmp_path / "run")


def drops_of(path: Path) -> tuple[AuditDrop, ...]:
    (task,) = audit(load_run(path), SilentWatcher(), device="cpu").tasks
    assert task.audit is not None
    return task.audit.drops


def test_a_model_whose_gates_are_closed_loses_exactly_nothing(copied: Path) -> None:
    with_gates(load_run(copied), lambda _: 0.0)
    drops = drops_of(copied)
    assert {drop.probe for drop in drops} == {"deranged", "blank", "noise", "dropped"}
    assert {drop.metric for drop in drops} == {"bleu", "bits_per_byte"}
    for drop in drops:
        assert (drop.drop, drop.ci95) == (0.0, (0.0, 0.0))
        assert drop.helped == drop.hurt == ()


def test_a_model_whose_gates_are_open_is_changed_by_every_probe(copied: Path) -> None:
    with_gates(load_run(copied), lambda _: 1.0)
    drops = [drop for drop in drops_of(copied) if drop.metric == "bits_per_byte"]
    assert len(drops) == 4
    assert all(drop.drop != 0.0 for drop in drops)


def test_an_audit_says_whether_it_saw_the_answers_of_the_run_again(tiny_ladder: Path, bench: Bench) -> None:
    done = bench("audit", tiny_ladder, "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    (found,) = json.loads(done.stdout)["audit"]
    assert found["not_reproduced"] == []
    assert {drop["contestant"] for drop in found["drops"]} == {"multimodal"}  # the blank one sees nothing
    assert "Does it use what it perceives?" in (tiny_ladder / "report.html").read_text()


def test_what_was_probed_is_not_probed_again(copied: Path) -> None:
    drops_of(copied)
    _, files = multimodal_of(load_run(copied))
    before = {path.name: path.stat().st_mtime_ns for path in files.audit.parent.iterdir()}
    drops_of(copied)
    assert {path.name: path.stat().st_mtime_ns for path in files.audit.parent.iterdir()} == before


def test_another_checkpoint_than_the_one_tested_is_refused(copied: Path) -> None:
    run = load_run(copied)
    _, files = multimodal_of(run)
    weights = store.load_weights(files.checkpoint)
    store.save_weights(files.checkpoint, {name: tensor + 1 for name, tensor in weights.items()})
    with pytest.raises(DataError, match="is not the checkpoint that"):
        audit(run, SilentWatcher(), device="cpu")


def test_other_data_than_the_run_was_tested_on_is_refused(copied: Path) -> None:
    run = load_run(copied)
    (record,) = run.manifest.datasets
    changed = run.manifest.model_copy(update={"datasets": (record.model_copy(update={"fingerprint": "other"}),)})
    with pytest.raises(DataError, match="openmoji has changed since this run was made"):
        audit(Run(run.directory, changed, run.results), SilentWatcher(), device="cpu")


def test_a_run_without_anybody_who_sees_cannot_be_audited(copied: Path) -> None:
    run = load_run(copied)
    blind = Run(run.directory, run.manifest, tuple(r for r in run.results if r.config.model.name == "gpt"))
    with pytest.raises(UsageError, match="perceives more than text"):
        audit(blind, SilentWatcher())
