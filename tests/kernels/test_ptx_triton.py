"""The interpreter against PTX of another compiler: kernels that Triton compiles must compute what they say.

Triton's matrix fragments are right on every NVIDIA GPU in use. If its PTX gives right results here, then the
interpreter's idea of mma, ldmatrix, shfl and cp.async is the hardware's.
"""

import struct

import numpy as np
import pytest

from bimodal_kernels.check.ptx import GlobalMemory, Launch, launch, parse_ptx

triton = pytest.importorskip("triton", reason="triton comes with torch's CUDA builds")
tl = pytest.importorskip("triton.language")

pytestmark = pytest.mark.filterwarnings("ignore")  # triton's own deprecations


def matmul(a, b, c, M: "tl.constexpr", N: "tl.constexpr", K: "tl.constexpr", BLOCK: "tl.constexpr"):
    rows = tl.arange(0, M)[:, None]
    columns = tl.arange(0, N)[None]
    inner = tl.arange(0, BLOCK)
    total = tl.zeros((M, N), tl.float32)
    for start in range(0, K, BLOCK):
        left = tl.load(a + rows * K + start + inner[None])
        right = tl.load(b + (start + inner)[:, None] * N + columns)
        total += tl.dot(left, right)
    tl.store(c + rows * N + columns, total)


def causal_attention(q, k, v, o, S, scale, BLOCK: "tl.constexpr", D: "tl.constexpr"):
    first = tl.program_id(0) * BLOCK
    base = tl.program_id(1) * S * D
    rows = first + tl.arange(0, BLOCK)
    dims = tl.arange(0, D)
    query = tl.load(q + base + rows[:, None] * D + dims[None], mask=rows[:, None] < S, other=0.0)
    peak = tl.full((BLOCK,), -1e30, tl.float32)
    total = tl.zeros((BLOCK,), tl.float32)
    acc = tl.zeros((BLOCK, D), tl.float32)
    for start in range(0, tl.minimum(S, first + BLOCK), BLOCK):
        keys = start + tl.arange(0, BLOCK)
        key = tl.load(k + base + keys[None] * D + dims[:, None], mask=keys[None] < S, other=0.0)
        visible = (keys[None] < S) & (keys[None] <= rows[:, None])
        scores = tl.where(visible, tl.dot(query, key) * scale, -1e30)
        new_peak = tl.maximum(peak, tl.max(scores, 1))
        weights = tl.exp2(scores - new_peak[:, None])
        decay = tl.exp2(peak - new_peak)
        total = total * decay + tl.sum(weights, 1)
        value = tl.load(v + base + keys[:, None] * D + dims[None], mask=keys[:, None] < S, other=0.0)
        acc = acc * decay[:, None] + tl.dot(weights.to(value.dtype), value)
        peak = new_peak
    out = (acc / total[:, None]).to(o.dtype.element_ty)
    tl.store(o + base + rows[:, None] * D + dims[None], out, mask=rows[:, None] < S)


def compiled(function, types, constants, num_stages=2):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = triton.jit(function)
    # Every pointer is a multiple of 16, or Triton would not copy 16 bytes at a time with cp.async.
    aligned = {
        (function.arg_names.index(name),): [["tt.divisibility", 16]] for name, kind in types.items() if kind[0] == "*"
    }
    program = triton.compile(
        ASTSource(function, types, constexprs=constants, attrs=aligned),
        target=GPUTarget("cuda", 80, 32),
        options={"num_warps": 4, "num_stages": num_stages},
    )
    (kernel,) = parse_ptx(program.asm["ptx"]).values()
    return kernel, program.metadata.shared


def bfloat16(values):
    from bimodal_kernels.check.ptx.numbers import bfloat16_bits, bfloat16_values

    bits = bfloat16_bits(values)
    return bits, bfloat16_values(bits).astype(np.float64)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_matmul_of_triton_is_a_matmul(dtype):
    kernel, shared_bytes = compiled(
        matmul,
        {"a": f"*{dtype}", "b": f"*{dtype}", "c": "*fp32"},
        {"M": 64, "N": 64, "K": 128, "BLOCK": 32},
        num_stages=3,  # pipelined, so that cp.async with several groups is in it
    )
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((64, 128), np.float32), rng.standard_normal((128, 64), np.float32)
    (a_stored, a), (b_stored, b) = (
        (x.astype(np.float16), x.astype(np.float16).astype(float)) if dtype == "fp16" else bfloat16(x) for x in (a, b)
    )
    c = np.zeros((64, 64), np.float32)
    memory = GlobalMemory()
    at = [memory.allocate(x) for x in (a_stored, b_stored, c)]
    counts = launch(kernel, Launch((1, 1, 1), 128, shared_bytes, struct.pack("<5Q", *at, 0, 0)), memory)
    np.testing.assert_allclose(memory.read_back(at[2], c), a @ b, atol=1e-4)
    assert counts["mma"] == 64 * 64 * 128 / (16 * 8 * 16)
    assert counts["ldmatrix"] > 0
    assert counts["cp"] > 0


def test_attention_of_triton_is_attention():
    S, D, heads = 100, 64, 2
    kernel, shared_bytes = compiled(
        causal_attention,
        {"q": "*fp16", "k": "*fp16", "v": "*fp16", "o": "*fp16", "S": "i32", "scale": "fp32"},
        {"BLOCK": 64, "D": D},
    )
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((heads, S, D)).astype(np.float16) for _ in "qkv")
    memory = GlobalMemory()
    at = [memory.allocate(x) for x in (q, k, v, np.zeros_like(q))]
    how = Launch((2, heads, 1), 128, shared_bytes, struct.pack("<4Qif2Q", *at, S, np.log2(np.e) / 8, 0, 0))
    counts = launch(kernel, how, memory)
    scores = q.astype(float) @ k.astype(float).swapaxes(1, 2) / 8
    weights = np.exp(np.where(np.tri(S, dtype=bool), scores, -np.inf))
    expected = weights / weights.sum(-1, keepdims=True) @ v.astype(float)
    np.testing.assert_allclose(memory.read_back(at[3], q), expected, atol=2e-3)
    assert counts["shfl"] > 0
