"""pictures: files to tensors, and clear errors for files that are no good."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from bimodal import pictures
from bimodal.errors import DataError
from bimodal.pictures import PictureReader, normalise, read_picture


def save(path: Path, mode: str, colour: object, size: tuple[int, int] = (8, 8)) -> Path:
    Image.new(mode, size, colour).save(path)  # type: ignore[arg-type]
    return path


def test_a_picture_becomes_channels_height_width(tmp_path: Path) -> None:
    tensor = read_picture(save(tmp_path / "a.png", "RGB", (255, 0, 10)), 8)
    assert tensor.shape == (3, 8, 8)
    assert tensor[:, 0, 0].tolist() == [255, 0, 10]


def test_another_size_is_resized(tmp_path: Path) -> None:
    assert read_picture(save(tmp_path / "a.png", "RGB", "red", (30, 10)), 4).shape == (3, 4, 4)


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    tensor = read_picture(save(tmp_path / "a.png", "RGBA", (0, 0, 0, 0)), 8)
    assert torch.all(tensor == 255)


def test_grey_and_palette_pictures_become_rgb(tmp_path: Path) -> None:
    assert read_picture(save(tmp_path / "a.png", "L", 7), 8)[:, 0, 0].tolist() == [7, 7, 7]
    assert read_picture(save(tmp_path / "b.png", "P", 0), 8).shape == (3, 8, 8)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: the picture does not exist"):
        read_picture(tmp_path / "gone.png", 8)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n\0\0"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.png: not a readable picture"):
        read_picture(path, 8)


def test_a_picture_cut_short_is_named(tmp_path: Path) -> None:
    path = save(tmp_path / "cut.png", "RGB", "red", (64, 64))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cut\.png: not a readable picture"):
        read_picture(path, 8)


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_PIXELS", 63)
    with pytest.raises(DataError, match=r"8 x 8 pixels; at most 63 are allowed"):
        read_picture(save(tmp_path / "big.png", "RGB", "red"), 8)


def test_the_reader_decodes_a_file_once(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", "RGB", "red")
    reader = PictureReader(8)
    first = reader(path)
    path.unlink()
    assert reader(path) is first


def test_white_is_one_and_black_is_minus_one() -> None:
    assert normalise(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]
