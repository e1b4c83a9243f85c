import numpy as np
from numpy.typing import NDArray

from bimodal_tasks.openmoji.lookalikes import alike, lookalikes


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((64, 64, 3), level, dtype=np.uint8)


def with_pixels(level: int, count: int, difference: int) -> NDArray[np.uint8]:
    picture = grey(level)
    picture.reshape(-1, 3)[:count] += np.uint8(difference)
    return picture


def test_rendering_noise_is_no_difference() -> None:
    assert alike(grey(100), with_pixels(100, count=15, difference=3))


def test_a_few_pixels_that_differ_visibly_are_a_difference() -> None:
    assert not alike(grey(100), with_pixels(100, count=11, difference=43))


def test_a_shade_over_the_whole_picture_is_a_difference() -> None:
    assert not alike(grey(100), grey(101))


def test_a_group_is_named_after_its_first_member() -> None:
    pictures = {
        "c": grey(100),
        "b": with_pixels(100, count=10, difference=2),
        "a": with_pixels(100, count=20, difference=4),
        "d": grey(50),
    }
    assert lookalikes(pictures) == {"a": "a", "b": "a", "c": "a", "d": "d"}


def test_likeness_is_passed_on() -> None:
    chain = {"a": grey(100), "b": with_pixels(100, 30, 4), "c": with_pixels(100, 60, 4)}
    assert not alike(chain["a"], chain["c"])
    assert lookalikes(chain) == {"a": "a", "b": "a", "c": "a"}
