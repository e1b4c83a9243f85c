"""`own(NAME)`: a folder in that format, written fresh; `load`: the data set of a folder."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bimodal.schema import DataConfig
from bimodal.types import Dataset
from bimodal_tasks.datasets.folder import SOURCE

_SPEC = importlib.util.spec_from_file_location("own_folders", Path(__file__).with_name("folders.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
folders = sys.modules.setdefault("own_folders", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(folders)


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        folders.FOLDERS[name](folder)
        return folder

    return make


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Dataset]:
    def load(folder: Path, **options: object) -> Dataset:
        data = DataConfig.model_validate({"name": "folder", "path": str(folder), **options})
        return SOURCE.load(data, tmp_path / "cache", lambda *_: None)

    return load
