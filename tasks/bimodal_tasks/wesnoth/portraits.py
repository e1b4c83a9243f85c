"""The portrait of who speaks: named in the message, or where the scenario brings the character in."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

from bimodal_tasks.wesnoth.scenes import Turn

_PROFILE = re.compile(r'id\s*=\s*"?([^"\n]+)"?(?:(?!\bid\s*=).){0,600}?profile\s*=\s*"?([^"\n~]+)', re.DOTALL)


class Portraits:
    """Portraits by campaign and character."""

    def __init__(self, data: Path) -> None:
        """Args: data: the game's `data` folder; its scenarios are read once."""
        self._data = data
        counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for path in sorted((data / "campaigns").rglob("*.cfg")):
            campaign = path.relative_to(data / "campaigns").parts[0]
            for character, profile in _PROFILE.findall(path.read_text(encoding="utf-8")):
                counts[campaign, character.strip()][profile.strip()] += 1
        self._profiles = {key: found.most_common(1)[0][0] for key, found in counts.items()}

    def of(self, turn: Turn, campaign: str) -> Path | None:
        """The picture file of who speaks, if the game has one."""
        name = turn.image or self._profiles.get((campaign, turn.speaker))
        if name is None or "portraits/" not in name:
            return None
        inner = name.partition("~")[0].strip()  # ~RIGHT() and the like change how it is drawn
        for home in (self._data / "campaigns" / campaign / "images", self._data / "core" / "images"):
            if (path := home / inner).is_file():
                return path
        return None
