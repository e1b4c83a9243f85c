import subprocess
import sys

import pytest
import torch

from bimodal_kernels import BACKENDS, KernelChoice, choose_backend


def choose(name: str) -> KernelChoice:
    return choose_backend(name, device="cpu", dtype=torch.float32, head_dim=64)


def test_auto_takes_the_first_that_serves_and_says_what_it_passed_over():
    choice = choose("auto")
    assert (choice.requested, choice.name) == ("auto", "sdpa")
    assert choice.reason == (
        "auto: the first that serves cpu, float32, head_dim 64 "
        "(cuda: not built yet in this version; native: not built yet in this version)"
    )


@pytest.mark.parametrize("name", ["sdpa", "reference"])
def test_backend_asked_for_by_name_is_used(name):
    assert choose(name) == KernelChoice(name, name, "asked for by name; serves cpu, float32, head_dim 64")


@pytest.mark.parametrize("name", ["native", "cuda"])
def test_fallback_is_recorded(name):
    assert choose(name) == KernelChoice(name, "sdpa", f"{name}: not built yet in this version; used sdpa")


def test_unknown_backend_is_refused_with_the_allowed_names():
    with pytest.raises(ValueError, match=r"Unknown kernel 'flash'. Available: auto, cuda, native, sdpa, reference"):
        choose("flash")


def test_every_backend_has_a_one_line_summary():
    assert all(summary and "\n" not in summary for summary in BACKENDS.values())


def test_names_are_known_without_torch():
    code = "import sys, bimodal_kernels; assert bimodal_kernels.BACKENDS; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
