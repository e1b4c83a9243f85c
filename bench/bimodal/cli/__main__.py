"""`python -m bimodal.cli` is `bench`."""

from bimodal.cli import app

app(prog_name="bench")
