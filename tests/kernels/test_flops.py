"""Attention is counted, whichever op runs it."""

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from bimodal_kernels import attention, ops
from bimodal_kernels.flops import FLOP_FORMULAS

BATCH, HEADS, QUERY, KEY, HEAD_DIM = 2, 3, 5, 7, 64
PRODUCT = 2 * BATCH * HEADS * QUERY * KEY * HEAD_DIM
"""Operations of one matrix product; forward has two of them, backward five with the scores computed again."""


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    query = torch.randn(BATCH, HEADS, QUERY, HEAD_DIM, requires_grad=True)
    key, value = (torch.randn(BATCH, HEADS, KEY, HEAD_DIM, requires_grad=True) for _ in range(2))
    return query, key, value


def test_torchs_own_attention_on_a_cpu_is_seven_matrix_products() -> None:
    with FlopCounterMode(display=False, custom_mapping=dict(FLOP_FORMULAS)) as counter:
        attention(*inputs(), backend="sdpa").sum().backward()
    assert counter.get_total_flops() == 7 * PRODUCT


def test_the_compiled_ops_are_seven_matrix_products() -> None:
    # Without data, and so without the compiled kernels.
    with FakeTensorMode(), FlopCounterMode(display=False, custom_mapping=dict(FLOP_FORMULAS)) as counter:
        ops.attend(*inputs(), None, False, 0.125).sum().backward()
    assert counter.get_total_flops() == 7 * PRODUCT


def test_self_attention_from_one_projection_is_seven_matrix_products() -> None:
    qkv = torch.randn(BATCH, KEY, 3, HEADS, HEAD_DIM, requires_grad=True)
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        FlopCounterMode(display=False, custom_mapping=dict(FLOP_FORMULAS)) as counter,
    ):
        ops.attend_packed(qkv, None, True, 0.125).sum().backward()
    assert counter.get_total_flops() == 7 * 2 * BATCH * HEADS * KEY * KEY * HEAD_DIM
