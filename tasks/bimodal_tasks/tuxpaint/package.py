"""Where Tux Paint's stamps come from, and what of them is used."""

from __future__ import annotations

from bimodal_tasks.packages import Package

VERSION = "2022.06.04-1"
PACKAGES = (
    Package(
        "tuxpaint-stamps-default",
        VERSION,
        160880444,
        "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    ),
)
ROOT = "usr/share/tuxpaint/stamps"
SPEECH = ("fr", "es", "ru", "ca")
"""Languages of recorded descriptions that nearly every stamp has, in order of preference."""
LANGUAGES = ("de", "fr", "es", "it", "pt", "nl", "ru", "ja", "zh")
"""Languages of descriptions that can be asked for."""
CODES = {"pt": ("pt", "pt_br"), "zh": ("zh_cn", "zh_tw")}
"""The stamps' own codes where they are others; the first that a stamp has counts."""


def wanted(path: str) -> bool:
    """Drawings, descriptions, recorded ones in `SPEECH`, and the licence; no letters and numbers to sign or spell."""
    if path.endswith("/copyright"):
        return True
    if not path.startswith(f"{ROOT}/") or "/alphabets/" in path:
        return False
    return path.endswith((".txt", ".png", ".svg")) or any(path.endswith(f"_desc_{code}.ogg") for code in SPEECH)
