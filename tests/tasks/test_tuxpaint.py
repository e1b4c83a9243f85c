"""tuxpaint: what is read of a stamp, which language is heard, and what stays in one split; on stamps made here."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Dataset
from bimodal_tasks.datasets.tuxpaint import SOURCE, folder_of, heard
from bimodal_tasks.tuxpaint.package import LANGUAGES, ROOT, SPEECH, wanted
from bimodal_tasks.tuxpaint.stamps import stamps

SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="{}" fill="red"/></svg>'


def stamp(root: Path, name: str, english: str, german: str, colour: str, *, speech: tuple[str, ...] = SPEECH) -> None:
    path = root / "animals" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".txt").write_text(f"{english}\nde.utf8={german}\nfr.utf8=\npt_BR.utf8=Um {name}.\n", "utf-8")
    Image.new("RGB", (4, 4), colour).save(path.with_suffix(".png"))
    for number, code in enumerate(speech):
        samples = np.full(2000, 0.1 + 0.001 * number + 0.01 * len(name) + 0.0001 * ord(name[0]), np.float32)
        soundfile.write(path.with_name(f"{name}_desc_{code}.ogg"), samples, 16_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = folder_of(tmp_path) / ROOT
    stamp(root, "cat", "A cat.", "Eine Katze.", "red")
    stamp(root, "owl", "An owl.", "Eine Eule.", "blue", speech=("fr",))
    return root


def loaded(tmp_path: Path, **changes: str) -> Dataset:
    return SOURCE.load(SOURCE.resolved(DataConfig(name="tuxpaint", **changes)), tmp_path, lambda *_: None)


def test_a_stamp_has_descriptions_a_picture_and_recordings(root: Path, tmp_path: Path) -> None:
    cat, owl = stamps(root, tmp_path / "drawn")
    assert (cat.id, cat.english) == ("animals/cat", "A cat.")
    assert cat.translations == {"de": "Eine Katze.", "pt_br": "Um cat."}
    assert set(cat.speech) == set(SPEECH)
    assert set(owl.speech) == {"fr"}


def test_svg_is_drawn_once_and_one_without_a_size_is_left_out(root: Path, tmp_path: Path) -> None:
    for name, content in (("dot", SVG.format(10)), ("void", '<svg xmlns="http://www.w3.org/2000/svg" width="0"/>')):
        (root / f"{name}.txt").write_text(f"A {name}.\n")
        (root / f"{name}.svg").write_text(content)
    found = {item.id: item for item in stamps(root, tmp_path / "drawn")}
    assert "void" not in found
    assert found["dot"].picture == tmp_path / "drawn/dot.png"
    with Image.open(found["dot"].picture) as picture:
        assert picture.convert("RGB").getpixel((64, 64)) == (255, 0, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_speech_is_never_in_the_targets_language_nor_in_english(language: str) -> None:
    assert heard(language) not in (language, "en")


def test_a_translation_reads_english_sees_and_hears(root: Path, tmp_path: Path) -> None:
    rows = {row.id: row for part in loaded(tmp_path, task="translation").splits.values() for row in part}
    cat = rows["animals/cat"]
    assert (cat.text, cat.target, cat.language) == ("A cat.", "Eine Katze.", "de")
    assert cat.audio is not None
    assert cat.audio.name == "cat_desc_fr.ogg"
    portuguese = loaded(tmp_path, task="translation", language="pt")
    assert {row.target for part in portuguese.splits.values() for row in part} == {"Um cat.", "Um owl."}


def test_a_caption_is_seen_and_not_heard(root: Path, tmp_path: Path) -> None:
    dataset = loaded(tmp_path, task="captioning")
    assert dataset.record.modalities == ("image",)
    assert all(row.audio is None and row.text == "" for part in dataset.splits.values() for row in part)


def test_stamps_that_share_a_text_a_picture_or_a_name_stay_together(root: Path, tmp_path: Path) -> None:
    for number in range(40):
        stamp(root, f"bird{number}", f"Bird {'x' * number}.", f"Vogel {'x' * number}.", "green", speech=())
        stamp(root, f"fish{'y' * number}", "A fish.", f"Fisch {number}.", f"#0000{number:02x}", speech=())
    owners: dict[str, set[str]] = {"bird": set(), "fish": set()}
    for split, rows in loaded(tmp_path, task="translation").splits.items():
        for row in rows:
            if (kind := Path(row.id).name[:4]) in owners:
                owners[kind].add(split)
    assert [len(splits) for splits in owners.values()] == [1, 1]


def test_letters_to_sign_and_other_recordings_are_not_unpacked() -> None:
    assert wanted(f"{ROOT}/animals/cat_desc_ca.ogg")
    assert not wanted(f"{ROOT}/animals/cat_desc_bg.ogg")
    assert not wanted(f"{ROOT}/animals/cat.ogg")
    assert not wanted(f"{ROOT}/symbols/alphabets/asl/a.txt")


def test_what_was_not_fetched_says_how(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Fetch it \(161 MB\): bench data get tuxpaint"):
        loaded(tmp_path)
