import ctypes
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bimodal_kernels import build, recipe, toolchain
from bimodal_kernels.recipe import Recipe, Step
from bimodal_kernels.toolchain import KernelUnavailableError

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def small_recipe(source: Path) -> Recipe:
    """A library of one function, compiled by what `source` says."""
    compile_ = Step(("g++", "-fPIC", "-c", str(source)), "answer.o")
    return Recipe("small", (compile_,), ("g++", "-shared"), (), {"sources": source.read_text()})


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.setenv("BIMODAL_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "answer.cpp"
    path.write_text('extern "C" int answer() { return 42; }\n')
    monkeypatch.setattr(build, "RECIPES", {"small": lambda: small_recipe(path)})
    return path


def answer(library: Path) -> int:
    return ctypes.CDLL(str(library)).answer()


def leftovers(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "kernels").glob(".building-*"))


def test_compiles_once_and_then_finds_it(source, tmp_path):
    said = []
    first = build.ensure("small", said.append)
    again = build.ensure("small", said.append)
    assert (first.fresh, again.fresh) == (True, False)
    assert first.path == again.path == build.find(small_recipe(source))
    assert said == ["compiling the small kernels, once for this machine"]
    assert answer(first.path) == 42
    assert leftovers(tmp_path) == []


def test_changed_sources_are_another_entry(source):
    before = build.ensure("small").path
    source.write_text('extern "C" int answer() { return 43; }\n')
    after = build.ensure("small")
    assert after.fresh
    assert after.path != before
    assert answer(after.path) == 43


def test_tampered_library_is_built_again(source):
    library = build.ensure("small").path
    library.write_bytes(library.read_bytes()[:-1] + b"?")
    assert build.find(small_recipe(source)) is None
    assert build.ensure("small").fresh
    assert answer(library) == 42


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"sha256": "0"}'])
def test_damaged_record_makes_the_entry_none(source, damage):
    library = build.ensure("small").path
    library.with_suffix(".json").write_bytes(damage)
    assert build.ensure("small").fresh


def test_half_written_entry_is_built_again(source):
    library = build.ensure("small").path
    library.with_suffix(".json").unlink()  # killed between the library and its record
    library.write_bytes(library.read_bytes()[:100])
    assert build.ensure("small").fresh
    assert answer(library) == 42


def test_record_says_what_the_library_is_made_of(source):
    record = json.loads(build.ensure("small").path.with_suffix(".json").read_bytes())
    assert record["sources"] == source.read_text()
    assert record["seconds"] >= 0


def test_compile_error_is_one_line_and_leaves_nothing(source, tmp_path):
    source.write_text("int answer() { return nonsense; }\n")
    with pytest.raises(KernelUnavailableError, match=r"^compiling failed: .*answer.cpp:1.*nonsense.*$"):
        build.ensure("small")
    assert leftovers(tmp_path) == []
    assert build.find(small_recipe(source)) is None


def test_cache_that_cannot_be_written_is_named(source, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("BIMODAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(KernelUnavailableError, match=r"kernel cache .*file/kernels cannot be written"):
        build.ensure("small")


OTHER_PROCESS = """
import sys
from pathlib import Path
from bimodal_kernels import build
from bimodal_kernels.recipe import Recipe, Step

compiler, source = sys.argv[1:]
step = Step((compiler, "-fPIC", "-c", source), "answer.o")
made = Recipe("small", (step,), ("g++", "-shared"), (), {"sources": Path(source).read_text()})
build.RECIPES = {"small": lambda: made}
print(build.ensure("small").fresh)
"""


def start(compiler: Path, source: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", OTHER_PROCESS, str(compiler), str(source)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def slow_compiler(tmp_path: Path, seconds: float) -> Path:
    path = tmp_path / "slow-g++"
    path.write_text(f'#!/bin/sh\ntouch {tmp_path}/compiling\nsleep {seconds}\nexec g++ "$@"\n')
    path.chmod(0o755)
    return path


def wait_for(path: Path) -> None:
    for _ in range(1000):
        if path.exists():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} never came")


def test_two_processes_at_once_build_one_good_library(source, tmp_path):
    compiler = slow_compiler(tmp_path, 0.3)
    both = [start(compiler, source) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said == ["False", "True"]
    library = build.find(small_recipe(source))
    assert library is not None
    assert answer(library) == 42


def test_interrupted_build_ends_its_compilers_and_leaves_nothing(source, tmp_path):
    process = start(slow_compiler(tmp_path, 30), source)
    wait_for(tmp_path / "compiling")
    started = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert process.returncode != 0
    assert leftovers(tmp_path) == []


def test_without_a_compiler_the_message_says_how_to_get_one(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(KernelUnavailableError, match=r"^no C\+\+ compiler: g\+\+ is not on PATH \(install g\+\+, or"):
        toolchain.find_cxx()


def test_without_nvcc_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    with pytest.raises(KernelUnavailableError, match=r"^no CUDA compiler: nvcc is not on PATH \(install the CUDA"):
        toolchain.find_cuda()


def fake_tool(folder: Path, name: str, body: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_toolkit_is_found_behind_a_wrapper(tmp_path, monkeypatch):
    fake_tool(
        tmp_path / "wrappers",
        "nvcc",
        textwrap.dedent("""
            case "$1" in
              --dryrun) echo '#$ _HERE_=/opt/toolkit/bin' >&2 ;;
              --version) echo 'release 13.0, V13' ;;
              --list-gpu-arch) echo compute_90; echo compute_80 ;;
            esac
        """),
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'wrappers'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    found = toolchain.find_cuda()
    assert (found.home, found.version, found.architectures) == (Path("/opt/toolkit"), "13.0", (80, 90))


def test_gpus_are_asked_of_the_driver(tmp_path, monkeypatch):
    fake_tool(tmp_path / "driver", "nvidia-smi", "printf '9.0\\n8.6\\n9.0\\n'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'driver'}{os.pathsep}{os.environ['PATH']}")
    assert toolchain.gpu_capabilities() == (86, 90)


def test_driver_that_does_not_run_means_no_gpu(tmp_path, monkeypatch):
    fake_tool(tmp_path / "driver", "nvidia-smi", "echo 'Failed to initialize'; exit 9")
    monkeypatch.setenv("PATH", f"{tmp_path / 'driver'}{os.pathsep}{os.environ['PATH']}")
    assert toolchain.gpu_capabilities() == ()


@pytest.mark.parametrize(
    ("present", "flags"),
    [
        ((), ["arch=compute_80,code=sm_80", "arch=compute_80,code=compute_80"]),
        ((90,), ["arch=compute_90,code=sm_90"]),
        ((86, 90), ["arch=compute_86,code=sm_86", "arch=compute_90,code=sm_90"]),
        ((200,), ["arch=compute_80,code=sm_80", "arch=compute_80,code=compute_80"]),
        ((90, 200), ["arch=compute_90,code=sm_90", "arch=compute_80,code=compute_80"]),
        ((75,), ["arch=compute_80,code=sm_80", "arch=compute_80,code=compute_80"]),
    ],
)
def test_machine_code_for_the_gpus_present_and_ptx_for_the_rest(present, flags):
    assert recipe._gencode((75, 80, 86, 90), present) == tuple(f"-gencode={flag}" for flag in flags)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names x86 targets")
def test_target_of_the_cpu_is_part_of_the_key(monkeypatch):
    monkeypatch.setenv("BIMODAL_MARCH", "x86-64-v2")
    older = toolchain.find_cxx()
    monkeypatch.setenv("BIMODAL_MARCH", "x86-64-v3")
    assert older.target != toolchain.find_cxx().target
