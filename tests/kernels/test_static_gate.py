from pathlib import Path

import pytest

from bimodal_kernels.check.device_code import (
    KernelName,
    compile_machine_code,
    disassemble,
    find_cuobjdump,
    kernel_name,
)
from bimodal_kernels.check.static_gate import BlockShape, check_static, read_ptxas_report
from bimodal_kernels.toolchain import KernelUnavailableError, find_cuda

MANGLED = "_ZN7bimodal14forward_kernelINS_4prim8BFloat16ELi128ELb1EEEvNS_13ForwardParamsE"
FORWARD = KernelName("forward_kernel", "bfloat16", 128, True)

PTXAS = f"""
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '{MANGLED}' for 'sm_90'
ptxas info    : Function properties for {MANGLED}
    {{stack}} bytes stack frame, {{stores}} bytes spill stores, {{loads}} bytes spill loads
ptxas info    : Used 239 registers, used 1 barriers
"""

IDLE = """
namespace bimodal {
namespace prim { struct Half {}; }
template <class Format, int HeadDim>
__global__ void forward_kernel(float* data) {
  float kept[64] = {};
  for (int i = 0; i < 64; i++) kept[static_cast<int>(data[i]) % 64] = data[64 + i];  // known too late for registers
  data[0] = kept[static_cast<int>(data[128]) % 64];
}
template __global__ void forward_kernel<prim::Half, 64>(float*);
}
"""


@pytest.fixture(scope="session")
def toolkit():
    try:
        return find_cuda()
    except KernelUnavailableError as missing:
        pytest.skip(str(missing))


def sources_with(folder: Path, kernel: str) -> Path:
    (folder / "cuda").mkdir()
    (folder / "cuda" / "kernel.cu").write_text(kernel)
    return folder


def test_mangled_name_is_read():
    assert kernel_name(MANGLED) == FORWARD
    assert str(FORWARD) == "forward_kernel<bfloat16, 128, causal>"


def test_ptxas_report_is_read():
    (binary,) = read_ptxas_report(PTXAS.format(stack=0, stores=0, loads=0), 90).values()
    assert (binary.kernel, binary.registers, binary.spilled_bytes) == (FORWARD, 239, 0)
    assert binary.faults() == ()


def test_spill_is_a_fault():
    (binary,) = read_ptxas_report(PTXAS.format(stack=8, stores=4, loads=12), 90).values()
    assert binary.faults() == ("forward_kernel<bfloat16, 128, causal> on sm_90: spills 16 bytes, stack of 8 bytes",)


def test_local_memory_and_idle_tensor_cores_are_faults(toolkit, tmp_path):
    report = check_static({}, architectures=(80,), sources=sources_with(tmp_path, IDLE))
    faults = " ".join(report.faults)
    assert "accesses to local memory" in faults
    assert "does not use the tensor cores" in faults


def test_disassembly_has_every_kernel_of_the_file(toolkit, tmp_path):
    kernel = "__global__ void fill(float* data) { data[threadIdx.x] = 1.f; }"
    ((cubin, _),) = compile_machine_code(toolkit, tmp_path, 80, sources_with(tmp_path, kernel))
    ((name, instructions),) = disassemble(find_cuobjdump(toolkit), cubin).items()
    assert "fill" in name
    assert any(instruction.startswith("STG") for instruction in instructions)


def test_code_that_does_not_compile_is_a_failure_and_not_skipped(toolkit, tmp_path):
    report = check_static({}, architectures=(80,), sources=sources_with(tmp_path, "this is no CUDA"))
    assert report.skipped == ()
    assert "sm_80" in report.faults[0]


def test_without_nvcc_the_gate_is_skipped_and_says_why(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    report = check_static({})
    assert report.binaries == ()
    assert [skip.proof for skip in report.skipped] == ["static gate"]
    assert "CUDA compiler" in report.skipped[0].reason


def test_unknown_architecture_is_skipped(toolkit, tmp_path):
    report = check_static({}, architectures=(999,), sources=tmp_path)
    assert [skip.proof for skip in report.skipped] == ["static gate, sm_999"]


@pytest.mark.slow
def test_kernels_pass_on_every_architecture(toolkit):
    shape = {FORWARD: BlockShape(128, 64 * 1024)}
    report = check_static(shape)
    assert report.faults == ()
    assert report.binaries
    blocks = {b.architecture: b.blocks_per_multiprocessor for b in report.binaries if b.kernel == FORWARD}
    assert blocks[80] == 2  # 64 KiB of 164, and 239 registers or fewer for each of 128 threads
    assert all(b.blocks_per_multiprocessor is None for b in report.binaries if b.kernel != FORWARD)


def test_without_a_disassembler_instructions_are_skipped_and_not_counted_as_zero(monkeypatch, toolkit, tmp_path):
    def missing(toolkit):
        raise KernelUnavailableError("no disassembler")

    monkeypatch.setattr("bimodal_kernels.check.static_gate.find_cuobjdump", missing)
    report = check_static({}, architectures=(80,), sources=sources_with(tmp_path, IDLE))
    assert [skip.proof for skip in report.skipped] == ["static gate, instructions"]
    assert report.binaries[0].tensor_core_instructions is None
    assert report.binaries[0].local_memory_instructions is None
