"""Texts in two languages, spoilt: Multi30k, WMT, gettext, TSV."""

from own_spoil import added, content, cut, gone, line, linked_outside, picture, row, same, utf16, whole

_DRIFT = "find where they drift apart."
_INSIDE = "Files must lie in the data folder and be named relative to it."
_LISTED = "image_splits/train.txt"

MULTI30K = {
    "latin-1": row(
        "train.de, line 2: not UTF-8 (byte 0xFC at column 11). Convert the file: iconv -f LATIN1 -t UTF-8 train.de (or "
        "whatever it was written in).",
        line("train.de", 2, "Ein Hund f\xfcr dich".encode("latin-1")),
    ),
    "UTF-16": whole(
        "train.en: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 train.en.", utf16("train.en")
    ),
    "an empty file": whole("val.de: is empty. Fetch or export it again, or remove it.", content("val.de", "")),
    "cut short": whole(
        f"train.en: 4 lines, but train.de has 3. Line-aligned files need as many lines each: {_DRIFT}",
        cut("train.de", len("Ein Hund Nummer 3 rennt.\n")),
    ),
    "a list of pictures cut short": whole(
        f"train.txt: 3 pictures for the 4 lines of train.en. One file name for each sentence: {_DRIFT}",
        cut(_LISTED, len("3.jpg\n")),
    ),
    "a picture too many": whole(
        f"train.txt: 5 pictures for the 4 lines of train.en. One file name for each sentence: {_DRIFT}",
        added(_LISTED, "4.jpg\n"),
    ),
    "no list of pictures": whole(
        "val.en: no list of its pictures. Add image_splits/val.txt with one file name for each line, or use --format "
        "wmt for the text alone.",
        gone("image_splits/val.txt"),
    ),
    "a translation that is not there": whole("val.en: no val.de beside it. Add it, or remove val.en.", gone("val.de")),
    "an empty line": row(
        "train.de, line 2: the line is empty. Fill it, or remove it from both files.", line("train.de", 2, "")
    ),
    "a line without a picture": row(
        "train.txt, line 2: no picture for this line. One file name for each sentence.", line(_LISTED, 2, "")
    ),
    "a picture that is not there": row(
        "train.txt, line 2: the file '1.jpg' is not there (looked in flickr30k-images, the data folder). Add it, or "
        "remove the line.",
        gone("flickr30k-images/1.jpg"),
    ),
    "a link out of the folder": row(
        f"train.txt, line 2: the file name 'flickr30k-images/1.jpg' leads out of the folder. {_INSIDE}",
        linked_outside("flickr30k-images/1.jpg"),
    ),
    "a picture 20,000 pixels high": row(
        "train.en, line 1: 0.jpg: 20,000 pixels in one direction; at most 16,384 are allowed. Scale the picture down.",
        picture("flickr30k-images/0.jpg", (2, 20_000)),
    ),
    "a picture in two splits": row(
        "train.en, line 1: is in the train split and, at test_2016_flickr.en, line 1, in the test split. Remove it "
        "from train: a score on seen examples says nothing.",
        same("flickr30k-images/0.jpg", "flickr30k-images/6.jpg"),
    ),
    "an unknown language": whole("multi30k: nothing in the language 'fr'. There are: de, en.", language="fr"),
}

_EN, _DE = "train.de-en.en", "train.de-en.de"
WMT = {
    "latin-1": row(
        f"{_DE}, line 4: not UTF-8 (byte 0xFC at column 2). Convert the file: iconv -f LATIN1 -t UTF-8 {_DE} (or "
        "whatever it was written in).",
        line(_DE, 4, "f\xfcr".encode("latin-1")),
    ),
    "UTF-16": whole(f"{_DE}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_DE}.", utf16(_DE)),
    "an empty file": whole(f"{_EN}: is empty. Fetch or export it again, or remove it.", content(_EN, "")),
    "cut short": whole(
        f"{_EN}: 4 lines, but {_DE} has 3. Line-aligned files need as many lines each: {_DRIFT}",
        cut(_DE, len("Wiederaufnahme der Sitzung 3\n")),
    ),
    "a line too many": whole(
        f"{_EN}: 4 lines, but {_DE} has 5. Line-aligned files need as many lines each: {_DRIFT}",
        added(_DE, "eine Zeile zu viel\n"),
    ),
    "an empty line": row(f"{_DE}, line 2: the line is empty. Fill it, or remove it from both files.", line(_DE, 2, "")),
    "a line of spaces": row(
        f"{_EN}, line 2: the line is empty. Fill it, or remove it from both files.", line(_EN, 2, " \t ")
    ),
    "a control character": row(
        f"{_EN}, line 1: the text has the character U+001B at position 5. Remove it: control characters are no text.",
        line(_EN, 1, "Resu\x1b[1mmption"),
    ),
    "a translation that is not there": whole(
        "newstest-dev.de-en.en: no newstest-dev.de-en.de beside it. Add it, or remove newstest-dev.de-en.en.",
        gone("newstest-dev.de-en.de"),
    ),
    "several languages": whole(
        "wmt: several target languages (de, fr). Say which with --set data.language=..., for example the target de.",
        *(content(f"{stem}.fr", "Reprise\n") for stem in ("train.de-en", "newstest-dev.de-en", "newstest-test.de-en")),
    ),
    "an unknown language": whole("wmt: nothing in the language 'it'. There are: de, en.", language="it"),
    "a pair in two splits": row(
        f"{_EN}, line 1: is in the train split and, at newstest-test.de-en.en, line 1, in the test split. Remove it "
        "from train: a score on seen examples says nothing.",
        line(_EN, 1, "resumption  of Session 6"),
        line(_DE, 1, "Wiederaufnahme der Sitzung 6"),
    ),
    "no training split": whole(
        "no training examples: all 4 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone(_EN, _DE),
    ),
}

_PO = "de.po"
_SYNTAX = "Correct it; msgfmt --check shows all that is wrong."
GETTEXT = {
    "latin-1": whole(
        f"{_PO}: is not in the encoding its header names. Convert it: msgconv -t UTF-8 {_PO}.",
        content(_PO, 'msgid "Open"\nmsgstr "\xd6ffnen"\n'.encode("latin-1")),
    ),
    "UTF-16": whole(f"{_PO}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_PO}.", utf16(_PO)),
    "an empty file": whole(f"{_PO}: is empty. Fetch or export it again, or remove it.", content(_PO, "")),
    "cut short": whole(
        f"{_PO}, line 56: no keyword and text in quotes. {_SYNTAX}",
        cut(_PO, len('ss"\n\nmsgid "Untranslated"\nmsgstr ""\n')),
    ),
    "an unknown keyword": whole(
        f"{_PO}, line 7: no keyword and text in quotes. {_SYNTAX}", line(_PO, 7, 'msgfoo "Open file 0"')
    ),
    "a quote inside": whole(
        f"{_PO}, line 7: no keyword and text in quotes. {_SYNTAX}", line(_PO, 7, 'msgid "Open "file" 0"')
    ),
    "a quote missing": whole(
        f"{_PO}, line 7: no keyword and text in quotes. {_SYNTAX}", line(_PO, 7, 'msgid "Open file 0')
    ),
    "a text after nothing": whole(
        f"{_PO}: no catalogue (...). {_SYNTAX}", content(_PO, '"Language: de\\n"\nmsgstr "x"\n')
    ),
    "a compiled catalogue that is none": whole(
        f"de.mo: no catalogue (...). {_SYNTAX}", gone(_PO), content("de.mo", b"not compiled")
    ),
    "a compiled catalogue cut short": whole(
        f"de.mo: no catalogue (...). {_SYNTAX}",
        gone(_PO),
        content("de.mo", b"\xde\x12\x04\x95\0\0\0\0\5\0\0\0\x1c\0\0\0\x44\0\0\0"),
    ),
    "no language": whole(
        "messages.po: no language: neither the header ('Language:') nor the file's name says one, but 'messages'. Name "
        "it by its language: de.po.",
        content("messages.po", 'msgid "Open"\nmsgstr "Öffnen"\n'),
    ),
    "several languages": whole(
        "gettext: catalogues in de, fr. Say which with --set data.language=..., or keep one language per folder.",
        content("fr.po", 'msgid "Open"\nmsgstr "Ouvrir"\n'),
    ),
    "an unknown language": whole(
        "gettext: catalogues in de, none in it. Say which with --set data.language=..., or keep one language per "
        "folder.",
        language="it",
    ),
    "a control character": row(
        f"{_PO}, line 6: the target has the character U+0007 at position 6. Remove it: control characters are no text.",
        line(_PO, 8, 'msgstr "Datei\a 0 öffnen"'),
    ),
    "nothing translated": whole(
        "gettext: no usable examples in the format 'gettext'.", content(_PO, 'msgid "Open"\nmsgstr ""\n')
    ),
}

TSV = {
    "latin-1": row(
        "train.tsv, line 2: not UTF-8 (byte 0xFC at column 6). Convert the file: iconv -f LATIN1 -t UTF-8 train.tsv "
        "(or whatever it was written in).",
        line("train.tsv", 2, "dog\tH\xfcndin\tp/0.png".encode("latin-1")),
    ),
    "UTF-16": whole(
        "train.tsv: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 train.tsv.", utf16("train.tsv")
    ),
    "an empty file": whole("train.tsv: is empty. Fetch or export it again, or remove it.", content("train.tsv", "")),
    "cut short": row(
        "train.tsv, line 5: 2 columns instead of 3 (text, target, image). Put tabs between the columns, or remove the "
        "line.",
        cut("train.tsv", len("\tp/3.png\n")),
    ),
    "tabs missing": row(
        "train.tsv, line 3: 1 column instead of 3 (text, target, image). Put tabs between the columns, or remove the "
        "line.",
        line("train.tsv", 3, "dog 1 Hund 1 p/1.png"),
    ),
    "a tab too many": row(
        "train.tsv, line 3: 4 columns instead of 3 (text, target, image). Put tabs between the columns, or remove the "
        "line.",
        line("train.tsv", 3, "dog\t1\tHund 1\tp/1.png"),
    ),
    "an unknown column": whole(
        "train.tsv, line 1: the column 'picture' is unknown. Allowed, once each: text, target, image, audio.",
        line("train.tsv", 1, "text\ttarget\tpicture"),
    ),
    "a column twice": whole(
        "train.tsv, line 1: the column 'text' is there twice. Allowed, once each: text, target, image, audio.",
        line("train.tsv", 1, "text\ttarget\ttext"),
    ),
    "an empty target": row(
        "train.tsv, line 2: nothing to be produced: the target is empty. Fill it, or remove the row.",
        line("train.tsv", 2, "dog\t\tp/0.png"),
    ),
    "nothing to go by": row(
        "train.tsv, line 2: no text, no picture and no sound. There must be something to go by.",
        line("train.tsv", 2, "\tHund\t"),
    ),
    "an absolute file name": row(
        f"train.tsv, line 2: the file name '/etc/hostname' leads out of the folder. {_INSIDE}",
        line("train.tsv", 2, "dog\tHund\t/etc/hostname"),
    ),
    "a picture that is not there": row(
        "train.tsv, line 2: the file 'p/9.png' is not there (looked in the data folder). Add it, or remove the line.",
        line("train.tsv", 2, "dog\tHund\tp/9.png"),
    ),
    "a sound where a picture should be": row(
        "train.tsv, line 2: 0.png: not a readable picture (...). Replace the file.",
        content("p/0.png", b"RIFF\x24\0\0\0WAVEfmt "),
    ),
    "a pair in two splits": row(
        "train.tsv, line 2: is in the train split and, at test.tsv, line 2, in the test split. Remove it from train: a "
        "score on seen examples says nothing.",
        line("train.tsv", 2, "dog 6\tHund 6\tp/0.png"),
    ),
    "no training split": whole(
        "no training examples: all 4 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone("train.tsv"),
    ),
}
