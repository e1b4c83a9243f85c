"""Which columns of a table are text, target, picture, sound, words, tags and turns: as told, or where it is clear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bimodal.schema import ColumnsConfig
from bimodal_tasks.own.reading import problem

TARGETS = ("target", "caption", "captions", "sentence", "transcription", "transcript", "text", "label")
TURNS = ("dialog", "dialogue", "turns", "utterances", "messages", "conversation")
WORDS = ("tokens", "words")
TAGS = ("ner_tags", "tags", "labels")


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of one split, by their features (`datasets.features`), and what the user says about them."""

    features: Mapping[str, Any]
    told: ColumnsConfig
    where: str
    """For messages."""

    def of_kind(self, *kinds: str) -> list[str]:
        """Columns whose feature is one of these classes, named without importing the library."""
        return [name for name, feature in self.features.items() if type(feature).__name__ in kinds]

    def texts(self) -> list[str]:
        """Columns of strings, and of lists of strings."""
        return [name for name, feature in self.features.items() if _is_text(feature) or _is_text(_item(feature))]

    def languages(self) -> dict[str, str]:
        """Columns of strings that are named by a language."""
        return {name: name for name in self.texts() if re.fullmatch("[a-z]{2}", name)}

    def find(self, field: str, usual: Iterable[str], fitting: Sequence[str] = ()) -> str | None:
        """The column of a field: as told, else the first usual name that is there, else the only one that fits.

        Raises:
            DataError: it was told, and is not there; or several fit.
        """
        told = getattr(self.told, field)
        if told is not None:
            if told not in self.features:
                raise problem(self.where, f"no column {told!r} for data.columns.{field}.", self._there())
            return str(told)
        usual_there = [name for name in usual if name in self.features]
        candidates = usual_there[:1] or fitting
        if len(candidates) > 1:
            raise problem(
                self.where, f"several columns could be the {field}: {', '.join(candidates)}.", self._say(field)
            )
        return candidates[0] if candidates else None

    def need(self, field: str, usual: Iterable[str], fitting: Sequence[str] = ()) -> str:
        """As `find`, for a field that there must be."""
        found = self.find(field, usual, fitting)
        if found is None:
            raise problem(self.where, f"no column is clearly the {field}.", f"{self._say(field)} {self._there()}")
        return found

    def _say(self, field: str) -> str:
        return f"Say which: --set data.columns.{field}=NAME."

    def _there(self) -> str:
        return f"There are: {', '.join(self.features)}."


def _item(feature: Any) -> Any:
    """What a list is of; None if it is no list."""
    return getattr(feature, "feature", None)


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in ("string", "large_string", "string_view") and not hasattr(
        feature, "names"
    )


def names_of(feature: Any) -> list[str] | None:
    """The names of a ClassLabel, or of a list of them; None where values are what they are."""
    return getattr(_item(feature) or feature, "names", None)
