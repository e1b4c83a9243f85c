"""garbage: which objects the collector walks over."""

import gc
import weakref

from bimodal.garbage import nothing_collected, present_objects_left_alone


class Cycle:
    def __init__(self) -> None:
        self.me = self


def test_the_collector_does_not_look_within_the_block_and_does_afterwards() -> None:
    with nothing_collected():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_there_is_left_alone_and_looked_at_again_afterwards() -> None:
    before = Cycle()
    gone = weakref.ref(before)
    with present_objects_left_alone():
        assert len(gc.get_objects()) < 1_000
        del before
        gc.collect()
        assert gone() is not None
    gc.collect()
    assert gone() is None


def test_cycles_made_within_are_collected() -> None:
    with present_objects_left_alone():
        gone = weakref.ref(Cycle())
        gc.collect()
        assert gone() is None


def test_an_error_ends_it() -> None:
    try:
        with present_objects_left_alone():
            raise RuntimeError
    except RuntimeError:
        assert gc.get_freeze_count() == 0
