"""Probes: what is changed, and what stays."""

from dataclasses import replace
from pathlib import Path

import pytest

from bimodal.probes import ProbeOf, changed, deranged, probes_of
from bimodal.stand_ins import StandIns
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


def test_examples_that_share_a_picture_get_another_one() -> None:
    before = [Example(str(i), "", "", image=Path(f"{i % 3}.png")) for i in range(30)]
    after = deranged(before, seed=0)
    assert all(a.image != b.image for a, b in zip(before, after, strict=True))
    assert sorted(str(a.image) for a in after) == sorted(str(b.image) for b in before)


def test_who_has_no_picture_gets_none() -> None:
    before = [*examples(4), Example("bare", "", "")]
    after = deranged(before, seed=0)
    assert after[-1] == before[-1]
    assert all(example.image is not None for example in after[:-1])


def test_one_modality_is_deranged_and_the_other_kept() -> None:
    before = [replace(example, audio=Path(f"{example.id}.wav")) for example in examples(6)]
    after = changed(before, ProbeOf("deranged", "audio"), StandIns(Path(), None, None))
    assert [a.image for a in after] == [b.image for b in before]
    assert all(a.audio != b.audio for a, b in zip(before, after, strict=True))


def test_a_dropped_picture_is_absent() -> None:
    after = changed(examples(2), ProbeOf("dropped", "image"), StandIns(Path(), None, None))
    assert [example.image for example in after] == [None, None]


def test_probes_of_two_modalities_say_which_they_change() -> None:
    named = probes_of(("image", "audio"), [replace(example, audio=Path("a.wav")) for example in examples(2)])
    assert named["image-blank"] == ProbeOf("blank", "image")
    assert named["audio-dropped"] == ProbeOf("dropped", "audio")
    assert len(named) == 8


def test_a_single_example_is_probed_without_derangement() -> None:
    assert set(probes_of(("image",), examples(1))) == {"blank", "noise", "dropped"}
