"""The `bench` command. Imports nothing heavy at import time, so that `bench --help` is instant."""

# The order of registration is the order in `bench --help`.
# isort: off
from bimodal.cli.app import app
from bimodal.cli import run
from bimodal.cli import read
from bimodal.cli import data
from bimodal.cli import kernels
from bimodal.cli import profile

__all__ = ["app", "data", "kernels", "profile", "read", "run"]
