"""packages: what is fetched, checked, resumed and unpacked; a stand-in for apt-get copies packages made here."""

import hashlib
import os
import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from bimodal.errors import DataError, UsageError
from bimodal_tasks.packages import APT, NPM, Package, fetch

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb to make a package")

NAMES = ("one", "two", "three")


def silent(what: str, done: int, total: int) -> None:
    pass


def made(folder: Path, name: str) -> Package:
    """A package with a wanted file, an unwanted one and a link out of it."""
    tree = folder / name
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share" / name).mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: test\n"
    (tree / "DEBIAN/control").write_text(control)
    (tree / "usr/share" / name / "text.cfg").write_text(name)
    (tree / "usr/share" / name / "music.ogg").write_text("no")
    (tree / "usr/share" / name / "link.cfg").symlink_to("/etc/passwd")
    deb = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "-b", "--root-owner-group", tree, deb], check=True, capture_output=True)
    return Package(name, "1", deb.stat().st_size, hashlib.sha256(deb.read_bytes()).hexdigest())


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Package, ...]:
    """Three packages, and an apt-get that copies them, notes each, and fails where a file `fail-NAME` says so."""
    mirror, tools = tmp_path / "mirror", tmp_path / "bin"
    found = tuple(made(mirror, name) for name in NAMES)
    tools.mkdir()
    script = tools / "apt-get"
    script.write_text(
        f'#!/bin/sh\nname="${{3%%=*}}"\necho "$name" >> {mirror}/asked\n'
        f'[ -e {mirror}/fail-"$name" ] && {{ echo "E: no network" >&2; exit 100; }}\ncp {mirror}/"$name".deb .\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    return found


def wanted(path: str) -> bool:
    return path.endswith(".cfg")


def test_wanted_plain_files_arrive_and_nothing_else(packages: tuple[Package, ...], tmp_path: Path) -> None:
    folder = tmp_path / "cache/d/1"
    fetch(APT, "d", packages, wanted, folder, silent)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    assert files == sorted(f"usr/share/{name}/text.cfg" for name in NAMES)
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_a_fetch_that_broke_off_twice_goes_on_where_it_was(packages: tuple[Package, ...], tmp_path: Path) -> None:
    folder, mirror = tmp_path / "cache/d/1", tmp_path / "mirror"
    for name in ("two", "three"):
        (mirror / f"fail-{name}").touch()
        with pytest.raises(DataError, match=rf"apt-get cannot download {name} 1 \(E: no network\)\. Refresh its lists"):
            fetch(APT, "d", packages, wanted, folder, silent)
        assert not folder.exists()
        (mirror / f"fail-{name}").unlink()
    fetch(APT, "d", packages, wanted, folder, silent)
    assert (mirror / "asked").read_text().split() == ["one", "two", "two", "three", "three"]
    assert (folder / "usr/share/three/text.cfg").read_text() == "three"


def test_what_is_there_is_not_fetched_again(packages: tuple[Package, ...], tmp_path: Path) -> None:
    folder = tmp_path / "cache/d/1"
    fetch(APT, "d", packages, wanted, folder, silent)
    fetch(APT, "d", packages, wanted, folder, silent)
    assert len((tmp_path / "mirror/asked").read_text().split()) == 3


def test_a_download_that_was_cut_short_is_fetched_again(packages: tuple[Package, ...], tmp_path: Path) -> None:
    folder = tmp_path / "cache/d/1"
    (folder.parent / "downloads").mkdir(parents=True)
    (folder.parent / "downloads/one").write_bytes(b"half")
    fetch(APT, "d", packages, wanted, folder, silent)
    assert (folder / "usr/share/one/text.cfg").read_text() == "one"


def test_another_package_than_the_one_expected_is_refused(packages: tuple[Package, ...], tmp_path: Path) -> None:
    deb = tmp_path / "mirror/two.deb"
    deb.write_bytes(deb.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match=r"two 1 is not the package that was expected: .* Nothing of it was unpacked"):
        fetch(APT, "d", packages, wanted, tmp_path / "cache/d/1", silent)
    assert not (tmp_path / "cache/d/1").exists()


def test_paths_that_lead_out_of_the_folder_are_left_out(
    packages: tuple[Package, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("../../escaped.cfg", "/escaped.cfg", "./inside.cfg"):
            info = tarfile.TarInfo(name)
            info.size = 2
            archive.addfile(info, BytesIO(b"ok"))
    (tmp_path / "evil.tar").write_bytes(content.getvalue())
    script = tmp_path / "bin/dpkg-deb"
    script.write_text(f"#!/bin/sh\ncat {tmp_path}/evil.tar\n")
    script.chmod(0o755)
    folder = tmp_path / "cache/d/1"
    fetch(APT, "d", packages[:1], wanted, folder, silent)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*escaped*")] == []
    assert (folder / "inside.cfg").read_text() == "ok"


def test_without_apt_it_says_so_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UsageError, match="apt-get and dpkg-deb cannot be found on the PATH: run `bench data get d` on Debian"
    ):
        fetch(APT, "d", (), wanted, tmp_path / "cache/d/1", silent)


def test_npm_packages_are_packed_checked_and_unpacked_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "scope-icons-1.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("package/icons.json", "package/index.js"):
            info = tarfile.TarInfo(name)
            info.size = 2
            tar.addfile(info, BytesIO(b"{}"))
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "npm").write_text(f"#!/bin/sh\ncp {archive} .\n")
    (tools / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    package = Package("@scope/icons", "1", archive.stat().st_size, hashlib.sha256(archive.read_bytes()).hexdigest())
    folder = tmp_path / "cache/d/1"
    fetch(NPM, "d", (package,), lambda path: path.endswith(".json"), folder, silent)
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    assert files == ["@scope/icons/package/icons.json"]
