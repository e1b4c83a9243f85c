"""card: what a data set's card says, in the terminal and as a page."""

import base64
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from rich.console import Console

from bimodal.card import card
from bimodal.card_html import card_html
from bimodal.schema import DatasetRecord, SpeechRecord
from bimodal.types import Dataset, Example

SPEECH = SpeechRecord(engine="espeak-ng 1.52.0", voice="en", language="en", field="text")


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    Image.new("RGB", (2, 2), "red").save(tmp_path / "p.png")
    soundfile.write(tmp_path / "s.flac", np.zeros(100), 16_000)
    record = DatasetRecord(
        name="d",
        version="7",
        variant="v",
        task="translation",
        language="de",
        speech=SPEECH,
        description="About <b>it</b>.",
        licence="CC0",
        licence_url="https://example.org",
        attribution="Us",
        source="Here",
        modalities=("image", "audio"),
        fingerprint="f" * 64,
        splits={"train": 2},
    )
    whole = Example("a", "read <script>", "written", image=tmp_path / "p.png", audio=tmp_path / "s.flac")
    return Dataset(record, {"train": (whole, Example("b", "", "bare"))})


def test_the_card_names_pictures_and_sounds(dataset: Dataset) -> None:
    console = Console(width=200, record=True, file=StringIO())
    console.print(card(dataset, 2))
    text = console.export_text()
    for part in ("translation", "de", "CC0", "p.png", "s.flac", "picture", "sound", "spoken by espeak-ng 1.52.0"):
        assert part in text


def test_the_page_holds_pictures_and_sounds_and_escapes_what_the_data_says(dataset: Dataset, tmp_path: Path) -> None:
    html = card_html(dataset, 2)
    for path, kind in ((tmp_path / "p.png", "image/png"), (tmp_path / "s.flac", "audio/flac")):
        assert f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}" in html
    assert html.count("<img") == html.count("<audio") == 1
    assert "read &lt;script&gt;" in html
    assert "<script" not in html
    assert "About &lt;b&gt;it&lt;/b&gt;." in html


def test_only_as_many_samples_as_asked_for_are_shown(dataset: Dataset) -> None:
    assert [card_html(dataset, number).count("<article") for number in (0, 1, 2)] == [0, 1, 2]
