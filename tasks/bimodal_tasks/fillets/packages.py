"""Where the game's dialogues and voices come from, and what of them is used."""

from __future__ import annotations

from bimodal_tasks.packages import Package

VERSION = "1.0.1-1.1"
PACKAGES = (
    Package("fillets-ng-data", VERSION, 70633484, "25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84"),
    Package(
        "fillets-ng-data-cs", VERSION, 39042172, "3ecef99b9456f1c80c9625c6f2418642b52d58e7167a46bad7a412db17991b14"
    ),
    Package(
        "fillets-ng-data-nl", VERSION, 32593580, "afb4443fda9ab507dee578b75be857d121718a1cd6017a474f30e0eb13dc9d10"
    ),
)
ROOT = "usr/share/games/fillets-ng"
VOICES = ("cs", "nl")
"""Languages of the voices, in order of preference: Czech is the original, and has more."""
LANGUAGES = ("en", "cs", "nl", "de", "fr", "es", "it", "pl", "ru", "sv", "bg")
"""Languages of the subtitles that most lines have."""


def wanted(path: str) -> bool:
    """Levels' scripts with the subtitles of `LANGUAGES`, the voices, and the licence; no music and no pictures."""
    if path.endswith("/copyright"):
        return True
    if not path.startswith((f"{ROOT}/script/", f"{ROOT}/sound/")):
        return False
    if path.endswith(".ogg"):
        return path.split("/")[-2] in VOICES
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".lua") and ("dialogs_" not in name or name.partition("dialogs_")[2][:-4] in LANGUAGES)
