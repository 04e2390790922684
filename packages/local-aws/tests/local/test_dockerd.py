"""A dockerd that a local cloud started: the last one that needs it stops it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws import dockerd, processes
from local_aws.places import Places

pytestmark = pytest.mark.provider


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(
        root=tmp_path, runtime=tmp_path / "a", cache=tmp_path, shared=tmp_path / "shared", daemon=tmp_path / "run"
    )


@pytest.fixture
def daemon(places: Places) -> Iterator[processes.Started]:
    """In the place of dockerd."""
    started = processes.spawn(
        places.daemon,
        dockerd.NAME,
        ["sleep", "1000"],
        log=dockerd.log_of(places),
        environment=os.environ,
        cwd=Path("/"),
    )
    yield started
    processes.end([started.pid], 1.0)


@pytest.fixture(autouse=True)
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker client that answers with what lies in the file `said`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    said = tmp_path / "said"
    said.write_text("")
    (tools / "docker").write_text(f'#!/bin/sh\n[ "$1" = version ] && echo 99.0 || cat {said}\n')
    (tools / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return said


def test_the_last_one_stops_it_regardless_of_which_started_it(places: Places, daemon: processes.Started) -> None:
    assert dockerd.stop(places, [], print)
    assert not daemon.alive
    assert dockerd.ours_runs(places) is None


def test_while_another_cloud_is_up_it_stays(
    places: Places, daemon: processes.Started, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not dockerd.stop(places, ["/b/.local", "/c/.local"], print)
    assert daemon.alive
    assert "the local cloud of /b/.local uses it, and 1 more" in capsys.readouterr().out


def test_it_stays_while_any_container_runs_in_it(
    places: Places, daemon: processes.Started, client: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client.write_text("0123\n4567\n")
    assert not dockerd.stop(places, [], print)
    assert daemon.alive
    assert "2 containers that are not ours" in capsys.readouterr().out


def test_a_user_who_is_not_root_learns_who_can_stop_it(
    places: Places, daemon: processes.Started, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not dockerd.stop(places, [], print)
    assert daemon.alive
    assert f"sudo kill {daemon.pid}" in capsys.readouterr().out


def test_a_docker_that_no_local_cloud_started_is_left_alone(places: Places) -> None:
    assert not dockerd.stop(places, [], print)
