import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bimodal_kernels.build import ensure_recipe
from bimodal_kernels.check.emulate import check_trial, check_trials, judge, run_program
from bimodal_kernels.check.emulator_build import Build, emulated, emulator
from bimodal_kernels.check.emulator_file import Launch, read_results
from bimodal_kernels.check.trials import all_trials, largest_error, prepare
from bimodal_kernels.toolchain import KernelUnavailableError

PLANTED = Path(__file__).parent / "planted_bugs.cpp"

# What each planted bug must be counted as; nothing else may be.
COUNTED = {
    "nothing wrong": (),
    "exchange with a barrier": (),
    "missing barrier": ("races",),
    "warp barrier between warps": ("races",),
    "write after read": ("races",),
    "missing wait": ("unwaited",),
    "wait for too few": ("unwaited",),
    "wait without barrier": ("races",),
    "copy never waited for": ("unwaited",),
    "uninitialised": ("uninitialised",),
    "misaligned copy": ("misaligned",),
    "misaligned ldmatrix": ("misaligned",),
    "unswizzled": ("bank_conflicts",),
    "ldmatrix out of bounds": ("out_of_bounds",),
    "copy out of bounds": ("out_of_bounds",),
    "divergent instructions": ("divergent", "stuck"),
    "lanes that stay away": ("deadlocks", "stuck"),
    "divergent barriers": ("divergent", "stuck"),
    "warp instruction against barrier": ("deadlocks", "stuck"),
    "two writers of one output": ("global_races",),
    "one reads what another writes": ("global_races",),
}
SANITIZED = {
    "shared overrun": "heap-buffer-overflow",
    "global overrun": "heap-buffer-overflow",
    "undefined shift": "shift exponent",
}


@pytest.fixture(scope="session")
def planted(compiler: None) -> Callable[[Build], Path]:
    """The program of planted bugs in a build."""
    return lambda build: ensure_recipe(emulated(f"planted-{build}", build, [PLANTED], [])).path


@pytest.mark.parametrize("name", COUNTED)
def test_detectors_count_the_planted_bug_and_nothing_else(planted, name):
    done = subprocess.run([planted("races"), name], capture_output=True, text=True, check=True)
    found = {counter for counter, count in json.loads(done.stdout).items() if count}
    assert found == set(COUNTED[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SANITIZED)
def test_sanitizers_stop_the_planted_bug(planted, name):
    done = subprocess.run([planted("sanitized"), name], capture_output=True, text=True)
    assert done.returncode != 0
    assert SANITIZED[name] in done.stderr


@pytest.mark.slow
def test_sanitizers_let_a_clean_kernel_pass(planted):
    subprocess.run([planted("sanitized"), "nothing wrong"], check=True)


@pytest.fixture(scope="session")
def plain_program() -> dict[Build, Path]:
    try:
        return {"plain": emulator("plain")}
    except KernelUnavailableError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("trial", [t for t in all_trials() if t.case.keys <= 130], ids=lambda trial: trial.name)
def test_kernels_are_right_on_the_emulator(plain_program, trial):
    assert check_trial(trial, plain_program).faults == ()


@pytest.mark.slow
def test_detectors_find_nothing_in_the_kernels():
    reports = check_trials(all_trials(), builds=("races", "sanitized"))
    assert [report for report in reports if report.faults] == []


def test_wrong_result_is_a_fault(plain_program):
    trial = all_trials()[0]
    prepared = prepare(trial)
    doubled = replace(prepared, expected={name: 2 * tensor for name, tensor in prepared.expected.items()})
    found = judge(trial, doubled, {("plain", 0): run_program(plain_program["plain"], prepared.launch)})
    assert any(fault.startswith("out: error") for fault in found.faults)


def test_views_travel_to_the_emulator_and_back(tmp_path):
    view = torch.arange(24.0).reshape(2, 3, 2, 2).transpose(1, 2)
    launch = Launch({}, {}, {"out": view})
    (tmp_path / "results").write_bytes(torch.arange(24.0).numpy().tobytes())
    assert torch.equal(read_results(launch, tmp_path / "results")["out"], view)


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"scale": 0.0}, 1),
        ({"scale": float("inf")}, 1),
        ({"head_dim": 96}, 1),
        ({"heads": 3, "kv_heads": 2}, 1),
        ({"batch": 70_000}, 9),
    ],
)
@pytest.mark.parametrize("op", ["forward", "decode", "backward"])
def test_launchers_refuse_what_the_kernels_cannot_do(plain_program, op, settings, error):
    launch = prepare(next(trial for trial in all_trials((op,)))).launch
    run = run_program(plain_program["plain"], replace(launch, settings={**launch.settings, **settings}))
    assert run.counters.bugs() == {"error": error}


@pytest.mark.parametrize("name", ["query", "key", "value"])
def test_launchers_refuse_strides_that_are_no_multiple_of_16_bytes(plain_program, name):
    launch = prepare(all_trials(("forward",))[0]).launch
    wide = torch.zeros(1, 1, 64, 68, dtype=torch.float16)
    run = run_program(plain_program["plain"], replace(launch, inputs={**launch.inputs, name: wide[..., :64]}))
    assert run.counters.bugs() == {"error": 716}


def test_no_keys_give_0_and_minus_infinity(plain_program):
    launch = prepare(all_trials(("forward",))[0]).launch
    run = run_program(plain_program["plain"], replace(launch, settings={**launch.settings, "keys": 0}))
    assert not run.outputs["out"].any()
    assert run.outputs["log_sum_exp"].isneginf().all()


def test_nothing_to_do_launches_nothing(plain_program):
    launch = prepare(all_trials(("forward",))[0]).launch
    run = run_program(plain_program["plain"], replace(launch, settings={**launch.settings, "queries": 0}))
    assert run.counters.bugs() == {}
    assert run.outputs["out"].isnan().all()


@pytest.mark.parametrize(
    ("got", "want", "error"),
    [(1.5, 1.0, 0.5), (-torch.inf, -torch.inf, 0.0), (0.0, -torch.inf, torch.inf), (torch.nan, 0.0, torch.inf)],
)
def test_error_is_infinite_where_a_result_is_no_number(got, want, error):
    assert largest_error(torch.tensor([got]), torch.tensor([want], dtype=torch.float64)) == error
