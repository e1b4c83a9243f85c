"""Dialogues, spoilt: DailyDialog, PersonaChat; and JSONL, which serves them and every other task."""

from own_spoil import ABSENT, added, content, cut, entry, gone, line, picture, row, same, utf16, whole

_FORMAT = "docs/data.md has the format."
_INSIDE = "Files must lie in the data folder and be named relative to it."
_TRAIN = "train/dialogues_train.txt"
_NAME = "dialogues_train.txt"

DAILYDIALOG = {
    "latin-1": row(
        f"{_NAME}, line 2: not UTF-8 (byte 0xE9 at column 4). Convert the file: iconv -f LATIN1 -t UTF-8 {_NAME} (or "
        "whatever it was written in).",
        line(_TRAIN, 2, "caf\xe9 __eou__ no __eou__".encode("latin-1")),
    ),
    "UTF-16": whole(f"{_NAME}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_NAME}.", utf16(_TRAIN)),
    "an empty file": whole(f"{_NAME}: is empty. Fetch or export it again, or remove it.", content(_TRAIN, "")),
    "cut short": row(
        f"{_NAME}, line 4: the line does not end with __eou__. Every turn is followed by __eou__.",
        cut(_TRAIN, len("ou__\n")),
    ),
    "no ends": row(
        f"{_NAME}, line 2: the line does not end with __eou__. Every turn is followed by __eou__.",
        line(_TRAIN, 2, "Say , Jim , beers ?"),
    ),
    "another mark": row(
        f"{_NAME}, line 2: the line does not end with __eou__. Every turn is followed by __eou__.",
        line(_TRAIN, 2, "Hello . __eot__ Hi . __eot__"),
    ),
    "nobody answers": row(
        f"{_NAME}, line 2: one turn only: nobody answers. Remove the line.", line(_TRAIN, 2, "Hello . __eou__")
    ),
    "an empty turn": row(
        f"{_NAME}, line 2: turn 2 is empty. Remove it, or the line.", line(_TRAIN, 2, "Hi __eou__ __eou__ Hi __eou__")
    ),
    "a control character": row(
        f"{_NAME}, line 2: the target has the character U+0000 at position 3. Remove it: control characters are no "
        "text.",
        line(_TRAIN, 2, "Hello . __eou__ Hi\0 . __eou__"),
    ),
    "a dialogue in two splits": row(
        f"{_NAME}, line 1: is in the train split and, at dialogues_test.txt, line 1, in the test split. Remove it from "
        "train: a score on seen examples says nothing.",
        line(_TRAIN, 1, "Say , Jim 6 , beers ? __eou__ You know 6 . __eou__"),
    ),
    "no training split": whole(
        "no training examples: all 8 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone(_TRAIN),
    ),
    "too few dialogues": whole(
        "1 groups of training examples are too few to draw test and validation from. Add examples, or files for all "
        "three splits.",
        line(_TRAIN, 2, ""),
        line(_TRAIN, 3, ""),
        line(_TRAIN, 4, ""),
        gone("validation/dialogues_validation.txt", "test/dialogues_test.txt"),
    ),
}

_JSON = "personachat_self_original.json"
PERSONACHAT = {
    "latin-1": whole(
        f"{_JSON}, line 1: not UTF-8. Convert: iconv -f LATIN1 -t UTF-8 {_JSON}.",
        content(_JSON, b'{"train": ["\xe9"]}'),
    ),
    "UTF-16": whole(f"{_JSON}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_JSON}.", utf16(_JSON)),
    "an empty file": whole(f"{_JSON}: is empty. Fetch or export it again, or remove it.", content(_JSON, "")),
    "cut short": whole(f"{_JSON}, line 1: not JSON (... at column ...). Correct or export it again.", cut(_JSON, 100)),
    "no splits": whole(
        f"{_JSON}: no 'train', 'valid' or 'test' in it. It is one object with these lists.",
        content(_JSON, '{"training": []}'),
    ),
    "a split that is null": whole(
        f"{_JSON}: 'valid' is null. It must be a list; {_FORMAT}", entry(_JSON, "valid", None)
    ),
    "a dialogue that is a text": row(
        f'{_JSON}, train[1]: the entry is "hi". It must be an object; {_FORMAT}', entry(_JSON, "train/1", "hi")
    ),
    "a dialogue without utterances": row(
        f"{_JSON}, train[1]: 'utterances' is missing. It must be a list; {_FORMAT}",
        entry(_JSON, "train/1/utterances", ABSENT),
    ),
    "a history that is a text": row(
        f"{_JSON}, train[1].utterances[0]: 'history' is \"hi\". It must be a list; {_FORMAT}",
        entry(_JSON, "train/1/utterances/0/history", "hi"),
    ),
    "a turn that is null": row(
        f"{_JSON}, train[1].utterances[0]: a turn is null. It must be a string; {_FORMAT}",
        entry(_JSON, "train/1/utterances/0/history/0", None),
    ),
    "an answer that is a number": row(
        f"{_JSON}, train[1].utterances[0]: a turn is 7. It must be a string; {_FORMAT}",
        entry(_JSON, "train/1/utterances/0/candidates/1", 7),
    ),
    "no candidates": row(
        f"{_JSON}, train[1].utterances[0]: no history or no candidates. Both need at least one entry.",
        entry(_JSON, "train/1/utterances/0/candidates", []),
    ),
    "an empty answer": row(
        f"{_JSON}, train[1].utterances[0]: nothing to be produced: the target is empty. Fill it, or remove the row.",
        entry(_JSON, "train/1/utterances/0/candidates/1", " "),
    ),
    "a control character": row(
        f"{_JSON}, train[1].utterances[0]: the target has the character U+0000 at position 3. Remove it: control "
        "characters are no text.",
        entry(_JSON, "train/1/utterances/0/candidates/1", "no\0"),
    ),
    "no training split": whole(
        "no training examples: all 8 are of validation. Training files have 'train' in their names (docs/data.md).",
        entry(_JSON, "train", ABSENT),
    ),
}

_TAGGED = [
    content(f"{name}.jsonl", f'{{"text": "{name}", "tags": ["O"]}}\n') for name in ("train", "validation", "test")
]
JSONL = {
    "latin-1": row(
        "train.jsonl, line 2: not UTF-8 (byte 0xFC at column 12). Convert the file: iconv -f LATIN1 -t UTF-8 "
        "train.jsonl (or whatever it was written in).",
        line("train.jsonl", 2, '{"text": "f\xfcr", "target": "for"}'.encode("latin-1")),
    ),
    "UTF-16": whole(
        "train.jsonl: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 train.jsonl.", utf16("train.jsonl")
    ),
    "an empty file": whole("test.jsonl: is empty. Fetch or export it again, or remove it.", content("test.jsonl", "")),
    "cut short": row(
        "train.jsonl, line 4: not JSON (... at column ...). Each line is one object, without line breaks in it.",
        cut("train.jsonl", 10),
    ),
    "one array for all": row(
        "train.jsonl, line 1: the line is []. It must be an object; docs/data.md has the format.",
        line("train.jsonl", 1, "[]"),
    ),
    "no target": row(
        f"train.jsonl, line 2: 'target' is missing. It must be a string; {_FORMAT}",
        line("train.jsonl", 2, '{"text": "dog"}'),
    ),
    "a text that is null": row(
        f"train.jsonl, line 2: 'text' is null. It must be a string; {_FORMAT}",
        line("train.jsonl", 2, '{"text": null, "target": "Hund"}'),
    ),
    "a picture that is a number": row(
        f"train.jsonl, line 2: 'image' is 7. It must be a string; {_FORMAT}",
        line("train.jsonl", 2, '{"text": "dog", "target": "Hund", "image": 7}'),
    ),
    "an id that is a list": row(
        f"train.jsonl, line 2: 'id' is [1]. It must be a string; {_FORMAT}",
        line("train.jsonl", 2, '{"id": [1], "text": "dog", "target": "Hund"}'),
    ),
    "an id twice": row(
        "train.jsonl, line 2: the id 'x0' was used before (train.jsonl, line 1). Ids must be unique.",
        line("train.jsonl", 2, '{"id": "x0", "text": "cat", "target": "Katze"}'),
    ),
    "a number of thousands of digits": row(
        "train.jsonl, line 2: not JSON that can be read (...). Correct the line, or remove it.",
        line("train.jsonl", 2, f'{{"id": {"9" * 5000}, "text": "dog", "target": "Hund"}}'),
    ),
    "a way out of the folder": row(
        f"train.jsonl, line 5: the file name '../../secret.png' leads out of the folder. {_INSIDE}",
        added("train.jsonl", '{"text": "x", "target": "y", "image": "../../secret.png"}\n'),
    ),
    "a folder instead of a picture": row(
        "train.jsonl, line 5: the file 'p' is not there (looked in the data folder). Add it, or remove the line.",
        added("train.jsonl", '{"text": "x", "target": "y", "image": "p"}\n'),
    ),
    "a picture instead of a sound": row(
        "train.jsonl, line 5: 0.png: not a readable sound (...). Replace the file; WAV, FLAC, Ogg and MP3 can be read.",
        added("train.jsonl", '{"text": "x", "target": "y", "audio": "p/0.png"}\n'),
    ),
    "a picture 20,000 pixels wide": row(
        "train.jsonl, line 1: 0.png: 20,000 pixels in one direction; at most 16,384 are allowed. Scale the picture "
        "down.",
        picture("p/0.png", (20_000, 2)),
    ),
    "a control character": row(
        "train.jsonl, line 2: the text has the character U+0000 at position 4. Remove it: control characters are no "
        "text.",
        line("train.jsonl", 2, r'{"text": "dog\u0000", "target": "Hund"}'),
    ),
    "a picture in two splits": row(
        "train.jsonl, line 1: is in the train split and, at test.jsonl, line 1, in the test split. Remove it from "
        "train: a score on seen examples says nothing.",
        same("p/0.png", "p/6.png"),
    ),
    "tags for other words": row(
        "train.jsonl, line 2: 1 tag for 2 words. Each word (what single spaces separate) needs one.",
        *_TAGGED,
        added("train.jsonl", '{"text": "Ann lives", "tags": ["B-PER"]}\n'),
        task="ner",
    ),
    "a tag that is a number": row(
        f"train.jsonl, line 2: a tag is 1. It must be a string; {_FORMAT}",
        *_TAGGED,
        added("train.jsonl", '{"text": "Ann", "tags": [1]}\n'),
        task="ner",
    ),
}
