from collections import Counter

import pytest

from bimodal_kernels import loader
from bimodal_kernels.check import mutate
from bimodal_kernels.check.mutants import Mutant, load
from bimodal_kernels.check.mutate import LEAST, judge, try_mutants
from bimodal_kernels.check.outcome import FAILED, INCOMPLETE, PASSED, Line, Outcome, bounded, exit_code
from bimodal_kernels.recipe import SOURCES


def test_every_mutant_still_applies():
    for mutant in load():
        assert (SOURCES / mutant.file).read_text().count(mutant.old) == 1, mutant.name


@pytest.mark.skipif(not any(mutant.group == "native" for mutant in load()), reason="no mutants of the CPU kernels yet")
def test_every_group_is_large_enough_to_mean_something():
    groups = Counter(mutant.group for mutant in load())
    assert all(groups[group] >= least for group, least in LEAST.items())
    assert sum(groups.values()) >= 40


def mutant(number: int, group: str = "numbers") -> Mutant:
    return Mutant("made up", number, "cuda/forward.cuh", group, "a", "b")


def test_survivors_and_broken_mutants_are_faults(monkeypatch):
    found = {
        1: mutate.Verdict(mutant(1), "emulator: out is wrong"),
        2: mutate.Verdict(mutant(2), None),
        3: mutate.Verdict(mutant(3), None, broken="error: b is not declared"),
    }
    monkeypatch.setattr(mutate, "judge", lambda one: found[one.number])
    outcome = try_mutants([mutant(number) for number in found])
    assert outcome.lines == (Line("numbers: killed", "1 of 3", "all", ok=False),)
    assert outcome.faults == (
        "mutant made up 2 (cuda/forward.cuh) survived",
        "mutant made up 3 (cuda/forward.cuh) does not compile: error: b is not declared",
    )


@pytest.mark.slow
@pytest.mark.skipif(loader.obstacle("native") is not None, reason="needs a C++ compiler")
def test_a_mutant_that_changes_nothing_survives_and_one_that_does_not_compile_is_broken():
    harmless = Mutant("made up", 1, "native/attention.hpp", "native", "#pragma once", "#pragma once  // still")
    assert judge(harmless).killed_by is None
    broken = judge(Mutant("made up", 2, "native/attention.hpp", "native", "#pragma once", "#pragma once\nnonsense;"))
    assert broken.killed_by is None
    assert "error" in str(broken.broken)


def test_nan_is_beyond_every_bound():
    assert not bounded("error", float("nan"), 1.0).ok


def test_exit_code_tells_skipped_from_passed_from_failed():
    passed = Outcome("a", (Line("x", "0", "0"),))
    skipped = Outcome("b", (), skipped=("no nvcc",))
    failed = Outcome("c", (Line("x", "1", "0", ok=False),))
    assert exit_code((passed,)) == PASSED
    assert exit_code((passed, skipped)) == INCOMPLETE
    assert exit_code((passed, skipped, failed)) == FAILED
    assert exit_code((Outcome("d", (Line("x", "0", "0"),), faults=("wrong",)),)) == FAILED
