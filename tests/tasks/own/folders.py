"""Folders in the published formats, small, of our own making: each corpus's README or paper shows its layout."""

import json
import wave
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

NUMBERS = range(12)


def picture(path: Path, seed: int, size: tuple[int, int] = (24, 24)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (seed * 20 % 256, 255 - seed * 7 % 256, seed * 3 % 256))
    image.save(path)


def png(seed: int) -> bytes:
    stream = BytesIO()
    Image.new("RGB", (24, 24), (seed * 20 % 256, 255 - seed * 7 % 256, seed * 3 % 256)).save(stream, "PNG")
    return stream.getvalue()


def sound(path: Path, seconds: float = 0.1, channels: int = 1, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as stream:
        stream.setnchannels(channels)
        stream.setsampwidth(2)
        stream.setframerate(8000)
        stream.writeframes(value.to_bytes(2, "little", signed=True) * (round(8000 * seconds) * channels))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def coco(folder: Path) -> None:
    for split, numbers in (("train", range(8)), ("val", range(8, 12))):
        content = {
            "info": {"description": "COCO 2017 Dataset", "year": 2017},
            "licenses": [{"id": 3, "name": "Attribution-NonCommercial-NoDerivs License"}],
            "images": [
                {"license": 3, "file_name": f"{n:012d}.jpg", "height": 24, "width": 24, "id": n} for n in numbers
            ],
            "annotations": [
                {"image_id": n, "id": 100 + 2 * n + k, "caption": f"A plate number {n} seen {k} times.\n"}
                for n in numbers
                for k in range(2)
            ],
        }
        write(folder / "annotations" / f"captions_{split}2017.json", json.dumps(content))
        for n in numbers:
            picture(folder / f"{split}2017" / f"{n:012d}.jpg", n)


def flickr30k(folder: Path) -> None:
    lines = [f"{1000 + n}.jpg#{k}\tTwo young guys number {n} look at {k} hands ." for n in NUMBERS for k in range(2)]
    write(folder / "results_20130124.token", "\n".join(lines) + "\n")
    for n in NUMBERS:
        picture(folder / "flickr30k-images" / f"{1000 + n}.jpg", n)


def karpathy(folder: Path) -> None:
    splits = ["train"] * 6 + ["restval"] * 2 + ["val"] * 2 + ["test"] * 2
    images = [
        {
            "filepath": "val2014",
            "sentids": [n],
            "filename": f"COCO_val2014_{n:012d}.jpg",
            "imgid": n,
            "split": splits[n],
            "sentences": [
                {"tokens": ["a", "man"], "raw": f"A man with {n} red helmets.", "imgid": n, "sentid": 770337 + n}
            ],
            "cocoid": 391895 + n,
        }
        for n in NUMBERS
    ]
    write(folder / "dataset_coco.json", json.dumps({"images": images, "dataset": "coco"}))
    for n in NUMBERS:
        picture(folder / "val2014" / f"COCO_val2014_{n:012d}.jpg", n)


def conll2003(folder: Path) -> None:
    for name, numbers in (("eng.train", range(4)), ("eng.testa", range(4, 6)), ("eng.testb", range(6, 8))):
        rows = ["-DOCSTART- -X- O O", ""]
        for n in numbers:
            # As published: IOB1, where entities begin with I-.
            rows += ["EU NNP I-NP I-ORG", "rejects VBZ I-VP O", "German JJ I-NP I-MISC", f"call{n} NN I-NP O", ""]
        write(folder / name, "\n".join(rows))


def wnut(folder: Path) -> None:
    names = (
        ("wnut17train.conll", range(4)),
        ("emerging.dev.conll", range(4, 6)),
        ("emerging.test.annotated", range(6, 8)),
    )
    for name, numbers in names:
        rows = []
        for n in numbers:
            rows += [f"@paulwalk{n}\tO", "view\tO", "Empire\tB-location", "State\tI-location", ""]
        write(folder / name, "\n".join(rows))


def mner(folder: Path) -> None:
    for name, numbers in (("train.txt", range(4)), ("valid.txt", range(4, 6)), ("test.txt", range(6, 8))):
        rows = []
        for n in numbers:
            rows += [f"IMGID:{1109793 + n}", "RT\tO", "@DailyMirror\tB-OTHER", "Ann\tB-PER", f"Lee{n}\tI-PER", ""]
            picture(folder / "twitter2015_images" / f"{1109793 + n}.jpg", n)
        write(folder / name, "\n".join(rows))


def multi30k(folder: Path) -> None:
    for stem, numbers in (("train", range(4)), ("val", range(4, 6)), ("test_2016_flickr", range(6, 8))):
        write(folder / f"{stem}.en", "".join(f"A dog number {n} runs.\n" for n in numbers))
        write(folder / f"{stem}.de", "".join(f"Ein Hund Nummer {n} rennt.\n" for n in numbers))
        write(folder / "image_splits" / f"{stem}.txt", "".join(f"{n}.jpg\n" for n in numbers))
        for n in numbers:
            picture(folder / "flickr30k-images" / f"{n}.jpg", n)


def wmt(folder: Path) -> None:
    for stem, numbers in (
        ("train.de-en", range(4)),
        ("newstest-dev.de-en", range(4, 6)),
        ("newstest-test.de-en", range(6, 8)),
    ):
        write(folder / f"{stem}.en", "".join(f"Resumption of session {n}\n" for n in numbers))
        write(folder / f"{stem}.de", "".join(f"Wiederaufnahme der Sitzung {n}\n" for n in numbers))


def tsv(folder: Path) -> None:
    for name, numbers in (("train", range(4)), ("validation", range(4, 6)), ("test", range(6, 8))):
        write(
            folder / f"{name}.tsv",
            "text\ttarget\timage\n" + "".join(f"dog {n}\tHund {n}\tp/{n}.png\n" for n in numbers),
        )
        for n in numbers:
            picture(folder / "p" / f"{n}.png", n)


def gettext(folder: Path) -> None:
    head = 'msgid ""\nmsgstr ""\n"Language: de\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    body = "".join(f'#: src/main.c:{n}\nmsgid "Open file {n}"\nmsgstr "Datei {n} öffnen"\n\n' for n in NUMBERS)
    fuzzy = '#, fuzzy\nmsgid "Close"\nmsgstr "Schluss"\n\nmsgid "Untranslated"\nmsgstr ""\n'
    write(folder / "de.po", head + body + fuzzy)


def dailydialog(folder: Path) -> None:
    for name, numbers in (("train", range(4)), ("validation", range(4, 6)), ("test", range(6, 8))):
        lines = [f"Say , Jim {n} , beers ? __eou__ You know {n} . __eou__ What {n} ? __eou__\n" for n in numbers]
        write(folder / name / f"dialogues_{name}.txt", "".join(lines))


def personachat(folder: Path) -> None:
    def dialogue(n: int) -> dict[str, object]:
        first = {"candidates": ["wrong", f"fine {n} ."], "history": [f"hi {n} , how are you ?"]}
        second = {"candidates": ["no", f"ski {n} ."], "history": [f"hi {n} , how are you ?", f"fine {n} .", "hobby ?"]}
        return {"personality": ["i like to ski ."], "utterances": [first, second]}

    content = {"train": [dialogue(n) for n in range(8)], "valid": [dialogue(n) for n in range(8, 12)]}
    write(folder / "personachat_self_original.json", json.dumps(content))


def ljspeech(folder: Path) -> None:
    write(folder / "metadata.csv", "".join(f"LJ001-{n:04d}|Printed in {n}|Printed in number {n}\n" for n in NUMBERS))
    for n in NUMBERS:
        sound(folder / "wavs" / f"LJ001-{n:04d}.wav", value=n)


def commonvoice(folder: Path) -> None:
    head = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"
    for name, numbers in (("train", range(4)), ("dev", range(4, 6)), ("test", range(6, 8))):
        rows = [f"speaker{n}\tcv_de_{n}.wav\tWieder ist ein Jahr {n} vorbei.\t2\t0\t\t\t\tde\t\n" for n in numbers]
        write(folder / f"{name}.tsv", head + "".join(rows))
        for n in numbers:
            sound(folder / "clips" / f"cv_de_{n}.wav", value=n)
    write(folder / "validated.tsv", head)


def jsonl(folder: Path) -> None:
    for name, numbers in (("train", range(4)), ("validation", range(4, 6)), ("test", range(6, 8))):
        rows = [{"id": f"x{n}", "text": f"dog {n}", "target": f"Hund {n}", "image": f"p/{n}.png"} for n in numbers]
        write(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
        for n in numbers:
            picture(folder / "p" / f"{n}.png", n)


def huggingface(folder: Path) -> None:
    """Parquet files as the hub has them, with pictures in them and two captions each."""
    datasets = pytest.importorskip("datasets", reason="pip install 'bimodal[hf]'")
    features = datasets.Features({"image": datasets.Image(), "caption": datasets.List(datasets.Value("string"))})
    for split, numbers in (("train", range(6)), ("validation", range(6, 9)), ("test", range(9, 12))):
        rows = {
            "image": [{"bytes": png(n), "path": None} for n in numbers],
            "caption": [[f"A plate number {n}.", f"Plate {n}"] for n in numbers],
        }
        (folder / "data").mkdir(exist_ok=True)
        part = datasets.Dataset.from_dict(rows, features=features)
        part.to_parquet(folder / "data" / f"{split}-00000-of-00001.parquet")


FOLDERS: dict[str, Callable[[Path], None]] = {
    maker.__name__: maker
    for maker in (
        coco,
        flickr30k,
        karpathy,
        conll2003,
        wnut,
        mner,
        multi30k,
        wmt,
        tsv,
        gettext,
        dailydialog,
        personachat,
        ljspeech,
        commonvoice,
        jsonl,
        huggingface,
    )
}
"""Every format with a folder written in it."""
