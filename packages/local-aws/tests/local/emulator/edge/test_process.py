"""HAProxy as a process: version, limits, folders. What needs a running one is in test_traffic.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from local_aws.emulator.edge.process import Folder, Occupied, alive, capacity, end, parse_version

pytestmark = pytest.mark.provider


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", (2, 6)),
        ("HAProxy version 3.0.5-8e879a52e 2024/09/19", (3, 0)),
        ("HA-Proxy version 1.8.30 2021/04/12", (1, 8)),
        ("command not found", (0, 0)),
    ],
)
def test_versions_are_read(said: str, version: tuple[int, int]) -> None:
    assert parse_version(said) == version


def test_capacity_fits_the_limit_of_open_files() -> None:
    assert 100 <= capacity() <= 10_000


def test_a_path_is_short_however_deep_the_folder_lies(tmp_path: Path) -> None:
    folder = Folder(tmp_path.joinpath(*["a-rather-long-name"] * 12))
    folder.write("file", "text")
    assert len(folder.short("run-1.sock")) < 60
    assert Path(folder.short("file")).read_text() == "text"
    folder.close()


def test_only_our_own_haproxy_is_ended(tmp_path: Path) -> None:
    """A process id in the file may belong to somebody else by now."""
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=tmp_path)
    folder = Folder(tmp_path)
    folder.record([stranger.pid])
    folder.clear()
    assert alive(stranger.pid)
    end([stranger.pid])
    assert not alive(stranger.pid)
    stranger.wait()
    folder.close()


def test_a_folder_serves_one_emulator_at_a_time(tmp_path: Path) -> None:
    first, second = Folder(tmp_path), Folder(tmp_path)
    first.occupy()
    with pytest.raises(Occupied, match="in use by another emulator"):
        second.occupy()
    first.leave()
    second.occupy()
    first.close()
    second.close()
