"""Python's garbage collector does not walk over what stays anyway.

Importing torch and loading a data set make some 700,000 objects that live as long as the process. Autograd makes enough
objects a step for the collector to look for cycles again and again, and each full look walks over all of them: 7 % of
a multimodal step of preset `small`, and now and then in the middle of a request that is timed.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Within the block the collector does not look: imports make hardly anything but what stays (0.2 s of torch's)."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def present_objects_left_alone() -> Iterator[None]:
    """Within the block the collector looks at objects alone that were made in it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
