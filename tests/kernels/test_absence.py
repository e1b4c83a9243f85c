"""Machines that lack something: what is used instead, and what they are told. Each in a process of its own."""

import json
import os
import subprocess
import sys

CHOOSE = """
import json, sys
import torch
from bimodal_kernels import attention, choose_backend

requested, device, dtype = sys.argv[1:]
choice = choose_backend(requested, device=device, dtype=getattr(torch, dtype), head_dims=(64,))
tensors = torch.ones(3, 1, 2, 5, 64)
ran = attention(*tensors, backend=choice.name).shape == tensors[0].shape
print(json.dumps([choice.name, choice.reason, ran]))
"""


def choose(requested: str, tmp_path, *, device: str = "cpu", dtype: str = "float32", **environment: str) -> list:
    """What a fresh process with these variables chooses; its cache is empty."""
    command = [sys.executable, "-W", "ignore", "-c", CHOOSE, requested, device, dtype]
    variables = os.environ | {"BIMODAL_CACHE": str(tmp_path / "cache")} | environment
    done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_compilers(tmp_path) -> str:
    """A PATH on which nothing is found."""
    (tmp_path / "empty").mkdir()
    return str(tmp_path / "empty")


def test_without_a_cpp_compiler_auto_uses_sdpa_and_says_why(tmp_path):
    name, reason, ran = choose("auto", tmp_path, PATH=without_compilers(tmp_path))
    assert (name, ran) == ("sdpa", True)
    assert "native: no C++ compiler: g++ is not on PATH (install g++, or let CXX name a compiler)" in reason


def test_a_compiler_that_fails_is_told_in_one_line(tmp_path):
    fake = tmp_path / "bin" / "g++"
    fake.parent.mkdir()
    fake.write_text(
        '#!/bin/sh\ncase "$*" in *--version*|*-###*) echo fake 1.0;; *) echo "x.cpp:1: error: no" >&2; exit 1;; esac\n'
    )
    fake.chmod(0o755)
    name, reason, ran = choose("native", tmp_path, CXX=str(fake))
    assert (name, reason, ran) == ("sdpa", "native: compiling failed: x.cpp:1: error: no; used sdpa", True)


def test_without_a_gpu_cuda_uses_sdpa_and_says_why(tmp_path):
    name, reason, ran = choose("cuda", tmp_path, device="cuda:0", dtype="bfloat16", CUDA_VISIBLE_DEVICES="")
    assert (name, reason, ran) == ("sdpa", "cuda: torch sees no CUDA device; used sdpa", True)


WITH_A_GPU_IN_NAME = """
import torch
torch.cuda.is_available = lambda: True
torch.cuda.get_device_capability = lambda device: (9, 0)
from bimodal_kernels import choose_backend
print(choose_backend("cuda", device="cuda:0", dtype=torch.bfloat16, head_dims=(64,)).reason)
"""


def test_without_nvcc_cuda_uses_sdpa_and_says_why(tmp_path):
    variables = os.environ | {"PATH": without_compilers(tmp_path), "BIMODAL_CACHE": str(tmp_path / "cache")}
    variables.pop("CUDA_HOME", None)
    command = [sys.executable, "-c", WITH_A_GPU_IN_NAME]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=True)
    missing = "nvcc is not on PATH (install the CUDA toolkit, or let CUDA_HOME name its folder)"
    assert done.stdout.strip() == f"cuda: no CUDA compiler: {missing}; used sdpa"


def test_importing_and_listing_compile_nothing(tmp_path):
    code = "import bimodal_kernels, bimodal_kernels.dispatch; from bimodal.cli import app; app(['list', 'kernels'])"
    variables = os.environ | {"BIMODAL_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stderr
    assert "native" in done.stdout
    assert not (tmp_path / "cache").exists()
