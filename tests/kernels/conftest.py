import pytest
import torch

from bimodal_kernels import loader
from bimodal_kernels.toolchain import KernelUnavailableError, find_cxx

# Tensors this small only wait for each other on several threads.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def compiler() -> None:
    """A C++ compiler; without one there is nothing to test."""
    try:
        find_cxx()
    except KernelUnavailableError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def native_kernels(compiler: None) -> None:
    """The CPU's kernels: with a compiler, what does not compile or load is a failure."""
    assert loader.obstacle("native") is None
