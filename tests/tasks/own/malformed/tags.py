"""Tagged sentences, spoilt: CoNLL-2003, WNUT, Twitter-2015/2017."""

from own_spoil import added, content, cut, gone, line, picture, row, same, utf16, whole

_FIX_COLUMNS = "Put the separators in, or remove the sentence."
_FOUR = f"instead of 4 (word, part of speech, chunk, entity tag, with spaces between). {_FIX_COLUMNS}"
_TWO = f"instead of 2 (word, entity tag, with tabs between). {_FIX_COLUMNS}"
_BIO = "Allowed are O, B-TYPE and I-TYPE (for example B-PER)."
_IOB2 = "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\nGerman JJ B-NP B-MISC\n\n"

CONLL2003 = {
    "latin-1": row(
        "eng.train, line 4: not UTF-8 (byte 0xE9 at column 4). Convert the file: iconv -f LATIN1 -t UTF-8 eng.train "
        "(or whatever it was written in).",
        line("eng.train", 4, "caf\xe9 NN I-NP O".encode("latin-1")),
    ),
    "UTF-16": whole(
        "eng.train: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 eng.train.", utf16("eng.train")
    ),
    "an empty file": whole("eng.testb: is empty. Fetch or export it again, or remove it.", content("eng.testb", "")),
    "cut short": row(f"eng.train, line 21: 3 columns {_FOUR}", cut("eng.train", len(" O\n"))),
    "a column missing": row(f"eng.train, line 3: 3 columns {_FOUR}", line("eng.train", 3, "EU NNP I-ORG")),
    "a column too many": row(f"eng.train, line 3: 5 columns {_FOUR}", line("eng.train", 3, "EU NNP I-NP I-ORG x")),
    "tabs instead of spaces": row(f"eng.train, line 3: 1 column {_FOUR}", line("eng.train", 3, "EU\tNNP\tI-NP\tI-ORG")),
    "a blank line missing": row(
        "eng.train, line 3: is in the train split and, at eng.testb, line 3, in the test split. Remove it from train: "
        "a score on seen examples says nothing.",
        same("eng.train", "eng.testb"),
        added("eng.train", "\nEU NNP I-NP I-ORG\nsaid VBD I-VP O\nGerman JJ I-NP I-MISC\n"),
        skipped=2,
    ),
    "a tag that is none": row(
        f"eng.train, line 3: 'ORG' is no BIO tag. {_BIO}", line("eng.train", 3, "EU NNP I-NP ORG")
    ),
    "a tag in lower case": row(
        f"eng.train, line 4: 'o' is no BIO tag. {_BIO}", line("eng.train", 4, "rejects VBZ I-VP o")
    ),
    "IOB2 in which an entity starts with I-": row(
        "eng.train, line 7: I-PER goes on with nothing: the tag before it is O. An entity begins with B-PER.",
        content("eng.train", _IOB2 + "by IN B-PP O\nhim NN B-NP O\n\nAnn NNP B-NP I-PER\n".replace("\n\n", "\n")),
    ),
    "a type that training lacks": row(
        "eng.testb, line 3: unknown tag type 'ROG': it never occurs in training, which has MISC, ORG. Correct the tag, "
        "or remove the sentence.",
        line("eng.testb", 3, "EU NNP I-NP I-ROG"),
    ),
    "a control character": row(
        "eng.train, line 3: the text has the character U+0000 at position 3. Remove it: control characters are no "
        "text.",
        line("eng.train", 3, "EU\0 NNP I-NP I-ORG"),
    ),
    "no training split": whole(
        "no training examples: all 4 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone("eng.train"),
    ),
}

_WNUT = "wnut17train.conll"
WNUT = {
    "latin-1": row(
        f"{_WNUT}, line 2: not UTF-8 (byte 0xE9 at column 4). Convert the file: iconv -f LATIN1 -t UTF-8 {_WNUT} (or "
        "whatever it was written in).",
        line(_WNUT, 2, "caf\xe9\tO".encode("latin-1")),
    ),
    "UTF-16": whole(f"{_WNUT}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_WNUT}.", utf16(_WNUT)),
    "an empty file": whole(f"{_WNUT}: is empty. Fetch or export it again, or remove it.", content(_WNUT, "\n\n")),
    "cut short": row(f"{_WNUT}, line 19: 1 column {_TWO}", cut(_WNUT, len("\tI-location\n"))),
    "a tab missing": row(f"{_WNUT}, line 3: 1 column {_TWO}", line(_WNUT, 3, "Empire B-location")),
    "a column too many": row(f"{_WNUT}, line 3: 3 columns {_TWO}", line(_WNUT, 3, "Empire\tNNP\tB-location")),
    "no word": row(f"{_WNUT}, line 3: 2 columns {_TWO}", line(_WNUT, 3, "\tB-location")),
    "BIO that starts with I-": row(
        f"{_WNUT}, line 3: I-location goes on with nothing: the tag before it is O. An entity begins with B-location.",
        line(_WNUT, 3, "Empire\tI-location"),
    ),
    "an entity that changes its type": row(
        f"{_WNUT}, line 4: I-person goes on with nothing: the tag before it is B-location. An entity begins with "
        "B-person.",
        line(_WNUT, 4, "State\tI-person"),
    ),
    "a tag that is none": row(f"{_WNUT}, line 3: 'B-' is no BIO tag. {_BIO}", line(_WNUT, 3, "Empire\tB-")),
    "a type that training lacks": row(
        "emerging.test.annotated, line 1: unknown tag type 'persom': it never occurs in training, which has location. "
        "Correct the tag, or remove the sentence.",
        line("emerging.test.annotated", 1, "@paulwalk\tB-persom"),
    ),
    "a sentence in two splits": row(
        f"{_WNUT}, line 1: is in the train split and, at emerging.test.annotated, line 1, in the test split. Remove it "
        "from train: a score on seen examples says nothing.",
        line(_WNUT, 1, "@paulwalk6\tO"),
    ),
    "no training split": whole(
        "no training examples: all 4 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone(_WNUT),
    ),
}

_PICTURE = "twitter2015_images/1109793.jpg"
MNER = {
    "latin-1": row(
        "train.txt, line 2: not UTF-8 (byte 0xE9 at column 4). Convert the file: iconv -f LATIN1 -t UTF-8 train.txt "
        "(or whatever it was written in).",
        line("train.txt", 2, "caf\xe9\tO".encode("latin-1")),
    ),
    "UTF-16": whole(
        "train.txt: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 train.txt.", utf16("train.txt")
    ),
    "an empty file": whole("test.txt: is empty. Fetch or export it again, or remove it.", content("test.txt", "")),
    "cut short": row(f"train.txt, line 23: 1 column {_TWO}", cut("train.txt", len("\tI-PER\n"))),
    "a tab missing": row(f"train.txt, line 3: 1 column {_TWO}", line("train.txt", 3, "@DailyMirror B-OTHER")),
    "a tag that is none": row(
        f"train.txt, line 3: 'OTHER' is no BIO tag. {_BIO}", line("train.txt", 3, "@DailyMirror\tOTHER")
    ),
    "BIO that starts with I-": row(
        "train.txt, line 2: I-PER goes on with nothing: the tag before it is O. An entity begins with B-PER.",
        line("train.txt", 2, "RT\tI-PER"),
    ),
    "a type that training lacks": row(
        "test.txt, line 2: unknown tag type 'PRE': it never occurs in training, which has OTHER, PER. Correct the tag, "
        "or remove the sentence.",
        line("test.txt", 4, "Ann\tB-PRE"),
        line("test.txt", 5, "Lee\tI-PRE"),
    ),
    "a tweet without a picture": row(
        "train.txt, line 2: 0 lines IMGID:... above this tweet instead of one. Each tweet has one, and a blank line "
        "after its last word.",
        line("train.txt", 1, ""),
    ),
    "a blank line missing": row(
        "train.txt, line 2: 2 lines IMGID:... above this tweet instead of one. Each tweet has one, and a blank line "
        "after its last word.",
        line("train.txt", 6, "RT\tO"),
    ),
    "a picture that is not there": row(
        "train.txt, line 2: the file '1109793.jpg' is not there (looked in twitter2015_images). Add it, or remove the "
        "line.",
        gone(_PICTURE),
    ),
    "a way out of the folder": row(
        "train.txt, line 2: the file name '../../etc/1.jpg' leads out of the folder. Files must lie in the data folder "
        "and be named relative to it.",
        line("train.txt", 1, "IMGID:../../etc/1"),
    ),
    "a corrupt picture": row(
        "train.txt, line 2: 1109793.jpg: not a readable picture (...). Replace the file.",
        content(_PICTURE, b"GIF89a cut short"),
    ),
    "a picture 20,000 pixels wide": row(
        "train.txt, line 2: 1109793.jpg: 20,000 pixels in one direction; at most 16,384 are allowed. Scale the picture "
        "down.",
        picture(_PICTURE, (20_000, 2)),
    ),
    "a picture in two splits": row(
        "train.txt, line 2: is in the train split and, at test.txt, line 2, in the test split. Remove it from train: a "
        "score on seen examples says nothing.",
        same(_PICTURE, "twitter2015_images/1109799.jpg"),
    ),
}
