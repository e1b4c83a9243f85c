"""Recorded sentences, spoilt: LJSpeech, Common Voice."""

from own_spoil import content, cut, gone, line, linked_outside, row, same, sound, utf16, whole

_META = "metadata.csv"
_COLUMNS = "clip, transcript, normalised transcript, with '|' between"
_INSIDE = "Files must lie in the data folder and be named relative to it."
_FIRST = "wavs/LJ001-0000.wav"

LJSPEECH = {
    "latin-1": row(
        f"{_META}, line 2: not UTF-8 (byte 0xE9 at column 15). Convert the file: iconv -f LATIN1 -t UTF-8 {_META} (or "
        "whatever it was written in).",
        line(_META, 2, "LJ001-0001|caf\xe9|coffee".encode("latin-1")),
    ),
    "UTF-16": whole(f"{_META}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_META}.", utf16(_META)),
    "an empty file": whole(f"{_META}: is empty. Fetch or export it again, or remove it.", content(_META, "")),
    "cut short": row(
        f"{_META}, line 12: 2 columns instead of 3 ({_COLUMNS}). Put the separators in, or remove the line.",
        cut(_META, len("|Printed in number 11\n")),
    ),
    "a bar too many": row(
        f"{_META}, line 1: 4 columns instead of 3 ({_COLUMNS}). Put the separators in, or remove the line.",
        line(_META, 1, "LJ001-0000|a|b|c"),
    ),
    "tabs instead of bars": row(
        f"{_META}, line 1: 1 column instead of 3 ({_COLUMNS}). Put the separators in, or remove the line.",
        line(_META, 1, "LJ001-0000\ta\tb"),
    ),
    "a clip twice": row(
        f"{_META}, line 2: the id 'LJ001-0000' was used before ({_META}, line 1). Ids must be unique.",
        line(_META, 2, "LJ001-0000|again|again"),
    ),
    "no transcript": row(
        f"{_META}, line 1: nothing to be produced: the target is empty. Fill it, or remove the row.",
        line(_META, 1, "LJ001-0000|Printed in 0|"),
    ),
    "a sound that is not there": row(
        f"{_META}, line 5: the file 'LJ001-0004.wav' is not there (looked in wavs, the data folder). Add it, or remove "
        "the line.",
        gone("wavs/LJ001-0004.wav"),
    ),
    "a way out of the folder": row(
        f"{_META}, line 1: the file name '../../secret.wav' leads out of the folder. {_INSIDE}",
        line(_META, 1, "../../secret|a|b"),
    ),
    "a link out of the folder": row(
        f"{_META}, line 1: the file name '{_FIRST}' leads out of the folder. {_INSIDE}", linked_outside(_FIRST)
    ),
    "a sound with 8 channels": row(
        f"{_META}, line 1: LJ001-0000.wav: 8 channels; mono or stereo is allowed. Mix the file down to one channel.",
        sound(_FIRST, channels=8),
    ),
    "a sound of zero length": row(
        f"{_META}, line 1: LJ001-0000.wav: the sound has no samples. Record it again, or leave the example's sound "
        "out.",
        sound(_FIRST, seconds=0),
    ),
    "a click": row(
        f"{_META}, line 1: LJ001-0000.wav: 5.0 ms of sound; features need more than 12.5 ms. Pad it with silence, or "
        "leave the example's sound out.",
        sound(_FIRST, seconds=0.005),
    ),
    "a recording in two splits": row(
        f"{_META}, line 1: is in the train split and, at {_META}, line 9, in the test split. Remove it from train: a "
        "score on seen examples says nothing.",
        same("wavs/LJ001-0000.wav", "wavs/LJ001-0008.wav"),
    ),
}

_TRAIN = "train.tsv"
_HEAD = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment"
_CLIP = "clips/cv_de_0.wav"


def _row(path: str, sentence: str) -> str:
    return f"speaker0\t{path}\t{sentence}\t2\t0\t\t\t\tde\t"


COMMONVOICE = {
    "latin-1": row(
        f"{_TRAIN}, line 2: not UTF-8 (byte 0xFC at column 23). Convert the file: iconv -f LATIN1 -t UTF-8 {_TRAIN} "
        "(or whatever it was written in).",
        line(_TRAIN, 2, _row("cv_de_0.wav", "F\xfcr dich.").encode("latin-1")),
    ),
    "UTF-16": whole(f"{_TRAIN}: is UTF-16, not UTF-8. Convert it: iconv -f UTF-16 -t UTF-8 {_TRAIN}.", utf16(_TRAIN)),
    "an empty file": whole(f"{_TRAIN}: is empty. Fetch or export it again, or remove it.", content(_TRAIN, "")),
    "no header": whole(
        f"{_TRAIN}, line 1: the header lacks 'path' or 'sentence'. Put the line with the names first.",
        line(_TRAIN, 1, _row("cv_de_0.wav", "Wieder.")),
    ),
    "cut short": row(
        f"{_TRAIN}, line 5: 4 columns instead of 10. As many tabs as in the header are needed.",
        cut(_TRAIN, len("\t0\t\t\t\tde\t\n")),
    ),
    "a tab in the sentence": row(
        f"{_TRAIN}, line 2: 11 columns instead of 10. As many tabs as in the header are needed.",
        line(_TRAIN, 2, _row("cv_de_0.wav", "Wieder\tvorbei.")),
    ),
    "no sentence": row(
        f"{_TRAIN}, line 2: nothing to be produced: the target is empty. Fill it, or remove the row.",
        line(_TRAIN, 2, _row("cv_de_0.wav", "")),
    ),
    "a clip twice": row(
        f"{_TRAIN}, line 3: the id 'cv_de_0.wav' was used before ({_TRAIN}, line 2). Ids must be unique.",
        line(_TRAIN, 3, _row("cv_de_0.wav", "Wieder.")),
    ),
    "a sound that is not there": row(
        f"{_TRAIN}, line 2: the file 'cv_de_0.wav' is not there (looked in clips, the data folder). Add it, or remove "
        "the line.",
        gone(_CLIP),
    ),
    "an absolute file name": row(
        f"{_TRAIN}, line 2: the file name '/etc/hostname' leads out of the folder. {_INSIDE}",
        line(_TRAIN, 2, _row("/etc/hostname", "Wieder.")),
    ),
    "a sound of zero length": row(
        f"{_TRAIN}, line 2: cv_de_0.wav: the sound has no samples. Record it again, or leave the example's sound out.",
        sound(_CLIP, seconds=0),
    ),
    "a sound with 8 channels": row(
        f"{_TRAIN}, line 2: cv_de_0.wav: 8 channels; mono or stereo is allowed. Mix the file down to one channel.",
        sound(_CLIP, channels=8),
    ),
    "no sound at all": row(
        f"{_TRAIN}, line 2: cv_de_0.wav: not a readable sound (...). Replace the file; WAV, FLAC, Ogg and MP3 can be "
        "read.",
        content(_CLIP, "<html>404 Not Found</html>"),
    ),
    "a control character": row(
        f"{_TRAIN}, line 2: the target has the character U+0000 at position 7. Remove it: control characters are no "
        "text.",
        line(_TRAIN, 2, _row("cv_de_0.wav", "Wieder\0.")),
    ),
    "a recording in two splits": row(
        f"{_TRAIN}, line 2: is in the train split and, at test.tsv, line 2, in the test split. Remove it from train: a "
        "score on seen examples says nothing.",
        same(_CLIP, "clips/cv_de_6.wav"),
    ),
    "no training split": whole(
        "no training examples: all 4 are of test and validation. Training files have 'train' in their names "
        "(docs/data.md).",
        gone(_TRAIN),
    ),
}
