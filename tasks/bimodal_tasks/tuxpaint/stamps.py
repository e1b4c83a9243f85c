"""Stamps: a drawing or a photograph cut out, what it is in many languages, and people who say so.

`NAME.txt` has the English description on its first line and `code.utf8=...` lines for other languages; `NAME.png` or
`NAME.svg` is the picture, `NAME_desc_fr.ogg` the French description read aloud by a volunteer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bimodal import store
from bimodal_tasks.tuxpaint.package import SPEECH

SIZE = 128
"""Width in pixels of what is drawn from SVG."""
_TRANSLATION = re.compile(r"([A-Za-z@_]+)\.utf8=(.*)")


@dataclass(frozen=True, slots=True)
class Stamp:
    """One stamp."""

    id: str
    """Path below the stamps' folder, without suffix."""
    english: str
    translations: Mapping[str, str]
    """By the stamps' own codes, in lower case."""
    picture: Path
    speech: Mapping[str, Path]
    """Recordings by language."""


def stamps(root: Path, drawn: Path) -> tuple[Stamp, ...]:
    """All stamps with an English description and a picture, by id; SVG is drawn into `drawn` on first use.

    A stamp whose SVG has no size, so that it cannot be drawn, counts as one without a picture.
    """
    found = []
    for path in sorted(root.rglob("*.txt")):
        first, *others = path.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
        picture = _picture(path, root, drawn)
        if not first.strip() or picture is None:
            continue
        pairs = (match for line in others if (match := _TRANSLATION.match(line)))
        found.append(
            Stamp(
                id=str(path.relative_to(root).with_suffix("")),
                english=first.strip(),
                translations={match[1].lower(): match[2].strip() for match in pairs if match[2].strip()},
                picture=picture,
                speech={
                    code: sound
                    for code in SPEECH
                    if (sound := path.with_name(f"{path.stem}_desc_{code}.ogg")).is_file()
                },
            )
        )
    return tuple(found)


def _picture(text: Path, root: Path, drawn: Path) -> Path | None:
    if (png := text.with_suffix(".png")).is_file():
        return png
    svg = text.with_suffix(".svg")
    if not svg.is_file():
        return None
    target = drawn / svg.relative_to(root).with_suffix(".png")
    if not target.exists():
        import resvg_py

        try:
            content = resvg_py.svg_to_bytes(svg_path=str(svg), width=SIZE, background="#ffffff", skip_system_fonts=True)
        except ValueError:  # a drawing without a size: there is nothing to scale
            return None
        store.write_bytes(target, bytes(content))
    return target
