"""Data that cannot be used: every message names the place, what is wrong and what to do; rows can be skipped."""

import json
from collections.abc import Callable
from pathlib import Path

import own_folders
import pytest
from PIL import Image

from bimodal.errors import DataError


def replace_line(path: Path, number: int, line: str | bytes) -> None:
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line if isinstance(line, bytes) else line.encode()
    path.write_bytes(b"\n".join(lines))


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)


def change_json(path: Path, change: Callable[[dict], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def first_annotation(**changes: object) -> Callable[[Path], None]:
    return lambda folder: change_json(
        folder / "annotations" / "captions_train2017.json", lambda content: content["annotations"][0].update(changes)
    )


CASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    # Encodings.
    "latin-1": (
        "multi30k",
        lambda d: replace_line(d / "train.de", 2, "Ein Hund für dich".encode("latin-1")),
        r"train\.de, line 2: not UTF-8 \(byte 0xFC at column 11\)\. Convert the file: iconv -f LATIN1",
    ),
    "latin-1 in JSON": (
        "coco",
        lambda d: (d / "annotations" / "captions_val2017.json").write_bytes(b'{\n"images": "\xe9"}'),
        r"captions_val2017\.json, line 2: not UTF-8\. Convert",
    ),
    "UTF-16": (
        "wnut",
        lambda d: (d / "wnut17train.conll").write_text("a\tO\n", encoding="utf-16"),
        r"wnut17train\.conll: is UTF-16, not UTF-8\. Convert it: iconv -f UTF-16",
    ),
    # Columns and structure.
    "a tab missing": (
        "wnut",
        lambda d: replace_line(d / "wnut17train.conll", 3, "Empire B-location"),
        r"wnut17train\.conll, line 3: 1 column instead of 2 \(word, entity tag, with tabs between\)",
    ),
    "a column missing": (
        "conll2003",
        lambda d: replace_line(d / "eng.train", 3, "EU NNP I-ORG"),
        r"eng\.train, line 3: 3 columns instead of 4 \(word, part of speech, chunk, entity tag, with spaces between\)",
    ),
    "a caption without a tab": (
        "flickr30k",
        lambda d: replace_line(d / "results_20130124.token", 4, "1001.jpg#1 Two guys ."),
        r"results_20130124\.token, line 4: 1 column instead of 2 \(picture#number, caption",
    ),
    "a caption without a number": (
        "flickr30k",
        lambda d: replace_line(d / "results_20130124.token", 4, "1001.jpg\tTwo guys ."),
        r"line 4: '1001\.jpg' is not PICTURE\.jpg#NUMBER\. Write the caption's number",
    ),
    "a TSV row with a tab too few": (
        "tsv",
        lambda d: replace_line(d / "train.tsv", 3, "dog 1"),
        r"train\.tsv, line 3: 1 column instead of 3 \(text, target, image\)",
    ),
    "a bar too many": (
        "ljspeech",
        lambda d: replace_line(d / "metadata.csv", 1, "LJ001-0000|a|b|c"),
        r"metadata\.csv, line 1: 4 columns instead of 3 \(clip, transcript, normalised transcript, with '\|' between",
    ),
    "a header without the needed names": (
        "commonvoice",
        lambda d: replace_line(d / "train.tsv", 1, "client_id\tfile\ttext"),
        r"train\.tsv, line 1: the header lacks 'path' or 'sentence'",
    ),
    "a short row": (
        "commonvoice",
        lambda d: replace_line(d / "train.tsv", 2, "speaker0\tcv_de_0.wav"),
        r"train\.tsv, line 2: 2 columns instead of 10",
    ),
    "a turn without an end": (
        "dailydialog",
        lambda d: replace_line(d / "train" / "dialogues_train.txt", 2, "Hello . __eou__ Hi ."),
        r"dialogues_train\.txt, line 2: the line does not end with __eou__",
    ),
    "nobody answers": (
        "dailydialog",
        lambda d: replace_line(d / "train" / "dialogues_train.txt", 2, "Hello . __eou__"),
        r"dialogues_train\.txt, line 2: one turn only: nobody answers",
    ),
    "a history that is no list": (
        "personachat",
        lambda d: change_json(
            d / "personachat_self_original.json", lambda c: c["train"][1]["utterances"][0].update(history="hi")
        ),
        r"json, train\[1\]\.utterances\[0\]: 'history' is str, not list",
    ),
    "lines that drift apart": (
        "wmt",
        lambda d: append(d / "train.de-en.de", "eine Zeile zu viel\n"),
        r"train\.de-en\.en: 4 lines, but train\.de-en\.de has 5\. Line-aligned files need as many lines",
    ),
    "an empty line": (
        "wmt",
        lambda d: replace_line(d / "train.de-en.de", 2, ""),
        r"train\.de-en\.de, line 2: the line is empty\. Fill it, or remove it from both files",
    ),
    "broken JSON": (
        "jsonl",
        lambda d: replace_line(d / "train.jsonl", 2, '{"text": "dog",'),
        r"train\.jsonl, line 2: not JSON \(.* at column \d+\)\. Each line is one object",
    ),
    "a broken catalogue": (
        "gettext",
        lambda d: append(d / "de.po", '\nmsgfoo "open"\n'),
        r"de\.po: is no catalogue \(.*\)\. Check it: msgfmt --check",
    ),
    # Tags.
    "BIO that starts with I-": (
        "wnut",
        lambda d: replace_line(d / "wnut17train.conll", 3, "Empire\tI-location"),
        r"wnut17train\.conll, line 3: I-location goes on with nothing: the tag before it is O\. "
        r"An entity begins with B-location",
    ),
    "a tag that is none": (
        "mner",
        lambda d: replace_line(d / "train.txt", 3, "@DailyMirror\tOTHER"),
        r"train\.txt, line 3: 'OTHER' is no BIO tag\. Allowed are O, B-TYPE and I-TYPE",
    ),
    "a type that training lacks": (
        "wnut",
        lambda d: replace_line(d / "emerging.test.annotated", 1, "@paulwalk\tB-persom"),
        r"emerging\.test\.annotated, line 1: unknown tag type 'persom': it never occurs in training",
    ),
    "a tweet without a picture": (
        "mner",
        lambda d: replace_line(d / "train.txt", 1, ""),
        r"train\.txt, line 2: 0 lines IMGID:\.\.\. above this tweet instead of one",
    ),
    "tags for other words": (
        "jsonl",
        lambda d: [
            own_folders.write(d / f"{name}.jsonl", '{"text": "Ann lives", "tags": ["B-PER"]}\n')
            for name in ("train", "validation", "test")
        ],
        r"jsonl, line 1: 1 tags for 2 words\. Each word \(what single spaces separate\) needs one",
    ),
    # Files that are named.
    "a picture that is not there": (
        "coco",
        lambda d: (d / "train2017" / f"{3:012d}.jpg").unlink(),
        r"captions_train2017\.json, annotations\[6\]: the file '000000000003\.jpg' is not there \(looked in train2017",
    ),
    "a sound that is not there": (
        "ljspeech",
        lambda d: (d / "wavs" / "LJ001-0004.wav").unlink(),
        r"metadata\.csv, line 5: the file 'LJ001-0004\.wav' is not there",
    ),
    "a caption of no picture": (
        "coco",
        first_annotation(image_id=99),
        r"annotations\[0\]: no entry of 'images' has the id 99",
    ),
    "a way out of the folder": (
        "jsonl",
        lambda d: append(d / "train.jsonl", '{"text": "x", "target": "y", "image": "../../secret.png"}\n'),
        r"train\.jsonl, line 5: the file name '\.\./\.\./secret\.png' leads out of the folder",
    ),
    "an absolute file name": (
        "tsv",
        lambda d: replace_line(d / "train.tsv", 2, "dog\tHund\t/etc/hostname"),
        r"train\.tsv, line 2: the file name '/etc/hostname' leads out of the folder",
    ),
    "a link out of the folder": (
        "multi30k",
        lambda d: (
            own_folders.picture(d.parent / "outside.jpg", 1),
            (d / "flickr30k-images" / "1.jpg").unlink(),
            (d / "flickr30k-images" / "1.jpg").symlink_to(d.parent / "outside.jpg"),
        ),
        r"train\.txt, line 2: the file name '1\.jpg' leads out of the folder",
    ),
    "a corrupt picture": (
        "coco",
        lambda d: (d / "train2017" / f"{0:012d}.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short"),
        r"annotations\[0\]: 000000000000\.jpg: not a readable picture .* Replace the file",
    ),
    "a picture 20,000 pixels wide": (
        "multi30k",
        lambda d: Image.new("L", (20_000, 2)).save(d / "flickr30k-images" / "0.jpg"),
        r"train\.en, line 1: 0\.jpg: 20,000 pixels in one direction; at most 16,384 are allowed\. Scale the picture",
    ),
    "a sound of zero length": (
        "commonvoice",
        lambda d: own_folders.sound(d / "clips" / "cv_de_0.wav", seconds=0),
        r"train\.tsv, line 2: cv_de_0\.wav: the sound has no samples",
    ),
    "a sound with 8 channels": (
        "ljspeech",
        lambda d: own_folders.sound(d / "wavs" / "LJ001-0000.wav", channels=8),
        r"metadata\.csv, line 1: LJ001-0000\.wav: 8 channels; mono or stereo is allowed",
    ),
    # Rows that do not go together.
    "an id twice": (
        "jsonl",
        lambda d: replace_line(d / "train.jsonl", 2, '{"id": "x0", "text": "cat", "target": "Katze"}'),
        r"train\.jsonl, line 2: the id 'x0' was used before \(train\.jsonl, line 1\)\. Ids must be unique",
    ),
    "splits that overlap": (
        "wnut",
        lambda d: replace_line(d / "wnut17train.conll", 1, "@paulwalk6\tO"),
        r"wnut17train\.conll, line 1: is in the train split and, at emerging\.test\.annotated, line 1, in the test "
        r"split\. Remove it from train",
    ),
    "a picture in two splits": (
        "coco",
        lambda d: (d / "train2017" / f"{2:012d}.jpg").write_bytes((d / "val2017" / f"{9:012d}.jpg").read_bytes()),
        r"captions_train2017\.json, annotations\[4\]: is in the \w+ split and, at captions_val2017\.json, annotations",
    ),
    "an unknown split": (
        "karpathy",
        lambda d: change_json(d / "dataset_coco.json", lambda c: c["images"][0].update(split="trian")),
        r"dataset_coco\.json, images\[0\]: unknown split 'trian'\. Allowed: train, restval, val, test",
    ),
    "no list of pictures": (
        "multi30k",
        lambda d: (d / "image_splits" / "val.txt").unlink(),
        r"val\.\w+: no list of its pictures\. Add image_splits/val\.txt",
    ),
    "an empty target": (
        "tsv",
        lambda d: replace_line(d / "train.tsv", 2, "dog\t\tp/0.png"),
        r"train\.tsv, line 2: nothing to be produced: the target is empty",
    ),
}
WHOLE_FILE = {
    # What is wrong with a file as a whole cannot be skipped.
    "latin-1 in JSON",
    "UTF-16",
    "a header without the needed names",
    "lines that drift apart",
    "a broken catalogue",
    "no list of pictures",
    "tags for other words",
}


def options(case: str) -> dict[str, str]:
    return {"format": CASES[case][0]} | ({"task": "ner"} if case == "tags for other words" else {})


@pytest.mark.parametrize("case", CASES)
def test_the_message_names_the_place_and_the_fix(own, load, case: str) -> None:
    name, spoil, message = CASES[case]
    folder = own(name)
    spoil(folder)
    with pytest.raises(DataError, match=message) as raised:
        load(folder, **options(case))
    assert str(folder.parent) not in str(raised.value)


@pytest.mark.parametrize("case", sorted(set(CASES) - WHOLE_FILE))
def test_bad_rows_can_be_skipped_and_are_counted(own, load, case: str) -> None:
    name, spoil, _ = CASES[case]
    folder = own(name)
    whole = sum(load(folder, **options(case)).record.splits.values())
    spoil(folder)
    record = load(folder, **options(case), on_bad_example="skip").record
    assert 1 <= record.skipped <= 4
    assert record.skipped_because
    assert sum(record.splits.values()) <= whole


def test_the_way_around_is_said(own, load) -> None:
    folder = own("tsv")
    replace_line(folder / "train.tsv", 3, "dog")
    with pytest.raises(DataError, match=r"\(--on-bad-example skip leaves such rows out and counts them\)"):
        load(folder)


def test_a_folder_without_a_usable_row_is_refused(own, load) -> None:
    folder = own("tsv")
    for name in ("train", "validation", "test"):
        own_folders.write(folder / f"{name}.tsv", "text\ttarget\n\tx\n")
    with pytest.raises(DataError, match=r"no usable examples in the format 'tsv'\. The first problem: test\.tsv"):
        load(folder, on_bad_example="skip")


def test_too_few_rows_to_draw_splits_from_are_refused(load, tmp_path: Path) -> None:
    own_folders.write(tmp_path / "few" / "all.tsv", "a\tb\nc\td\n")
    with pytest.raises(DataError, match=r"2 groups of training examples are too few to draw test and validation from"):
        load(tmp_path / "few")
