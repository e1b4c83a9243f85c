"""probes.deranged: nobody keeps their own picture."""

from pathlib import Path

import pytest

from bimodal.probes import deranged
from bimodal.types import Example


def examples(count: int) -> list[Example]:
    return [Example(str(i), "", f"target {i}", image=Path(f"{i}.png")) for i in range(count)]


@pytest.mark.parametrize("count", [2, 3, 10, 101])
@pytest.mark.parametrize("seed", range(5))
def test_nobody_keeps_their_own_and_every_picture_is_used_once(count: int, seed: int) -> None:
    before = examples(count)
    after = deranged(before, seed=seed)
    assert all(a.image != b.image for a, b in zip(before, after, strict=True))
    assert {a.image for a in after} == {b.image for b in before}


def test_text_and_target_stay() -> None:
    before = examples(5)
    assert [e.target for e in deranged(before, seed=0)] == [e.target for e in before]


def test_it_depends_on_the_seed_alone() -> None:
    assert deranged(examples(9), seed=1) == deranged(examples(9), seed=1)
    assert deranged(examples(9), seed=1) != deranged(examples(9), seed=2)


def test_one_example_cannot_be_deranged() -> None:
    with pytest.raises(ValueError, match="at least 2 examples, got 1"):
        deranged(examples(1), seed=0)
