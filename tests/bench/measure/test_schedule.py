"""Who answers when."""

from collections import Counter

import pytest

from bimodal.measure.schedule import processes_for, turns

A, B, C = ("gpt", 0), ("multimodal", 0), ("gpt", 1)


def test_two_rounds_are_a_b_b_a() -> None:
    assert turns((A, B), 0) + turns((A, B), 1) == (A, B, B, A)


def test_everybody_stands_equally_often_at_every_place() -> None:
    places = [Counter(turns((A, B, C), number)[place] for number in range(6)) for place in range(3)]
    assert places == [Counter({A: 2, B: 2, C: 2})] * 3


@pytest.mark.parametrize(("contestants", "processes"), [(1, 3), (2, 3), (3, 3), (4, 2), (5, 2)])
def test_processes_are_enough_to_know_what_they_differ_by(contestants: int, processes: int) -> None:
    assert processes_for(contestants) == processes
