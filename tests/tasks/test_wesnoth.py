"""wesnoth: scenes, portraits and splits, on a campaign written here in the game's own markup."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Example
from bimodal_tasks.datasets.wesnoth import SOURCE
from bimodal_tasks.wesnoth.examples import replies
from bimodal_tasks.wesnoth.packages import wanted
from bimodal_tasks.wesnoth.portraits import Portraits
from bimodal_tasks.wesnoth.scenes import Scene, readable, scenes
from bimodal_tasks.wesnoth.splits import split

SCENARIO = """#textdomain wesnoth-x
# [message] speaker=Nobody message= _ "A comment." [/message]
[unit]
    id=Ada
    profile=portraits/ada.png~RIGHT()
[/unit]
[event]
    [message]
        speaker=Bo
        message= _ "We are ""here"", <i>Ada</i>." + _ "  Look
around!"
    [/message]
    [message]
        speaker=Ada
        message= _ "I see."
    [/message]
    [message]
        speaker=narrator
        image=portraits/map.png
        message= _ "prefix^They went on."
    [/message]
[/event]
[message]
    speaker=Bo
    message= $untranslated
[/message]
[event]
    [message]
        speaker=Bo
        message= _ "Later."
    [/message]
[/event]
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    home = tmp_path / "data"
    (home / "campaigns/Camp/scenarios").mkdir(parents=True)
    (home / "campaigns/Camp/scenarios/01.cfg").write_text(SCENARIO)
    for path in (home / "campaigns/Camp/images/portraits/ada.png", home / "core/images/portraits/map.png"):
        path.parent.mkdir(parents=True)
        Image.new("RGB", (4, 4), "red").save(path)
    return home


@pytest.fixture
def found(data: Path) -> tuple[Scene, ...]:
    return tuple(scenes(data / "campaigns"))


def test_scenes_end_where_an_event_does_and_comments_say_nothing(found: Sequence[Scene]) -> None:
    assert [[turn.speaker for turn in scene.turns] for scene in found] == [["Bo", "Ada", "narrator"], ["Bo"]]
    assert {(scene.campaign, scene.file, scene.domain) for scene in found} == {("Camp", "01", "wesnoth-x")}


def test_a_text_is_its_translatable_parts_without_markup_context_and_line_breaks(found: Sequence[Scene]) -> None:
    first = found[0].turns[0]
    assert first.strings == ('We are "here", <i>Ada</i>.', "  Look\naround!")
    assert first.text == 'We are "here", Ada. Look around!'
    assert readable("prefix^They went on.") == "They went on."


def test_a_reply_has_the_turns_before_it_and_the_face_of_who_gives_it(found: Sequence[Scene], data: Path) -> None:
    ada, narrator = replies(found, Portraits(data))
    assert ada.text == 'Bo: We are "here", Ada. Look around!'
    assert (ada.meta["speaker"], ada.target) == ("Ada", "I see.")
    assert ada.image == data / "campaigns/Camp/images/portraits/ada.png"
    assert narrator.text.splitlines()[-1] == "Ada: I see."
    assert (narrator.meta["speaker"], narrator.target) == ("Narrator", "They went on.")
    assert narrator.image == data / "core/images/portraits/map.png"


def row(campaign: str, text: str, target: str, image: Path | None = None) -> Example:
    return Example(f"{campaign}{text}", text, target, image=image, meta={"campaign": campaign, "speaker": "A"})


def test_what_a_held_out_campaign_shares_with_training_is_not_tested(data: Path) -> None:
    rows = [
        row("Liberty", "Go!", "Yes."),
        row("Dead_Water", "go", "No."),
        row("Dead_Water", "Stay.", "Never."),
        row("Sceptre_of_Fire", "Why?", "yes"),
        row("Sceptre_of_Fire", "Who?", "Me."),
        row("Eastern_Invasion", "who?!", "You."),
    ]
    parts = split(rows)
    assert [[r.text for r in parts[name]] for name in ("train", "validation", "test")] == [["Go!"], ["Stay."], ["Who?"]]  # type: ignore[index]


def test_a_face_of_a_held_out_split_is_not_shown_in_training(data: Path) -> None:
    face = data / "core/images/portraits/map.png"
    other = face.with_name("other.png")
    Image.new("RGB", (4, 4), "blue").save(other)
    parts = split(
        [row("Liberty", "a", "b", face), row("Liberty", "c", "d", other), row("Sceptre_of_Fire", "e", "f", face)]
    )
    assert [r.image for r in parts["train"]] == [None, other]
    assert [r.image for r in parts["test"]] == [face]


def test_only_what_is_used_is_unpacked() -> None:
    root = "usr/share/games/wesnoth/1.16"
    assert wanted(f"{root}/data/campaigns/Liberty/scenarios/01.cfg")
    assert wanted(f"{root}/locale/zh_CN/LC_MESSAGES/wesnoth-l.mo")
    assert not wanted(f"{root}/data/core/music/love_theme.ogg")
    assert not wanted(f"{root}/locale/pl/LC_MESSAGES/wesnoth-l.mo")


def test_what_was_not_fetched_says_how(tmp_path: Path) -> None:
    data = SOURCE.resolved(DataConfig(name="wesnoth"))
    with pytest.raises(DataError, match=r"not on this machine\. Fetch it \(270 MB\): bench data get wesnoth"):
        SOURCE.load(data, tmp_path, lambda *_: None)
