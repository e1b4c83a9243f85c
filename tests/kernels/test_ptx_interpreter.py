"""The PTX interpreter, instruction by instruction: what the ISA says, and the faults it must find."""

import struct

import numpy as np
import pytest

from bimodal_kernels.check.ptx import GlobalMemory, Launch, ProgramFault, launch, parse_ptx
from bimodal_kernels.check.ptx.faults import Divergence, Misaligned, OutOfBounds, UninitialisedRead

_REGISTERS = """
.reg .pred %p<9>; .reg .b16 %h<9>; .reg .b32 %r<40>; .reg .b32 %f<40>; .reg .b64 %rd<9>;
ld.param.u64 %rd1, [out]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;
"""


def run(body: str, *, threads: int = 32, shared_bytes: int = 4096, out: np.ndarray | None = None) -> np.ndarray:
    """What a kernel with this body stores through %rd3, one 32-bit word per thread (%r1 is the thread)."""
    out = np.zeros(threads, np.uint32) if out is None else out
    text = (
        ".version 7.8\n.target sm_80\n.address_size 64\n.extern .shared .align 128 .b8 pool[];\n"
        f".visible .entry kernel(.param .u64 out)\n{{{_REGISTERS}{body}\nret;}}"
    )
    memory = GlobalMemory()
    address = memory.allocate(out)
    launch(parse_ptx(text)["kernel"], Launch((1, 1, 1), threads, shared_bytes, struct.pack("<Q", address)), memory)
    return memory.read_back(address, out)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("mov.u32 %r2, -7; mov.u32 %r3, 2; div.s32 %r4, %r2, %r3;", -3),  # truncates, does not floor
        ("mov.u32 %r2, -7; mov.u32 %r3, 2; rem.s32 %r4, %r2, %r3;", -1),
        ("mov.u32 %r2, -8; shr.s32 %r4, %r2, 1;", -4),
        ("mov.u32 %r2, -8; shr.u32 %r4, %r2, 28;", 15),
        ("mov.u32 %r2, 1; shl.b32 %r4, %r2, 32;", 0),
        ("mov.u32 %r2, 0xF0F0; bfe.u32 %r4, %r2, 4, 8;", 0x0F),
        ("mov.u32 %r2, 0xF0; bfe.s32 %r4, %r2, 4, 4;", -1),
        ("mov.u32 %r2, 5; mov.u32 %r3, 0xFF00; bfi.b32 %r4, %r2, %r3, 4, 3;", 0xFF50),
        ("mov.u64 %rd4, 5; bfi.b64 %rd5, %rd4, %rd4, 32, 32; shr.u64 %rd5, %rd5, 31; cvt.u32.u64 %r4, %rd5;", 10),
        ("mov.u32 %r2, 0x80000000; mul.hi.u32 %r4, %r2, 6;", 3),
        ("mov.u32 %r2, 0x11223344; mov.u32 %r3, 0x55667788; prmt.b32 %r4, %r2, %r3, 0x5410;", 0x77883344),
        ("mov.u32 %r2, 12; mov.u32 %r3, 10; lop3.b32 %r4, %r2, %r3, 6, 0x96;", 0),  # 0x96: exclusive or of three
        ("mov.u32 %r2, -1; cvt.s64.s32 %rd4, %r2; shr.u64 %rd4, %rd4, 32; cvt.u32.u64 %r4, %rd4;", -1),
        ("mov.f32 %f1, 0f40200000; cvt.rzi.s32.f32 %r4, %f1;", 2),
        ("mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0fC0000000; cvt.rn.f16x2.f32 %r4, %f1, %f2;", 0x3C00C000),
        ("mov.f32 %f1, 0f3F800000; mov.f32 %f2, 0fC0000000; cvt.rn.bf16x2.f32 %r4, %f1, %f2;", 0x3F80C000),
        ("mov.f32 %f1, 0f7FC00000; setp.neu.f32 %p1, %f1, %f1; selp.b32 %r4, 1, 0, %p1;", 1),
        ("mov.f32 %f1, 0f7FC00000; setp.ne.f32 %p1, %f1, %f1; selp.b32 %r4, 1, 0, %p1;", 0),
        ("mov.f32 %f1, 0fFF800000; ex2.approx.ftz.f32 %f2, %f1; mov.b32 %r4, %f2;", 0),
        ("mov.u32 %r2, 0x00020001; mov.b32 {%h1, %h2}, %r2; mov.b32 %r4, {%h2, %h1};", 0x00010002),
    ],
)
def test_instruction_gives_what_the_isa_says(body, expected):
    stored = run(body + "st.global.u32 [%rd3], %r4;")
    np.testing.assert_array_equal(stored.view(np.int32), np.full(32, expected, np.int64).astype(np.int32))


def test_shuffle_exchanges_lanes():
    stored = run("shfl.sync.bfly.b32 %r4|%p1, %r1, 5, 31, -1; st.global.u32 [%rd3], %r4;", threads=64)
    np.testing.assert_array_equal(stored, np.arange(64) ^ 5)


def test_loops_of_different_length_come_together_again():
    body = """
    mov.u32 %r2, 0;
    $again: add.u32 %r2, %r2, 2; add.u32 %r3, %r1, 1; setp.lt.u32 %p1, %r2, %r3; @%p1 bra $again;
    st.global.u32 [%rd3], %r2;"""
    np.testing.assert_array_equal(run(body), np.maximum(2, (np.arange(32) + 2) // 2 * 2))


def test_barrier_lets_a_warp_read_what_another_one_wrote():
    body = """
    mov.u32 %r2, pool; shl.b32 %r3, %r1, 2; add.u32 %r4, %r2, %r3; st.shared.u32 [%r4], %r1;
    bar.sync 0;
    sub.u32 %r5, 252, %r3; add.u32 %r6, %r2, %r5; ld.shared.u32 %r7, [%r6]; st.global.u32 [%rd3], %r7;"""
    np.testing.assert_array_equal(run(body, threads=64), np.arange(64)[::-1])


_COPY = """
    mov.u32 %r2, pool; shl.b32 %r3, %r1, 4; add.u32 %r4, %r2, %r3; mul.wide.u32 %rd4, %r1, 16; add.s64 %rd5, %rd1, %rd4;
    cp.async.cg.shared.global [%r4], [%rd5], 16, {size}; cp.async.commit_group;
    cp.async.wait_group {groups}; ld.shared.u32 %r7, [%r4+12]; st.global.u32 [%rd5+12], %r7;"""


def test_async_copy_lands_at_its_wait():
    before = np.arange(128, dtype=np.uint32)
    np.testing.assert_array_equal(run(_COPY.format(size=16, groups=0), out=before.copy()), before)


def test_async_copy_fills_what_it_does_not_read_with_zeros():
    after = run(_COPY.format(size=0, groups=0), out=np.arange(128, dtype=np.uint32))
    np.testing.assert_array_equal(after[3::4], 0)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (_COPY.format(size=16, groups=1), UninitialisedRead),
        ("mov.u32 %r2, pool; ld.shared.u32 %r4, [%r2];", UninitialisedRead),
        ("add.u32 %r4, %r5, 1;", UninitialisedRead),
        ("ld.global.u32 %r4, [%rd3+512];", OutOfBounds),
        ("mov.u32 %r2, pool; st.shared.u32 [%r2+4096], %r1;", OutOfBounds),
        ("ld.global.u32 %r4, [%rd3+2];", Misaligned),
        ("setp.eq.u32 %p1, %r1, 3; @%p1 bra $out; shfl.sync.bfly.b32 %r4, %r1, 1, 31, -1; $out:", Divergence),
        ("mov.u32 %r2, pool; cp.async.cg.shared.global [%r2], [%rd1], 16; cp.async.commit_group;", ProgramFault),
    ],
    ids=["copy not waited for", "shared", "register", "global end", "shared end", "alignment", "warp", "copy left"],
)
def test_fault_is_found_and_names_the_instruction(body, fault):
    with pytest.raises(fault):
        run(body, out=np.zeros(128, np.uint32))


def test_unknown_instruction_is_not_skipped():
    with pytest.raises(NotImplementedError, match=r"tanh\.approx"):
        run("mov.f32 %f1, 0f3F800000; tanh.approx.f32 %f2, %f1;")


def test_structs_and_pointers_are_placed_as_in_c():
    text = ".visible .entry k(.param .u32 a, .param .align 8 .b8 b[24], .param .u64 .ptr .align 16 c)\n{ret;}"
    offsets = {name: place.offset_bytes for name, place in parse_ptx(text)["k"].parameters.items()}
    assert offsets == {"a": 0, "b": 8, "c": 32}
