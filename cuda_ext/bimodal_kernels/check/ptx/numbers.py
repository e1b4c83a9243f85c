"""PTX types in numpy, and bfloat16, which numpy does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
"""One value per thread of the block."""

DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in {
        "s8": np.int8, "u8": np.uint8, "b8": np.uint8,
        "s16": np.int16, "u16": np.uint16, "b16": np.uint16, "f16": np.float16, "bf16": np.uint16,
        "s32": np.int32, "u32": np.uint32, "b32": np.uint32, "f32": np.float32,
        "f16x2": np.uint32, "bf16x2": np.uint32,
        "s64": np.int64, "u64": np.uint64, "b64": np.uint64, "f64": np.float64,
        "pred": np.bool_,
    }.items()
}  # fmt: skip
"""numpy's type for a PTX type; bf16 and packed pairs are bits."""

WIDTH_BYTES: dict[str, int] = {name: 0 if name == "pred" else dtype.itemsize for name, dtype in DTYPES.items()}

UNSIGNED: dict[int, np.dtype[Any]] = {1: DTYPES["u8"], 2: DTYPES["u16"], 4: DTYPES["u32"], 8: DTYPES["u64"]}
"""Registers hold bits: the unsigned type of each width."""

WIDER: dict[str, str] = {"s16": "s32", "u16": "u32", "s32": "s64", "u32": "u64"}
"""The result type of mul.wide and mad.wide."""


def bfloat16_bits(values: Array) -> Array:
    """float32 to bfloat16 bits, round to nearest even; NaN stays NaN."""
    values = np.ascontiguousarray(values, np.float32)
    bits = values.view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), (bits >> 16) | 0x40, rounded).astype(np.uint16)


def bfloat16_values(bits: Array) -> Array:
    """bfloat16 bits to float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)
