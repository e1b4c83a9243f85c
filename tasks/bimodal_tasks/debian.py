"""Files out of Debian packages, without root: `apt-get download`, checked, and only what is wanted unpacked.

    <cache>/<data set>/downloads/wesnoth-1.16-thot.deb     while fetching: complete and checked, one by one
    <cache>/<data set>/<version>/...                       appears when everything is there

A fetch that was killed goes on with the package it was at. Nothing of a package is executed or installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bimodal import store
from bimodal.errors import DataError, UsageError
from bimodal.types import Progress

TOOLS = ("apt-get", "dpkg-deb")
_STREAM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """One package in one version."""

    name: str
    version: str
    num_bytes: int
    sha256: str


def fetch(
    dataset: str, packages: Sequence[Package], wanted: Callable[[str], bool], folder: Path, progress: Progress
) -> None:
    """Fill `folder` with the wanted files of all packages, under their paths in the packages; nothing if it is there.

    Args:
        dataset: for messages.
        packages: in the order they are fetched.
        wanted: says of a path in a package whether it is unpacked.
        folder: appears when it is complete; downloads go beside it.
        progress: told after each package.

    Raises:
        UsageError: apt-get or dpkg-deb is not on the PATH.
        DataError: a package cannot be fetched, or is not the one that is expected.
        StorageError: the disk is full.
    """
    if folder.exists():
        return
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise UsageError(
            f"Data set {dataset} comes in Debian packages, and {' and '.join(missing)} cannot be found on the PATH: "
            f"run `bench data get {dataset}` on Debian or Ubuntu (a container will do) and copy {folder} here."
        )
    downloads = folder.parent / "downloads"
    with store.storage_errors(folder), store.FileLock.acquire(folder.parent.with_name(f"{folder.parent.name}.lock")):
        if folder.exists():  # another process was faster
            return
        downloads.mkdir(parents=True, exist_ok=True)
        for done, package in enumerate(packages):
            progress(f"fetch {package.name}", done, len(packages))
            _download(package, downloads)
        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed: the lock is ours
        for done, package in enumerate(packages):
            progress(f"unpack {package.name}", done, len(packages))
            _unpack(_path(package, downloads), wanted, temporary)
        temporary.rename(folder)
        shutil.rmtree(downloads)
    progress("fetch", len(packages), len(packages))


def _path(package: Package, downloads: Path) -> Path:
    return downloads / f"{package.name}.deb"


def _download(package: Package, downloads: Path) -> None:
    """Fetch a package that is not there yet; what is half there starts anew."""
    final = _path(package, downloads)
    if final.exists() and _is(package, final):
        return
    work = downloads / f".{package.name}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    command = ["apt-get", "download", "-q", f"{package.name}={package.version}"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    found = next(work.glob("*.deb"), None)
    if done.returncode or found is None:
        reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise DataError(
            f"apt-get cannot download {package.name} {package.version} ({reason}). Refresh its lists (apt-get update), "
            "check the network, and repeat: what is complete is kept."
        )
    if not _is(package, found):
        raise DataError(
            f"{package.name} {package.version} is not the package that was expected: {found.stat().st_size:,} bytes "
            f"instead of {package.num_bytes:,}, or another sha256. Nothing of it was unpacked; repeat, or report it."
        )
    found.replace(final)
    shutil.rmtree(work)


def _is(package: Package, path: Path) -> bool:
    if path.stat().st_size != package.num_bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == package.sha256


def _unpack(package: Path, wanted: Callable[[str], bool], folder: Path) -> None:
    """Write the wanted plain files of a package under a folder; links and paths that lead out of it are left out."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|", bufsize=_STREAM_BYTES) as archive:
            for member in archive:
                inner = PurePosixPath(member.name)
                if not member.isfile() or inner.is_absolute() or ".." in inner.parts or not wanted(str(inner)):
                    continue
                content = archive.extractfile(member)
                assert content is not None
                path = folder / inner
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.read())
    if process.returncode:
        raise DataError(f"{package}: dpkg-deb cannot read it. Delete the file and repeat.")
