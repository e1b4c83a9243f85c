"""`own(NAME)`: a folder in that format, written fresh; `load`: the data set of a folder."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from bimodal.schema import DataConfig
from bimodal.types import Dataset
from bimodal_tasks.datasets.folder import SOURCE


def _module(name: str, file: str) -> ModuleType:
    """A file beside this one, as a module of that name; the tests here are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


folders = _module("own_folders", "folders.py")
_module("own_spoil", "spoil.py")
for _path in sorted((Path(__file__).parent / "malformed").glob("*.py")):
    _module(f"own_malformed_{_path.stem}", f"malformed/{_path.name}")


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
