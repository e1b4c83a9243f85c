"""Data that cannot be used: every message names the place, what is wrong and what to do; rows can be skipped."""

import own_folders
import own_malformed_captions as captions
import own_malformed_pairs as pairs
import own_malformed_sounds as sounds
import own_malformed_tables as tables
import own_malformed_tags as tags
import own_malformed_turns as turns
import pytest
from own_spoil import WAY_AROUND, Bad

from bimodal.errors import DataError

MALFORMED: dict[str, dict[str, Bad]] = {
    "coco": captions.COCO,
    "flickr30k": captions.FLICKR30K,
    "karpathy": captions.KARPATHY,
    "ljspeech": sounds.LJSPEECH,
    "commonvoice": sounds.COMMONVOICE,
    "conll2003": tags.CONLL2003,
    "wnut": tags.WNUT,
    "mner": tags.MNER,
    "multi30k": pairs.MULTI30K,
    "wmt": pairs.WMT,
    "gettext": pairs.GETTEXT,
    "tsv": pairs.TSV,
    "dailydialog": turns.DAILYDIALOG,
    "personachat": turns.PERSONACHAT,
    "jsonl": turns.JSONL,
    "huggingface": tables.HUGGINGFACE,
}
ROWS = [(name, case) for name, cases in MALFORMED.items() for case in cases]


@pytest.mark.parametrize("name", own_folders.FOLDERS)
def test_every_format_is_tried_with_ten_malformed_variants(name: str) -> None:
    assert len(MALFORMED[name]) >= 10


@pytest.mark.parametrize(("name", "case"), ROWS)
def test_what_is_malformed_is_named_with_its_place_and_the_fix(own, load, name: str, case: str) -> None:
    bad, folder = MALFORMED[name][case], own(name)
    for edit in bad.edits:
        edit(folder)
    with pytest.raises(DataError) as raised:
        load(folder, format=name, **bad.options)
    message = str(raised.value)
    assert bad.says(message.removesuffix(WAY_AROUND)), message
    assert message.endswith(WAY_AROUND) == bool(bad.skipped)
    assert str(folder.parent) not in message


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, case in ROWS if MALFORMED[name][case].skipped])
def test_malformed_rows_can_be_skipped_and_are_counted(own, load, name: str, case: str) -> None:
    bad, folder = MALFORMED[name][case], own(name)
    for edit in bad.edits:
        edit(folder)
    record = load(folder, format=name, on_bad_example="skip", **bad.options).record
    assert record.skipped == bad.skipped
    assert any(bad.says(message) for message in record.skipped_because)


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, case in ROWS if not MALFORMED[name][case].skipped])
def test_a_file_that_is_malformed_as_a_whole_cannot_be_skipped(own, load, name: str, case: str) -> None:
    bad, folder = MALFORMED[name][case], own(name)
    for edit in bad.edits:
        edit(folder)
    with pytest.raises(DataError) as raised:
        load(folder, format=name, on_bad_example="skip", **bad.options)
    assert bad.says(str(raised.value))


def test_a_folder_without_a_usable_row_is_refused(own, load) -> None:
    folder = own("tsv")
    for name in ("train", "validation", "test"):
        own_folders.write(folder / f"{name}.tsv", "text\ttarget\n\tx\n")
    with pytest.raises(DataError, match=r"no usable examples in the format 'tsv'\. The first problem: test\.tsv"):
        load(folder, on_bad_example="skip")
