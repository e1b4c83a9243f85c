"""The timed rows of the kernels under pytest-benchmark; `bench kernels bench` judges by interleaved ratios."""

from typing import Any

import pytest

from bimodal_kernels import loader
from bimodal_kernels.cases import Case, make_inputs, tagged
from bimodal_kernels.microbench import OURS, TORCH, Pass, contenders, passes

WORK = [pytest.param(case, kind, id=f"{case.name}, {kind}") for case in tagged("timed") for kind in passes(case)]


@pytest.mark.parametrize("who", [OURS, TORCH])
@pytest.mark.parametrize(("case", "kind"), WORK)
def bench_timed_row(benchmark: Any, case: Case, kind: Pass, who: str) -> None:
    if (reason := loader.obstacle("native")) is not None:
        pytest.skip(reason)
    benchmark.group = f"{case.name}, {kind}"
    assert benchmark(contenders(case, make_inputs(case), kind, "native")[who]) is not None
