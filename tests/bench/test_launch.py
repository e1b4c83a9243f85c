"""launch: a folder that is filled between the first look and the lock."""

from pathlib import Path

import pytest

from bimodal import launch as module
from bimodal.config import Request, plan
from bimodal.console import SilentWatcher
from bimodal.errors import UsageError
from bimodal.store import RunDirectory


def test_a_run_that_appears_while_we_wait_for_the_lock_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lock_after_another_process(directory: RunDirectory, watcher: module.Watcher) -> object:
        directory.manifest.write_text("another run's")
        return directory.lock()

    monkeypatch.setattr(module, "_lock", lock_after_another_process)
    cells = plan(Request("captioning", preset="smoke"))
    with pytest.raises(UsageError, match="holds a run already"):
        module.launch(cells, tmp_path / "run", run_id="r", command="bench run", resume=False, watcher=SilentWatcher())
    assert (tmp_path / "run" / "run.json").read_text() == "another run's"
