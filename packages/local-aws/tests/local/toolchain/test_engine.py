"""Where the engine comes from: PATH, cache, download (a server on loopback); never half an installation."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import pytest
from local_aws.errors import LocalError
from local_aws.toolchain.cache import cache_folder, filling, only_one, take_over
from local_aws.toolchain.download import NotAvailable, download
from local_aws.toolchain.engine import HOST, OURS, ensure_engine, installed_sdk, on_path
from local_aws.toolchain.pins import Download, Version

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider

PINNED = Version(3, 259, 0)
NAMES = Download("pulumi-v3.259.0-linux-x64.tar.gz", "pulumi-3.259.0-checksums.txt")
NOWHERE = "http://127.0.0.1:9/"


class Said(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def install(folder: Path, version: str, *, ours: bool = False) -> Path:
    executable(folder / "pulumi", f"#!/bin/sh\necho {version}\n")
    executable(folder / HOST, "#!/bin/sh\n")
    if ours:
        executable(folder / OURS, "old\n")
    return folder


# --- the one on the PATH


def test_a_newer_engine_with_its_own_host_is_taken_from_the_path(tmp_path: Path) -> None:
    folder = install(tmp_path / "bin", "v3.300.0")
    found = on_path(PINNED, tmp_path / "cache", {"PATH": str(folder)})
    assert found is not None
    assert (found.bin, str(found.version), found.source) == (folder, "v3.300.0", "path")


def test_an_older_engine_on_the_path_is_passed_over(tmp_path: Path) -> None:
    folder = install(tmp_path / "bin", "v3.100.0")
    assert on_path(PINNED, tmp_path / "cache", {"PATH": str(folder)}) is None


def test_an_engine_without_a_host_is_passed_over(tmp_path: Path) -> None:
    folder = install(tmp_path / "bin", "v3.300.0")
    (folder / HOST).unlink()
    assert on_path(PINNED, tmp_path / "cache", {"PATH": str(folder)}) is None


def test_our_own_cached_engine_on_the_path_is_the_cached_one(tmp_path: Path) -> None:
    folder = install(tmp_path / "engine/v3.259.0/bin", "v3.259.0", ours=True)
    assert on_path(PINNED, tmp_path / "engine/v3.259.0", {"PATH": str(folder)}) is None
    found = ensure_engine(tmp_path, Said(), {"PATH": str(folder)}, NOWHERE)
    assert found.source == "cache"


def test_the_pin_is_the_version_of_the_installed_sdk() -> None:
    assert str(installed_sdk()) == f"v{metadata.version('pulumi')}"


def test_without_an_sdk_the_engine_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(LocalError, match="package pulumi is not installed"):
        installed_sdk()


# --- the cached one


def test_the_cached_engine_gets_the_language_host_of_this_package(tmp_path: Path) -> None:
    folder = install(tmp_path / "engine/v3.259.0/bin", "v3.259.0", ours=True)
    ensure_engine(tmp_path, Said(), {"PATH": ""}, NOWHERE)
    assert "LanguageRuntime" in (folder / OURS).read_text()
    assert (folder / HOST).read_text().startswith("#!/bin/sh")


def test_a_downloaded_engine_keeps_its_official_host(tmp_path: Path) -> None:
    folder = install(tmp_path / "engine/v3.259.0/bin", "v3.259.0")
    before = (folder / HOST).read_text()
    ensure_engine(tmp_path, Said(), {"PATH": ""}, NOWHERE)
    assert (folder / HOST).read_text() == before
    assert not (folder / OURS).exists()


def test_the_cache_folder_can_be_chosen() -> None:
    assert cache_folder({"LOCAL_AWS_CACHE": "/x"}) == Path("/x")
    assert cache_folder({}) == Path.home() / ".cache/local-aws"


def test_what_an_earlier_version_cached_is_taken_over_once(tmp_path: Path) -> None:
    earlier, folder = tmp_path / "earlier", tmp_path / "cache"
    executable(earlier / "engine/v1/bin/pulumi", "built")
    executable(earlier / "engine/.v2.half/bin/pulumi", "half")
    executable(earlier / "base/abc.part", "half")
    (earlier / "engine/lock").touch()
    take_over(earlier, folder)
    assert [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()] == ["engine/v1/bin/pulumi"]
    executable(earlier / "engine/v3/bin/pulumi", "later")
    take_over(earlier, folder)
    assert not (folder / "engine/v3").exists()
    assert (earlier / "engine/v1/bin/pulumi").read_text() == "built"


def test_without_an_earlier_cache_nothing_is_made(tmp_path: Path) -> None:
    take_over(tmp_path / "earlier", tmp_path / "cache")
    assert list(tmp_path.iterdir()) == []


def test_a_filling_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with filling(tmp_path / "thing") as work:
            (work / "half").touch()
            raise LocalError("no")

    with pytest.raises(LocalError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_filling_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    (tmp_path / ".thing.abc").mkdir()
    with filling(tmp_path / "thing") as work:
        (work / "whole").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["thing"]
    assert (tmp_path / "thing/whole").exists()


def test_the_second_waits_for_the_first_and_says_so(tmp_path: Path) -> None:
    lock, said = tmp_path / "lock", Said()
    inside, leave, order = threading.Event(), threading.Event(), list[str]()

    def first() -> None:
        with only_one(lock, Said()):
            inside.set()
            leave.wait(PATIENCE)
            order.append("first")

    def second(text: str) -> None:
        said.append(text)
        leave.set()

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(PATIENCE)
    with only_one(lock, second):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]
    assert said == [f"waiting for another process that does the same (process {os.getpid()})"]


# --- the download


def archive_of(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.size = len(name)
            tar.addfile(entry, io.BytesIO(name.encode()))
    return buffer.getvalue()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def release(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that is served, and its URL."""
    folder = tmp_path / "release"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def publish(folder: Path, archive: bytes, checksum: str | None = None) -> None:
    (folder / NAMES.archive).write_bytes(archive)
    wanted = checksum or hashlib.sha256(archive).hexdigest()
    (folder / NAMES.checksums).write_text(f"{wanted}  {NAMES.archive}\n")


def test_a_release_is_unpacked_once_its_checksum_agrees(release: tuple[Path, str], tmp_path: Path) -> None:
    publish(release[0], archive_of("pulumi/pulumi", f"pulumi/{HOST}", "pulumi/../evil", "other/file"))
    into = tmp_path / "into"
    into.mkdir()
    download(release[1], NAMES, into, Said())
    assert sorted(path.name for path in into.iterdir()) == ["pulumi", HOST]
    assert (into / "pulumi").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("archive", "checksum", "complaint"),
    [
        (archive_of("pulumi/pulumi"), "0" * 64, "not the published"),
        (archive_of("other"), None, "holds no pulumi/pulumi"),
        (b"no archive at all", None, "cannot be unpacked"),
    ],
    ids=["checksum", "content", "format"],
)
def test_a_bad_release_is_not_available(
    release: tuple[Path, str], tmp_path: Path, archive: bytes, checksum: str | None, complaint: str
) -> None:
    publish(release[0], archive, checksum)
    with pytest.raises(NotAvailable, match=complaint):
        download(release[1], NAMES, tmp_path, Said())


def test_a_release_that_is_not_there_is_not_available(release: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="404"):
        download(release[1], NAMES, tmp_path, Said())
    with pytest.raises(NotAvailable, match="refused"):
        download(NOWHERE, NAMES, tmp_path, Said())
