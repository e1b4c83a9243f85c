"""registry: what is there is found by its module, without a table."""

import subprocess
import sys

import pytest

from bimodal import registry
from bimodal.errors import UsageError


def test_models_tasks_and_datasets_are_found_with_their_summaries() -> None:
    assert {"gpt", "multimodal"} <= set(registry.summaries("model"))
    assert "captioning" in registry.summaries("task")
    assert "openmoji" in registry.summaries("dataset")
    for kind in ("model", "task", "dataset"):
        assert all(registry.summaries(kind).values())


@pytest.mark.parametrize("name", sorted(registry.summaries("model")))
def test_a_model_carries_the_name_of_its_module(name: str) -> None:
    assert registry.load_model(name).name == name


@pytest.mark.parametrize("name", sorted(registry.summaries("task")))
def test_a_task_carries_the_name_of_its_module_and_of_a_data_set_that_exists(name: str) -> None:
    task = registry.load_task(name)
    assert task.name == name
    assert registry.load_source(task.default_dataset).name == task.default_dataset


@pytest.mark.parametrize("name", sorted(registry.summaries("dataset")))
def test_a_data_set_carries_the_name_of_its_module(name: str) -> None:
    assert registry.load_source(name).name == name


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"Unknown model 'gtp'. Did you mean 'gpt'\?"):
        registry.load_model("gtp")


def test_listing_names_imports_no_torch() -> None:
    code = "import sys; from bimodal import registry; registry.summaries('model'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
