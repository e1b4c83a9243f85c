"""fillets: which lines follow which, what is read and heard, what stays in one split; on levels made here."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from bimodal.errors import DataError
from bimodal.schema import DataConfig
from bimodal.types import Dataset
from bimodal_tasks.datasets.fillets import SOURCE, folder_of, split_of
from bimodal_tasks.fillets.conversations import exchanges, heard, replies
from bimodal_tasks.fillets.levels import Line, levels, name_of
from bimodal_tasks.fillets.packages import LANGUAGES, ROOT, wanted

CODE = """
-- addm(0, "m-no")
local function prog_init_room()
    if room.first then
        addm(20 + random(30), "m-hi")
        if random(100) < 5 then
            addv(random(10) + 5, "v-yes" .. random(2))
        else
            addv(5, "v-no")
        end
        planDialogSet(2, "x-what", 201, crab, "mood")
        crab:talk("x-noise", VOLUME_FULL)
    end
end
local function prog_init_other() addv(0, "v-no") end
"""
ENGLISH = r"""
dialogId("m-hi", "font_small", "Look,\na \"fish\"!")
dialogId("v-yes0", "font_big", "I see it.")
dialogId("v-yes1", "font_big", "Where?")
dialogId("v-no", "font_big", "No.")
dialogId("x-what", "font_crab2", "What do you want?")
dialogId("x-noise", "", "")
dialogId("m-no", "font_small", "Never said.")
"""
CZECH = 'dialogId("m-hi", "font_small", "Look,\\na \\"fish\\"!")\ndialogStr("Hele, ryba!")\n'


def level(root: Path, name: str, *, extra: str = "") -> None:
    script, voices = root / "script" / name, root / "sound" / name / "cs"
    script.mkdir(parents=True)
    voices.mkdir(parents=True)
    (script / "code.lua").write_text(CODE)
    english = ENGLISH.replace('!")', f'! {extra}")').replace('it.")', f'it. {extra}")')
    (script / "dialogs_en.lua").write_text(english, encoding="utf-8")
    (script / "dialogs_cs.lua").write_text(CZECH, encoding="utf-8")
    soundfile.write(voices / "m-hi.ogg", np.full(2000, 0.1 + 0.001 * len(extra), np.float32), 16_000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = folder_of(tmp_path) / ROOT
    shared = root / "script" / "share"
    shared.mkdir(parents=True)
    for script in ("borejokes", "blackjokes", "prog_border"):
        (shared / f"{script}.lua").write_text('addv(0, "ob-v-a") addm(0, "ob-m-b")')
    (shared / "bore_dialogs_en.lua").write_text(
        'dialogId("ob-v-a", "font_big", "A joke?")\ndialogId("ob-m-b", "font_small", "Tell it.")\n'
    )
    level(root, "airplane")
    return root


def loaded(tmp_path: Path, **changes: str) -> Dataset:
    return SOURCE.load(SOURCE.resolved(DataConfig(name="fillets", **changes)), tmp_path, lambda *_: None)


def test_a_line_has_a_speaker_subtitles_and_voices(root: Path) -> None:
    airplane = {found.name: found for found in levels(root)}["airplane"]
    line = airplane.lines["m-hi"]
    assert (line.speaker, line.texts) == ("Small fish", {"en": 'Look, a "fish"!', "cs": "Hele, ryba!"})
    assert line.voices == {"cs": root / "sound/airplane/cs/m-hi.ogg"}
    assert "x-noise" not in airplane.lines


def test_fonts_tell_who_speaks() -> None:
    assert [name_of(font) for font in ("font_big", "font_viking3", "font_parrot")] == ["Big fish", "Viking 3", "Parrot"]


def planned(code: str) -> list[tuple[str, ...]]:
    line = Line("Small fish", {"en": "x"}, {})
    names = ("a", "b", "c", "r0", "r1")
    return [
        (*(one for before in found for one in before), *said)
        for found, said in exchanges(code, dict.fromkeys(names, line))
    ]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('addm(1, "a") addv(random(5) + 2, "b")', [("a", "b")]),
        ('addm(1, "a") addv(2, "b") addm(3, "c")', [("a", "b"), ("a", "b", "c")]),
        # One of two branches is taken; what stands after them follows what was before.
        ('addm(1, "a") if x then addv(2, "b") else addv(3, "c") end', [("a", "b"), ("a", "c")]),
        ('addm(1, "a") if x then addv(2, "b") end addv(3, "c")', [("a", "b"), ("a", "c")]),
        ('for i = 1, 2 do addm(1, "a") end while x do addv(2, "b") end', []),
        # Each event has a function of its own.
        ('function() addm(1, "a") end, function() addv(2, "b") end', []),
        # A name that is put together stands for all lines that it can be.
        ('addm(1, "a") addv(2, "r" .. random(2))', [("a", "r0", "r1")]),
        # What is no line of the level changes nothing; comments plan nothing.
        ('addm(1, "a") talk("noise") -- addm(1, "c")\n addv(2, "b")', [("a", "b")]),
    ],
)
def test_what_follows_what_in_a_script(code: str, said: list[tuple[str, ...]]) -> None:
    assert planned(code) == said


def test_a_reply_has_the_turns_before_it_and_the_voice_of_the_last(root: Path) -> None:
    airplane = next(levels(root))
    rows = list(replies(airplane, "en"))
    assert [(row.text, row.meta["speaker"], row.target) for row in rows] == [
        ('Small fish: Look, a "fish"!', "Big fish", "I see it."),
        ('Small fish: Look, a "fish"!', "Big fish", "Where?"),
        ('Small fish: Look, a "fish"!', "Big fish", "No."),
        ('Small fish: Look, a "fish"!', "Crab 2", "What do you want?"),
    ]
    assert {row.audio for row in rows} == {root / "sound/airplane/cs/m-hi.ogg"}
    assert {row.meta["speech"] for row in rows} == {"cs"}
    assert list(replies(airplane, "de")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_speech_is_never_in_the_language_of_the_reply(language: str) -> None:
    assert heard(language) != language


def test_no_voice_is_in_the_language_of_the_reply(root: Path, tmp_path: Path) -> None:
    path = root / "script/airplane/dialogs_cs.lua"
    path.write_text(
        path.read_text(encoding="utf-8") + 'dialogId("v-no", "font_big", "No.")\ndialogStr("Ne.")\n', "utf-8"
    )
    rows = [row for part in loaded(tmp_path, language="cs").splits.values() for row in part]
    assert [(row.text, row.target, row.audio) for row in rows] == [("Small fish: Hele, ryba!", "Ne.", None)]


def test_levels_stay_together_and_held_out_ones_share_no_text_with_training(root: Path, tmp_path: Path) -> None:
    for name in ("bathroom", "steel", "tetris", "cabin1"):
        level(root, name, extra=name)
    parts = {split: {row.meta["level"] for row in rows} for split, rows in loaded(tmp_path).splits.items()}
    assert parts == {
        "train": {"airplane", "borejokes", "cabin1"},
        "validation": {"tetris"},
        "test": {"bathroom", "steel"},
    }
    rows = loaded(tmp_path).splits
    texts = [
        {text for row in rows[split] for text in (row.text, row.target)} for split in ("train", "validation", "test")
    ]
    assert not texts[0] & texts[1]
    assert not (texts[0] | texts[1]) & texts[2]


def test_levels_of_one_story_are_in_one_split() -> None:
    assert split_of("cabin1") == split_of("cabin2") == split_of("cabin")


def test_only_what_is_used_is_unpacked() -> None:
    assert wanted(f"{ROOT}/script/airplane/code.lua")
    assert wanted(f"{ROOT}/script/share/bore_dialogs_nl.lua")
    assert wanted(f"{ROOT}/sound/airplane/cs/let-m-divna.ogg")
    assert wanted("usr/share/doc/fillets-ng-data/copyright")
    assert not wanted(f"{ROOT}/script/airplane/dialogs_eo.lua")
    assert not wanted(f"{ROOT}/sound/airplane/en/let-m-divna.ogg")
    assert not wanted(f"{ROOT}/music/rybky01.ogg")


def test_what_was_not_fetched_says_how(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not on this machine\. Fetch it \(142 MB\): bench data get fillets"):
        loaded(tmp_path)
