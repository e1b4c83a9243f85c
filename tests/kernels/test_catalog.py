import subprocess
import sys

import pytest
import torch

from bimodal_kernels import BACKENDS, KernelChoice, choose_backend, loader
from bimodal_kernels.catalog import limit


def choose(name: str, device: str = "cpu", dtype: torch.dtype = torch.float32, head_dims=(64,)) -> KernelChoice:
    return choose_backend(name, device=device, dtype=dtype, head_dims=head_dims)


@pytest.fixture
def obstacles(monkeypatch):
    """What `loader.obstacle` answers per library; nothing is compiled."""
    answers: dict[str, str | None] = {"native": None, "cuda": None}
    monkeypatch.setattr(loader, "obstacle", lambda name, say: answers[name])
    return answers


def test_auto_takes_native_on_a_cpu_and_says_what_it_passed_over(obstacles):
    choice = choose("auto")
    assert (choice.requested, choice.name) == ("auto", "native")
    assert choice.reason == (
        "auto: the first that serves cpu, float32, head_dim 64 (cuda: serves cuda devices, not cpu)"
    )


def test_auto_takes_sdpa_where_native_cannot_be_had(obstacles):
    obstacles["native"] = "no C++ compiler: g++ is not on PATH"
    choice = choose("auto")
    assert choice.name == "sdpa"
    assert choice.reason.endswith("; native: no C++ compiler: g++ is not on PATH)")


@pytest.mark.parametrize("name", ["native", "sdpa", "reference"])
def test_backend_asked_for_by_name_is_used(name, obstacles):
    assert choose(name) == KernelChoice(name, name, "asked for by name; serves cpu, float32, head_dim 64")


def test_fallback_is_recorded(obstacles):
    obstacles["native"] = "compiling failed: bind.cpp:1: error"
    reason = "native: compiling failed: bind.cpp:1: error; used sdpa"
    assert choose("native") == KernelChoice("native", "sdpa", reason)


@pytest.mark.parametrize(
    ("name", "request_", "reason"),
    [
        ("cuda", ("cpu", torch.float16, 64), "serves cuda devices, not cpu"),
        ("cuda", ("cuda", torch.float32, 64), "serves float16 and bfloat16, not float32"),
        ("cuda", ("cuda", torch.bfloat16, 32), "serves head_dim 64 and 128, not 32"),
        ("cuda", ("cuda", torch.bfloat16, 128), None),
        ("native", ("cuda", torch.float32, 64), "serves cpu devices, not cuda"),
        ("native", ("cpu", torch.float16, 64), "serves float32 and bfloat16, not float16"),
        ("native", ("cpu", torch.float64, 64), "serves float32 and bfloat16, not float64"),
        ("native", ("cpu", torch.bfloat16, 257), "serves head_dim 1 to 256, not 257"),
        ("native", ("cpu", torch.bfloat16, 256), None),
        ("sdpa", ("mps", torch.float64, 500), None),
        ("reference", ("cpu", torch.float16, 1), None),
        ("cuda", ("cuda", torch.bfloat16, 64, -0.125), "serves scales above 0, not -0.125"),
        ("native", ("cpu", torch.float32, 64, -0.125), None),
    ],
)
def test_limits(name, request_, reason):
    assert limit(name, *request_) == reason


def test_every_width_of_head_must_be_served(obstacles):
    choice = choose("native", head_dims=(64, 300))
    assert (choice.name, choice.reason) == ("sdpa", "native: serves head_dim 1 to 256, not 300; used sdpa")


@pytest.mark.parametrize(
    ("available", "capability", "name", "said"),
    [
        (True, (9, 0), "cuda", "asked for by name; serves cuda:0, bfloat16, head_dim 64"),
        (True, (7, 5), "sdpa", "cuda: serves sm_80 and newer, not sm_75; used sdpa"),
        (False, (9, 0), "sdpa", "cuda: torch sees no CUDA device; used sdpa"),
    ],
)
def test_gpu_is_looked_at(monkeypatch, obstacles, available, capability, name, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    choice = choose("cuda", device="cuda:0", dtype=torch.bfloat16)
    assert (choice.name, choice.reason) == (name, said)


def test_unknown_backend_is_refused_with_the_allowed_names():
    with pytest.raises(ValueError, match=r"Unknown kernel 'flash'. Available: auto, cuda, native, sdpa, reference"):
        choose("flash")


def test_every_backend_has_a_one_line_summary():
    assert all(summary and "\n" not in summary for summary in BACKENDS.values())


def test_names_and_building_are_known_without_torch():
    code = "import sys, bimodal_kernels.build; assert bimodal_kernels.BACKENDS; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
