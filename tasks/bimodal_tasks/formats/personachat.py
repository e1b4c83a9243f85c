"""PersonaChat as JSON (`personachat_self_original.json` of the ConvAI2 baseline).

    {"train": [{"personality": ["i like to ski ."],
                "utterances": [{"history": ["hi , how are you ?"], "candidates": ["no idea", "i am fine ."]}]}],
     "valid": [...]}

The last candidate is the true answer. Source: Zhang et al. (2018), Personalizing Dialogue Agents; Wolf et al. (2019),
TransferTransfo (the JSON form).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bimodal.errors import DataError
from bimodal.schema import DataConfig, Split
from bimodal.types import Format, Reject, Row
from bimodal_tasks.own.reading import files, member, place, problem, read_json, typed
from bimodal_tasks.own.turns import reply

_SPLITS: dict[str, Split] = {"train": "train", "valid": "validation", "test": "test"}


def detects(folder: Path) -> bool:
    """A file `personachat*.json`."""
    return bool(files(folder, "personachat*.json"))


def read(folder: Path, data: DataConfig, reject: Reject) -> Iterator[Row]:
    """One example per answer."""
    for path in files(folder, "personachat*.json"):
        content = read_json(path)
        if not isinstance(content, dict) or not content.keys() & _SPLITS.keys():
            raise problem(place(path), "no 'train', 'valid' or 'test' in it.", "It is one object with these lists.")
        for name, split in _SPLITS.items():
            for number, dialogue in enumerate(member(content, name, list, place(path)) if name in content else ()):
                group = f"{name}[{number}]"
                where = place(path, group)
                try:
                    utterances = member(dialogue, "utterances", list, where)
                except DataError as error:
                    reject(error)
                    continue
                for at, utterance in enumerate(utterances):
                    place_of = f"{where}.utterances[{at}]"
                    try:
                        history = member(utterance, "history", list, place_of)
                        candidates = member(utterance, "candidates", list, place_of)
                        if not history or not candidates:
                            raise problem(place_of, "no history or no candidates.", "Both need at least one entry.")
                        turns = [typed(turn, str, "a turn", place_of) for turn in (*history, candidates[-1])]
                    except DataError as error:
                        reject(error)
                        continue
                    example = reply(f"{group}:{at}", turns[:-1], turns[-1])
                    yield Row(example, place_of, split, group)


FORMAT = Format("personachat", "PersonaChat: JSON with history and candidates", ("dialogue",), detects, read)
