"""Short English exchanges with a chat bot, the last turn spoken by espeak-ng: dialogue without any download.

What it shows: that the machinery of dialogue and sound works, and what sound costs. The sound says what the text says
already, in one synthetic voice, so there is nothing in it to gain but a second look at the words: a multimodal
contestant that does not win here has done what it should. Source: package `chatterbot-corpus`. Measured with 1.3.3: of
2,026 English conversations 1,040 of `tech_support` repeat the other ten; 1,072 different exchanges are left (811
training, 115 validation, 146 test).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from bimodal.schema import DataConfig, DatasetRecord, SpeechConfig, Split
from bimodal.speech import clips, speech_record
from bimodal.types import Dataset, DatasetSource, Example, Progress
from bimodal_tasks.chatterbot.conversations import Exchange, exchanges
from bimodal_tasks.grouping import components, fingerprint, normalised, sha256
from bimodal_tasks.openmoji.splits import draw

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
ASKS, ANSWERS = "User", "Bot"
SPEECH = SpeechConfig(engine="espeak", field="last_turn")


def load(data: DataConfig, cache_dir: Path, progress: Progress) -> Dataset:
    """Read the conversations, speak what is not spoken yet, and split.

    Exchanges of one conversation, and those with the same last turn, stay together: nothing that is asked in the test
    was asked in training.

    Raises:
        DataError: the package's files are missing.
        UsageError: the package `espeakng-loader` is missing.
    """
    rows = exchanges()
    sounds = clips((row.turns[-1] for row in rows), SPEECH.voice, cache_dir / SOURCE.name / "speech", progress)
    groups = components([((row.topic, row.conversation), normalised(row.turns[-1])) for row in rows])
    splits: dict[Split, tuple[Example, ...]] = dict.fromkeys(SPLITS, ())
    for number, row in enumerate(rows):
        leader = rows[groups[number]]
        split = draw("chatterbot/1", normalised(leader.turns[-1]), test=0.15, validation=0.1)
        splits[split] = (*splits[split], _example(number, row, sounds))
    record = DatasetRecord(
        name=SOURCE.name,
        version=version("chatterbot-corpus"),
        variant=SOURCE.resolved(data).variant,
        description=SOURCE.summary,
        licence="BSD-3-Clause (conversations)",
        licence_url="https://opensource.org/license/bsd-3-clause",
        attribution="chatterbot-corpus, by Gunther Cox and contributors. Speech: espeak-ng.",
        source=f"chatterbot-corpus {version('chatterbot-corpus')}, English; spoken by {speech_record(SPEECH).engine}",
        modalities=("audio",),
        fingerprint=fingerprint(splits, _identity),
        speech=speech_record(SPEECH),
        splits={split: len(splits[split]) for split in SPLITS},
    )
    return Dataset(record, splits)


def _example(number: int, row: Exchange, sounds: Mapping[str, Path]) -> Example:
    names = (ASKS, ANSWERS)
    last = len(row.turns) - 1
    lines = [f"{names[(last - at) % 2]}: {turn}" for at, turn in enumerate(row.turns)]
    return Example(
        id=f"{row.topic}-{row.conversation}-{number}",
        text="\n".join(lines),
        target=row.reply,
        audio=sounds.get(row.turns[-1]),
        meta={"speaker": ANSWERS, "last_turn": row.turns[-1], "topic": row.topic},
    )


def _identity(row: Example) -> tuple[str, ...]:
    return row.id, row.text, row.target, sha256(row.audio) if row.audio else ""


SOURCE = DatasetSource(
    name="chatterbot",
    summary="Short English exchanges with a chat bot; the last turn is spoken by espeak-ng.",
    tasks=("dialogue",),
    variants=("questions",),
    slices=("topic",),
    load=load,
)
