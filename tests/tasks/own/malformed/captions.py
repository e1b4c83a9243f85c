"""Captions of pictures, spoilt: COCO, Flickr30k, Karpathy's splits."""

from own_spoil import ABSENT, content, cut, entry, gone, line, linked_outside, picture, row, same, utf16, whole

_TRAIN = "annotations/captions_train2017.json"
_FORMAT = "docs/data.md has the format."
_NO_PICTURE = b"\xff\xd8\xff\xe0 cut short"

COCO = {
    "latin-1": whole(
        "captions_train2017.json, line 2: not UTF-8. Convert: iconv -f LATIN1 -t UTF-8 captions_train2017.json.",
        content(_TRAIN, b'{\n"images": "\xe9"}'),
    ),
    "UTF-16": whole(
        "captions_train2017.json: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 captions_train2017.json.",
        utf16(_TRAIN),
    ),
    "an empty file": whole(
        "captions_train2017.json: is empty. Fetch or export it again, or remove it.", content(_TRAIN, "")
    ),
    "cut short": whole(
        "captions_train2017.json, line 1: not JSON (... at column ...). Correct or export it again.", cut(_TRAIN, 30)
    ),
    "a list instead of an object": whole(
        f"captions_train2017.json: the entry is []. It must be an object; {_FORMAT}", content(_TRAIN, "[]")
    ),
    "no annotations": whole(
        f"captions_train2017.json: 'annotations' is missing. It must be a list; {_FORMAT}",
        entry(_TRAIN, "annotations", ABSENT),
    ),
    "annotations of nothing": whole(
        f"captions_train2017.json: 'annotations' is null. It must be a list; {_FORMAT}",
        entry(_TRAIN, "annotations", None),
    ),
    "a caption that is null": row(
        f"captions_train2017.json, annotations[0]: 'caption' is null. It must be a string; {_FORMAT}",
        entry(_TRAIN, "annotations/0/caption", None),
    ),
    "an id that is a text": row(
        f"captions_train2017.json, annotations[1]: 'id' is \"101\". It must be a whole number; {_FORMAT}",
        entry(_TRAIN, "annotations/1/id", "101"),
    ),
    "a caption of no picture": row(
        "captions_train2017.json, annotations[0]: no entry of 'images' has the id 99. Add it, or remove the caption.",
        entry(_TRAIN, "annotations/0/image_id", 99),
    ),
    "a caption's id twice": row(
        "captions_train2017.json, annotations[1]: the id '100' was used before (captions_train2017.json, "
        "annotations[0]). Ids must be unique.",
        entry(_TRAIN, "annotations/1/id", 100),
    ),
    "a picture's id twice": row(
        "captions_train2017.json, images[1]: the id 0 is that of '000000000000.jpg' already. Ids of pictures must be "
        "unique.",
        entry(_TRAIN, "images/1/id", 0),
        skipped=3,  # the entry, and the two captions of the id 1
    ),
    "a picture that is not there": row(
        "captions_train2017.json, annotations[6]: the file '000000000003.jpg' is not there (looked in train2017, "
        "val2017, the data folder). Add it, or remove the line.",
        gone("train2017/000000000003.jpg"),
        skipped=2,
    ),
    "a way out of the folder": row(
        "captions_train2017.json, annotations[0]: the file name '../../0.jpg' leads out of the folder. Files must lie "
        "in the data folder and be named relative to it.",
        entry(_TRAIN, "images/0/file_name", "../../0.jpg"),
        skipped=2,
    ),
    "a name with a NUL": row(
        "captions_train2017.json, annotations[0]: 'train2017/a\\x00.jpg' cannot be the name of a file. Correct it, or "
        "remove the line.",
        entry(_TRAIN, "images/0/file_name", "a\0.jpg"),
        skipped=2,
    ),
    "a corrupt picture": row(
        "captions_train2017.json, annotations[0]: 000000000000.jpg: not a readable picture (...). Replace the file.",
        content("train2017/000000000000.jpg", _NO_PICTURE),
        skipped=2,
    ),
    "half a surrogate pair": row(
        "captions_train2017.json, annotations[0]: the target has the character U+D83D at position 3. Remove it: "
        "control characters are no text.",
        entry(_TRAIN, "annotations/0/caption", "A \ud83d"),
    ),
    "a picture in two splits": row(
        "captions_train2017.json, annotations[4]: is in the ... split and, at captions_val2017.json, annotations[2], "
        "in the test split. Remove it from ...: a score on seen examples says nothing.",
        same("train2017/000000000002.jpg", "val2017/000000000009.jpg"),
        skipped=2,
    ),
    "no training split": whole(
        "no training examples: all 8 are of validation. Training files have 'train' in their names (docs/data.md).",
        gone(_TRAIN),
    ),
}

_TOKENS = "results_20130124.token"
FLICKR30K = {
    "latin-1": row(
        f"{_TOKENS}, line 2: not UTF-8 (byte 0xE9 at column 17). Convert the file: iconv -f LATIN1 -t UTF-8 {_TOKENS} "
        "(or whatever it was written in).",
        line(_TOKENS, 2, "1000.jpg#1\tA caf\xe9 .".encode("latin-1")),
    ),
    "UTF-16": whole(
        f"{_TOKENS}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_TOKENS}.", utf16(_TOKENS)
    ),
    "an empty file": whole(f"{_TOKENS}: is empty. Fetch or export it again, or remove it.", content(_TOKENS, "\n")),
    "cut short": row(
        f"{_TOKENS}, line 24: 1 column instead of 2 (picture#number, caption, with tabs between). Put the separators "
        "in, or remove the line.",
        cut(_TOKENS, len("\tTwo young guys number 11 look at 1 hands .\n")),
    ),
    "a tab missing": row(
        f"{_TOKENS}, line 4: 1 column instead of 2 (picture#number, caption, with tabs between). Put the separators "
        "in, or remove the line.",
        line(_TOKENS, 4, "1001.jpg#1 Two guys ."),
    ),
    "a tab too many": row(
        f"{_TOKENS}, line 4: 3 columns instead of 2 (picture#number, caption, with tabs between). Put the separators "
        "in, or remove the line.",
        line(_TOKENS, 4, "1001.jpg\t1\tTwo guys ."),
    ),
    "no number": row(
        f"{_TOKENS}, line 4: '1001.jpg' is not PICTURE.jpg#NUMBER. Write the caption's number after a '#'.",
        line(_TOKENS, 4, "1001.jpg\tTwo guys ."),
    ),
    "a number twice": row(
        f"{_TOKENS}, line 4: the id '1001.jpg#0' was used before ({_TOKENS}, line 3). Ids must be unique.",
        line(_TOKENS, 4, "1001.jpg#0\tTwo guys ."),
    ),
    "no caption": row(
        f"{_TOKENS}, line 4: nothing to be produced: the target is empty. Fill it, or remove the row.",
        line(_TOKENS, 4, "1001.jpg#1\t "),
    ),
    "a picture that is not there": row(
        f"{_TOKENS}, line 1: the file '1000.jpg' is not there (looked in flickr30k-images, the data folder). Add it, "
        "or remove the line.",
        gone("flickr30k-images/1000.jpg"),
        skipped=2,
    ),
    "an absolute file name": row(
        f"{_TOKENS}, line 1: the file name '/etc/hostname' leads out of the folder. Files must lie in the data folder "
        "and be named relative to it.",
        line(_TOKENS, 1, "/etc/hostname#0\tTwo guys ."),
    ),
    "a link out of the folder": row(
        f"{_TOKENS}, line 1: the file name 'flickr30k-images/1000.jpg' leads out of the folder. Files must lie in the "
        "data folder and be named relative to it.",
        linked_outside("flickr30k-images/1000.jpg"),
        skipped=2,
    ),
    "a picture 20,000 pixels wide": row(
        f"{_TOKENS}, line 1: 1000.jpg: 20,000 pixels in one direction; at most 16,384 are allowed. Scale the picture "
        "down.",
        picture("flickr30k-images/1000.jpg", (20_000, 2)),
        skipped=2,
    ),
    "a control character": row(
        f"{_TOKENS}, line 1: the target has the character U+0008 at position 4. Remove it: control characters are no "
        "text.",
        line(_TOKENS, 1, "1000.jpg#0\tTwo\b guys ."),
    ),
    "too few pictures": whole(
        "1 groups of training examples are too few to draw test and validation from. Add examples, or files for all "
        "three splits.",
        content(_TOKENS, "1000.jpg#0\tTwo guys .\n"),
    ),
}

_SPLITS = "dataset_coco.json"
KARPATHY = {
    "latin-1": whole(
        f"{_SPLITS}, line 1: not UTF-8. Convert: iconv -f LATIN1 -t UTF-8 {_SPLITS}.",
        content(_SPLITS, b'{"images": ["\xe9"]}'),
    ),
    "UTF-16": whole(
        f"{_SPLITS}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_SPLITS}.", utf16(_SPLITS)
    ),
    "an empty file": whole(f"{_SPLITS}: is empty. Fetch or export it again, or remove it.", content(_SPLITS, "")),
    "cut short": whole(
        f"{_SPLITS}, line 1: not JSON (... at column ...). Correct or export it again.", cut(_SPLITS, 50)
    ),
    "nested too deep": whole(
        f"{_SPLITS}: not JSON that can be read (...). Correct or export it again.",
        content(_SPLITS, '{"images": ' + "[" * 200_000),
    ),
    "no images": whole(
        f"{_SPLITS}: 'images' is missing. It must be a list; {_FORMAT}", entry(_SPLITS, "images", ABSENT)
    ),
    "an unknown split": row(
        f"{_SPLITS}, images[0]: unknown split 'trian'. Allowed: train, restval, val, test.",
        entry(_SPLITS, "images/0/split", "trian"),
    ),
    "a split that is null": row(
        f"{_SPLITS}, images[0]: 'split' is null. It must be a string; {_FORMAT}",
        entry(_SPLITS, "images/0/split", None),
    ),
    "sentences that are a text": row(
        f"{_SPLITS}, images[3]: 'sentences' is \"A man with 3 red helmets.\". It must be a list; {_FORMAT}",
        entry(_SPLITS, "images/3/sentences", "A man with 3 red helmets."),
    ),
    "a sentence without its text": row(
        f"{_SPLITS}, images[3].sentences[0]: 'raw' is missing. It must be a string; {_FORMAT}",
        entry(_SPLITS, "images/3/sentences/0/raw", ABSENT),
    ),
    "a sentence's id twice": row(
        f"{_SPLITS}, images[3].sentences[0]: the id '770337' was used before ({_SPLITS}, images[0].sentences[0]). Ids "
        "must be unique.",
        entry(_SPLITS, "images/3/sentences/0/sentid", 770337),
    ),
    "a picture that is not there": row(
        f"{_SPLITS}, images[0]: the file 'COCO_val2014_000000000000.jpg' is not there (looked in val2014, the data "
        "folder). Add it, or remove the line.",
        gone("val2014/COCO_val2014_000000000000.jpg"),
    ),
    "a folder outside": row(
        f"{_SPLITS}, images[0]: the file name '../val2014' leads out of the folder. Files must lie in the data folder "
        "and be named relative to it.",
        entry(_SPLITS, "images/0/filepath", "../val2014"),
    ),
    "a name that is too long": row(
        f"{_SPLITS}, images[0]: 'val2014/xxx...xxx' cannot be the name of a file. Correct it, or remove the line.",
        entry(_SPLITS, "images/0/filename", "x" * 300),
    ),
    "a picture cut short": row(
        f"{_SPLITS}, images[0].sentences[0]: COCO_val2014_000000000000.jpg: not a readable picture (...). Replace the "
        "file.",
        cut("val2014/COCO_val2014_000000000000.jpg", 200),
    ),
    "no training split": whole(
        "no training examples: all 2 are of test. Training files have 'train' in their names (docs/data.md).",
        *(entry(_SPLITS, "images/0", ABSENT) for _ in range(10)),
    ),
    "a picture in two splits": row(
        f"{_SPLITS}, images[0].sentences[0]: is in the train split and, at {_SPLITS}, images[10].sentences[0], in the "
        "test split. Remove it from train: a score on seen examples says nothing.",
        same("val2014/COCO_val2014_000000000000.jpg", "val2014/COCO_val2014_000000000010.jpg"),
    ),
}
