import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bimodal import environment, provenance
from bimodal.errors import UsageError


@pytest.fixture
def restored() -> Iterator[None]:
    """Put torch's global settings back."""
    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    cudnn = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = cudnn


def test_a_derived_seed_is_pinned() -> None:
    assert environment.derive_seed(0, "a", 1) == 5352727647617221297


def test_derived_seeds_differ_by_seed_and_by_every_label() -> None:
    calls = [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2), (0, "a1"), (0, "a", "1")]
    seeds = {environment.derive_seed(*call) for call in calls}
    assert len(seeds) == len(calls)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeding_repeats_all_three_generators() -> None:
    def numbers() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    environment.seed_everything(5)
    first = numbers()
    environment.seed_everything(5)
    assert numbers() == first
    environment.seed_everything(6)
    assert not set(numbers()) & set(first)


@pytest.mark.usefixtures("restored")
def test_determinism_is_on_and_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    flags = environment.make_deterministic()
    assert torch.are_deterministic_algorithms_enabled()
    assert flags == {
        "deterministic_algorithms": True,
        "cudnn_deterministic": True,
        "cudnn_benchmark": False,
        "cublas_workspace_config": ":4096:8",
    }


def test_who_is_measured_imports_neither_a_compiler_nor_statistics() -> None:
    check = """
import sys
from bimodal import environment, registry
import bimodal.measure.worker
environment.make_deterministic()
registry.load_task("captioning")
print([name for name in ("torch._dynamo", "torch._inductor", "scipy.special") if name in sys.modules])
"""
    said = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


@pytest.mark.usefixtures("restored")
def test_the_users_workspace_setting_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    assert environment.make_deterministic()["cublas_workspace_config"] == ":16:8"


def test_determinism_after_cuda_was_used_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match=r"CUDA was in use before make_deterministic\(\)"):
        environment.make_deterministic()


@pytest.mark.usefixtures("restored")
def test_threads_are_pinned() -> None:
    assert environment.pin_threads(1) == torch.get_num_threads() == 1


@pytest.mark.usefixtures("restored")
def test_the_default_is_one_thread_per_usable_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "physical_cores", lambda: 3)
    assert environment.pin_threads(None) == torch.get_num_threads() == 3


def test_no_threads_are_refused() -> None:
    with pytest.raises(UsageError, match="threads is 0; it must be at least 1"):
        environment.pin_threads(0)


def test_cores_are_limited_by_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance.psutil, "cpu_count", lambda logical: 8)
    monkeypatch.setattr(provenance.os, "sched_getaffinity", lambda pid: {0, 1, 2}, raising=False)
    assert environment.physical_cores() == 3


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("name", "device"), [("auto", "cuda:0"), ("cuda", "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")]
)
def test_devices_by_name(name: str, device: str) -> None:
    assert environment.resolve_device(name) == torch.device(device)


@pytest.mark.usefixtures("two_gpus")
def test_a_gpu_too_many_says_what_is_there() -> None:
    with pytest.raises(UsageError, match="'cuda:2' is not available here; there is cuda:0, cuda:1, cpu"):
        environment.resolve_device("cuda:2")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"Device '{name}' is not available here; there is cpu. .*--device auto"):
        environment.resolve_device(name)


@pytest.mark.usefixtures("no_gpu")
def test_auto_falls_to_the_cpu() -> None:
    assert environment.resolve_device("auto") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:-1", "cuda:", "", "cpu:0"])
def test_an_unknown_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"Unknown device '{name}'. Allowed: auto, cpu, cuda, cuda:N, mps"):
        environment.resolve_device(name)


def test_provenance_works_without_torch() -> None:
    code = (
        "import json, sys; from bimodal import environment\n"
        "record = environment.provenance(); assert 'torch' not in sys.modules; print(json.dumps(record))"
    )
    record = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
    assert torch.__version__.startswith(record["packages"]["torch"])
    assert record["machine"]["memory_bytes"] > 2**28
    assert record["machine"]["cpu"]
    assert record["python"].startswith("3.")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two sources that stands for all of ours."""
    folder = tmp_path / "fivefold"
    (folder / "csrc").mkdir(parents=True)
    (folder / "a.py").write_text("1")
    (folder / "csrc" / "k.cu").write_text("2")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(provenance, "CODE_PACKAGES", ("fivefold",))
    return folder


def test_the_code_fingerprint_sees_contents_and_names(code: Path) -> None:
    seen = {environment.code_fingerprint()}
    (code / "a.py").write_text("1 ")
    seen.add(environment.code_fingerprint())
    (code / "a.py").rename(code / "b.py")
    seen.add(environment.code_fingerprint())
    (code / "csrc" / "k.cu").write_text("3")
    seen.add(environment.code_fingerprint())
    assert len(seen) == 4


def test_the_code_fingerprint_ignores_what_is_no_source(code: Path) -> None:
    before = environment.code_fingerprint()
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"x")
    (code / "notes.txt").write_text("x")
    assert environment.code_fingerprint() == before


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository laid out as ours, with one commit."""
    package = tmp_path / "repo" / "bench" / "bimodal"
    package.mkdir(parents=True)
    (package / "a.py").write_text("1")
    git(tmp_path / "repo", "init", "-q")
    git(tmp_path / "repo", "add", ".")
    git(tmp_path / "repo", "commit", "-q", "-m", "first")
    return package


def test_a_clean_checkout_has_a_revision(checkout: Path) -> None:
    state = provenance.git_state(checkout)
    assert len(state["git_revision"]) == 40
    assert state["git_dirty"] is False


def test_a_changed_checkout_is_dirty(checkout: Path) -> None:
    (checkout / "a.py").write_text("2")
    assert provenance.git_state(checkout)["git_dirty"] is True


def test_an_installed_package_inside_somebody_elses_repository_has_no_revision(checkout: Path) -> None:
    installed = checkout.parents[1] / "site-packages" / "bimodal"
    installed.mkdir(parents=True)
    assert provenance.git_state(installed) == {"git_revision": None, "git_dirty": None}


def test_a_program_that_is_not_there_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert provenance.gpu_names() == []
    assert provenance.git_state(Path(provenance.__file__).parent)["git_revision"] is None
