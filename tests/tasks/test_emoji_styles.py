"""emoji_styles: drawings out of Iconify's format, and a test split that OpenMoji's training never saw."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Dataset
from bimodal_tasks.datasets import openmoji
from bimodal_tasks.datasets.emoji_styles import SOURCE, STYLES, folder_of, svg

BODY = '<path fill="#f00" d="M0 0h{0}v{0}H0z"/>'
ICONS: dict[str, Any] = {
    "width": 10,
    "height": 10,
    "icons": {"red": {"body": BODY.format(10)}, "wide": {"body": BODY.format(20), "width": 20, "height": 20}},
    "aliases": {"rot": {"parent": "red"}, "left": {"parent": "red", "hFlip": True}},
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, data_cache: Path) -> Dataset:
    """Every style draws one held-out emoji; OpenMoji's own pictures are those rendered for the other tests."""
    cache = tmp_path_factory.mktemp("styles")
    plain = openmoji.load(DataConfig(name="openmoji", task="captioning"), data_cache, lambda *_: None)
    points = plain.examples("test")[0].id.lower()
    for package in STYLES.values():
        folder = folder_of(cache) / package.name / "package"
        folder.mkdir(parents=True)
        (folder / "icons.json").write_text(json.dumps(ICONS))
        (folder / "chars.json").write_text(json.dumps({points: "rot", "1f600": "red"}))
    (cache / "emoji_styles" / "openmoji").symlink_to(data_cache / "openmoji")
    return SOURCE.load(SOURCE.resolved(DataConfig(name="emoji_styles")), cache, lambda *_: None)


def test_an_icon_is_drawn_in_its_own_box_by_its_own_or_another_name() -> None:
    assert svg(ICONS, "red") == svg(ICONS, "rot") != svg(ICONS, "wide")
    assert 'viewBox="0 0 20 20"' in str(svg(ICONS, "wide"))


def test_what_is_not_there_or_only_turned_is_not_drawn() -> None:
    assert svg(ICONS, "left") is None
    assert svg(ICONS, "") is None


def test_the_test_is_openmojis_held_out_emoji_in_every_style(dataset: Dataset) -> None:
    rows = dataset.examples("test")
    assert [row.meta["style"] for row in rows] == list(STYLES)
    assert len({row.target for row in rows}) == 1
    assert not {row.target for row in rows} & {row.target for row in dataset.examples("train")}
    assert rows[0].image is not None
    with Image.open(rows[0].image) as picture:
        assert picture.size == (64, 64)
        assert picture.convert("RGB").getpixel((32, 32)) == (255, 0, 0)


def test_training_is_openmojis(dataset: Dataset) -> None:
    assert dataset.record.splits == {"train": 3501, "validation": 174, "test": 3}


def test_what_was_not_fetched_says_how(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Fetch it \(6 MB\): bench data get emoji_styles"):
        SOURCE.load(SOURCE.resolved(DataConfig(name="emoji_styles")), tmp_path, lambda *_: None)
