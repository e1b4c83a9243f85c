"""order.epoch_batches: a pure function of seed and epoch."""

from bimodal.order import epoch_batches

LENGTHS = [(7 * i) % 13 + 1 for i in range(1000)]


def test_every_example_comes_once() -> None:
    batches = epoch_batches(LENGTHS, 16, seed=0, epoch=0)
    assert sorted(index for batch in batches for index in batch) == list(range(1000))
    assert len(batches) == 63  # ceil(1000 / 16): as many as the schedule counts on


def test_the_same_seed_and_epoch_repeat_and_others_do_not() -> None:
    first = epoch_batches(LENGTHS, 16, seed=0, epoch=0)
    assert first == epoch_batches(LENGTHS, 16, seed=0, epoch=0)
    assert first != epoch_batches(LENGTHS, 16, seed=0, epoch=1)
    assert first != epoch_batches(LENGTHS, 16, seed=1, epoch=0)


def test_batches_of_like_length_hold_little_padding() -> None:
    batches = epoch_batches(LENGTHS, 16, seed=0, epoch=0)
    padded = sum(len(batch) * max(LENGTHS[index] for index in batch) for batch in batches)
    assert padded < 1.2 * sum(LENGTHS)
