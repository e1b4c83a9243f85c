"""The proof of the CPU kernels: every case against float64 and against torch, run twice; in a process of its own.

`python -m bimodal_kernels.check.native LIBRARY` prints what it found as JSON. A process can have only one
implementation of an op, so that each library (a mutant's, say) needs its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

TOLERANCE = {"float32": 2e-6, "bfloat16": 1.6e-2}
"""Largest error of outputs and gradients, relative to the largest true value where that is above 1."""

LOG_SUM_EXP_TOLERANCE = 1e-5
TORCH_FACTOR = 2.0
_TIMEOUT_S = 300.0


@dataclass(slots=True)
class Findings:
    """What was found over all cases."""

    cases: int = 0
    errors: dict[str, float] = field(default_factory=dict)
    """Largest relative error by dtype and kind, such as `float32 out`."""
    torch_errors: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def check_native(library: Path, *, stop_early: bool = False) -> Findings:
    """Run every case on a library, in a fresh process.

    Args:
        library: what `build` made of the sources.
        stop_early: at the first fault; enough for a mutant.
    """
    command = [sys.executable, "-m", __name__, str(library), *(["--stop-early"] if stop_early else [])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return Findings(faults=[f"did not end within {_TIMEOUT_S:.0f} s"])
    try:
        return Findings(**json.loads(done.stdout))
    except (ValueError, TypeError):
        said = done.stderr.strip().splitlines() or ["no report"]
        return Findings(faults=[f"died with status {done.returncode}: {said[-1]}"])


def _run(library: Path, *, stop_early: bool) -> Findings:
    import torch

    from bimodal_kernels import decoder, ops, sublayers  # noqa: F401  (schemas first)

    torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    torch.set_num_threads(2)
    found = Findings()
    for faults in _all_cases(found):
        found.faults += faults
        if stop_early and found.faults:
            break
    found.faults += [
        f"{kind}: error {error:.2e} > {TORCH_FACTOR:g} x torch's {found.torch_errors[kind]:.2e}"
        for kind, error in found.errors.items()
        if kind in found.torch_errors and not error <= TORCH_FACTOR * found.torch_errors[kind]
    ]
    return found


def _all_cases(found: Findings) -> Iterator[list[str]]:
    from bimodal_kernels.cases import EDGES, tagged
    from bimodal_kernels.check import decoder, sublayers

    for dtype in TOLERANCE:
        for case in (*tagged("block"), *EDGES):
            found.cases += 1
            yield _check_attention(replace(case, dtype=dtype), found)
        for case in tagged("decode"):
            found.cases += 1
            yield _check_decode(replace(case, dtype=dtype), found)
    for check in (decoder.linear_faults, decoder.step_faults, sublayers.faults):
        found.cases += 1
        yield [*check()]


def _check_attention(case: object, found: Findings) -> list[str]:
    import torch

    from bimodal_kernels import ops, sdpa
    from bimodal_kernels.cases import Case, make_inputs, truth

    assert isinstance(case, Case)
    drawn, faults = make_inputs(case), []
    facts = truth(case, drawn)
    leaves = [tensor.detach().requires_grad_() for tensor in (drawn.query, drawn.key, drawn.value)]
    mask = drawn.key_padding_mask
    results = []
    for _ in range(2):
        out = ops.attend(leaves[0], leaves[1], leaves[2], mask, case.causal, drawn.scale)
        results.append((out.detach(), *torch.autograd.grad(out, leaves, drawn.grad_out)))
    if not all(torch.equal(first, second) for first, second in zip(*results, strict=True)):
        faults.append(f"{case.name}, {case.dtype}: two runs differ")
    _, log_sum_exp = torch.ops.bimodal.attention_forward(
        *(leaf.detach() for leaf in leaves), mask, case.causal, drawn.scale
    )
    by_torch = sdpa.forward(leaves[0], leaves[1], leaves[2], mask, case.causal, drawn.scale)
    torch_results = (by_torch.detach(), *torch.autograd.grad(by_torch, leaves, drawn.grad_out))
    for name, got, theirs, want in zip(
        ("out", "grad_query", "grad_key", "grad_value"),
        results[0],
        torch_results,
        (facts.out, *facts.grads),
        strict=True,
    ):
        kind = f"{case.dtype} {'out' if name == 'out' else 'gradients'}"
        error = _note(found.errors, kind, got, want)
        _note(found.torch_errors, kind, theirs, want)
        bar = TOLERANCE[case.dtype]
        if not error <= bar:
            faults.append(f"{case.name}, {case.dtype}: {name} has error {error:.2e} > {bar:.1e}")
    error = _note(found.errors, f"{case.dtype} log_sum_exp", log_sum_exp, facts.log_sum_exp)
    if not error <= LOG_SUM_EXP_TOLERANCE:
        faults.append(f"{case.name}, {case.dtype}: log_sum_exp has error {error:.2e} > {LOG_SUM_EXP_TOLERANCE:.1e}")
    return faults


def _check_decode(case: object, found: Findings) -> list[str]:
    from bimodal_kernels import ops
    from bimodal_kernels.cases import Case, make_inputs, truth

    assert isinstance(case, Case)
    drawn = make_inputs(case)
    got = ops.decode(drawn.query, drawn.key, drawn.value, drawn.lengths, drawn.scale)
    error = _note(found.errors, f"{case.dtype} decode", got, truth(case, drawn).out)
    bar = TOLERANCE[case.dtype]
    return [] if error <= bar else [f"{case.name}, {case.dtype}: decode has error {error:.2e} > {bar:.1e}"]


def _note(errors: dict[str, float], kind: str, got: object, want: object) -> float:
    import torch
    from torch import Tensor

    assert isinstance(got, Tensor)
    assert isinstance(want, Tensor)
    difference = (got.double() - want).abs().masked_fill(got.double() == want, 0.0).nan_to_num(nan=torch.inf)
    size = max(1.0, float(want.masked_fill(want.isinf(), 0.0).abs().max()))
    error = float(difference.max()) / size
    errors[kind] = max(errors.get(kind, 0.0), error)
    return error


if __name__ == "__main__":
    print(json.dumps(asdict(_run(Path(sys.argv[1]), stop_early="--stop-early" in sys.argv))))
