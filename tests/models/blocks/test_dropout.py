"""blocks.dropout: when the native op serves."""

import pytest
import torch

from bimodal_kernels import loader
from bimodal_kernels.toolchain import KernelUnavailableError, find_cxx
from bimodal_models.blocks.dropout import Dropout


@pytest.fixture
def _native() -> None:
    try:
        find_cxx()
    except KernelUnavailableError as missing:
        pytest.skip(str(missing))
    assert loader.obstacle("native") is None


def dropped(layer: Dropout, x: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    return layer(x)


@pytest.mark.usefixtures("_native")
def test_native_drops_in_training_and_not_as_torch_does():
    x = torch.ones(1000)
    native, torchs = (dropped(Dropout(0.25, kernel=kernel), x) for kernel in ("native", "sdpa"))
    assert set(native.unique().tolist()) == set(torchs.unique().tolist())
    assert not torch.equal(native, torchs)
    assert native.mean().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("kernel", ["native", "sdpa"])
def test_nothing_is_dropped_outside_of_training_or_with_probability_0(kernel):
    x = torch.ones(9)
    assert torch.equal(Dropout(0.5, kernel=kernel).eval()(x), x)
    assert torch.equal(Dropout(0.0, kernel=kernel)(x), x)


def test_everything_can_be_dropped():
    assert torch.equal(Dropout(1.0, kernel="native")(torch.ones(9)), torch.zeros(9))


@pytest.mark.usefixtures("_native")
def test_other_dtypes_are_torchs():
    x = torch.ones(1000, dtype=torch.bfloat16)
    assert torch.equal(dropped(Dropout(0.5, kernel="native"), x), dropped(Dropout(0.5, kernel="sdpa"), x))
