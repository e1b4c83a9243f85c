"""Shapes are checked at run time here, and only here: production code carries none of these checks."""

import signal
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# Before the packages are imported for the first time; jaxtyping wraps what is imported afterwards.
install_import_hook(["bimodal_models", "bimodal_kernels"], "beartype.beartype")

# A shell without job control starts programs in the background deaf to Ctrl-C, and so would be those that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def data_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for data sets, empty at first: each is prepared once for the whole test run."""
    return tmp_path_factory.mktemp("data")
