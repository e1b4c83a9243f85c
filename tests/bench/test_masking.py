"""The dial for sound: text is lost, speech is not."""

from pathlib import Path

import pytest

from bimodal.config import Request, plan
from bimodal.errors import UsageError
from bimodal.masking import masked, with_masked_text
from bimodal.types import Dataset, Example

from ..reports.factories import make_dataset


@pytest.mark.parametrize(("share", "lost"), [(0.0, 0), (0.5, 5), (1.0, 10)])
def test_a_share_of_letters_and_digits_is_lost(share: float, lost: int) -> None:
    text = masked("red ball 123", share, "a")
    assert text.count("_") == lost
    assert (text[3], text[8]) == (" ", " ")


def test_what_is_lost_at_one_share_is_lost_at_every_larger_one() -> None:
    less, more = (masked("a very long sentence", share, "a") for share in (0.3, 0.7))
    assert all(b == "_" for a, b in zip(less, more, strict=True) if a == "_")


def test_sound_and_target_stay_and_the_record_says_what_was_done() -> None:
    before = Dataset(
        make_dataset(), {"train": (), "validation": (), "test": (Example("a", "red", "rot", audio=Path("a")),)}
    )
    after = with_masked_text(before, 1.0)
    assert after.examples("test") == (Example("a", "___", "rot", audio=Path("a")),)
    assert after.record.dial == 1.0
    assert after.record.fingerprint != before.record.fingerprint


def test_a_data_set_that_is_spoken_has_a_dial_and_one_that_is_not_has_none() -> None:
    spoken = ["data.speech.engine=espeak"]
    cells = plan(Request("translation", preset="smoke", model="gpt", dials="0,0.5", settings=spoken))
    assert [cell.data.label for cell in cells] == ["openmoji@0", "openmoji@0.5"]
    with pytest.raises(UsageError, match="has no dial"):
        plan(Request("translation", preset="smoke", dials="0,0.5"))
