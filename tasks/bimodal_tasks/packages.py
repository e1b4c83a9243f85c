"""Files out of packages, by the package's ordinary client and without root: checked, and only what is wanted unpacked.

    <cache>/<data set>/downloads/wesnoth-1.16-thot         while fetching: complete and checked, one by one
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

_STREAM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Package:
    """One package in one version."""

    name: str
    version: str
    num_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Client:
    """A program that fetches packages."""

    tools: tuple[str, ...]
    packages: str
    """What it fetches, for messages."""
    where: str
    """Where it is found, for messages."""
    refresh: str
    """What helps when it finds nothing, for messages."""
    download: Callable[[Package], list[str]]
    """The command that puts a package's file into the folder it runs in."""
    stream: Callable[[Path], list[str]]
    """The command that writes a package's files as a tar archive to its output."""
    own_folders: bool
    """Each package goes into a folder of its name; else all share the paths that they bring."""


APT = Client(
    tools=("apt-get", "dpkg-deb"),
    packages="Debian packages",
    where="on Debian or Ubuntu (a container will do)",
    refresh="Refresh its lists (apt-get update)",
    download=lambda package: ["apt-get", "download", "-q", f"{package.name}={package.version}"],
    stream=lambda path: ["dpkg-deb", "--fsys-tarfile", str(path)],
    own_folders=False,
)
NPM = Client(
    tools=("npm", "gzip"),
    packages="npm packages",
    where="where Node.js is installed",
    refresh="See what npm itself says (npm ping)",
    download=lambda package: ["npm", "pack", "--silent", "--ignore-scripts", f"{package.name}@{package.version}"],
    stream=lambda path: ["gzip", "-dc", str(path)],
    own_folders=True,  # all of them call it `package/`
)


def fetch(
    client: Client,
    dataset: str,
    packages: Sequence[Package],
    wanted: Callable[[str], bool],
    folder: Path,
    progress: Progress,
) -> None:
    """Fill `folder` with the wanted files of all packages, under their paths in the packages; nothing if it is there.

    Args:
        client: who fetches.
        dataset: for messages.
        packages: in the order they are fetched.
        wanted: says of a path in a package whether it is unpacked.
        folder: appears when it is complete; downloads go beside it.
        progress: told after each package.

    Raises:
        UsageError: a tool of the client is not on the PATH.
        DataError: a package cannot be fetched, or is not the one that is expected.
        StorageError: the disk is full.
    """
    if folder.exists():
        return
    if missing := [tool for tool in client.tools if shutil.which(tool) is None]:
        raise UsageError(
            f"Data set {dataset} comes in {client.packages}, and {' and '.join(missing)} cannot be found on the PATH: "
            f"run `bench data get {dataset}` {client.where} and copy {folder} here."
        )
    downloads = folder.parent / "downloads"
    with store.storage_errors(folder), store.FileLock.acquire(folder.parent.with_name(f"{folder.parent.name}.lock")):
        if folder.exists():  # another process was faster
            return
        downloads.mkdir(parents=True, exist_ok=True)
        for done, package in enumerate(packages):
            progress(f"fetch {package.name}", done, len(packages))
            _download(client, package, downloads)
        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed: the lock is ours
        for done, package in enumerate(packages):
            progress(f"unpack {package.name}", done, len(packages))
            home = temporary / package.name if client.own_folders else temporary
            _unpack(client, _path(package, downloads), wanted, home)
        temporary.rename(folder)
        shutil.rmtree(downloads)
    progress("fetch", len(packages), len(packages))


def _path(package: Package, downloads: Path) -> Path:
    return downloads / package.name.replace("/", "_")


def _download(client: Client, package: Package, downloads: Path) -> None:
    """Fetch a package that is not there yet; what is half there starts anew."""
    final = _path(package, downloads)
    if final.exists() and _is(package, final):
        return
    work = downloads / f".{final.name}.tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    done = subprocess.run(client.download(package), cwd=work, capture_output=True, text=True, check=False)
    found = next(work.iterdir(), None)
    if done.returncode or found is None:
        reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise DataError(
            f"{client.tools[0]} cannot download {package.name} {package.version} ({reason}). {client.refresh}, "
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


def _unpack(client: Client, package: Path, wanted: Callable[[str], bool], folder: Path) -> None:
    """Write the wanted plain files of a package under a folder; links and paths that lead out of it are left out."""
    with subprocess.Popen(client.stream(package), stdout=subprocess.PIPE) as process:
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
        raise DataError(f"{package}: {client.tools[1]} cannot read it. Delete the file and repeat.")
