"""Logs by name: files, and containers by what they are called or which service they belong to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from local_aws import logs, processes
from local_aws.logs import Source, choose, unknown
from local_aws.places import Places
from tests.local.repository import ROOT

from tests.patience import PATIENCE

EMULATOR, DOCKERD = Source("emulator", Path("/l/emulator.log")), Source("dockerd", Path("/l/dockerd.log"))
BLUE, GREEN = Source("lane-1-app", also="service:staging-blue"), Source("lane-2-app", also="service:staging-green")
ALL = [EMULATOR, DOCKERD, BLUE, GREEN]


@pytest.mark.pure
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        (None, [EMULATOR, DOCKERD]),
        ("emulator", [EMULATOR]),
        ("lane-1-app", [BLUE]),
        ("staging-green", [GREEN]),
        ("staging", [BLUE, GREEN]),
        ("absent", []),
    ],
)
def test_a_name_or_a_part_of_it_chooses(name: str | None, meant: list[Source]) -> None:
    assert choose(ALL, name) == meant


@pytest.mark.pure
def test_a_whole_name_means_only_that_one() -> None:
    assert choose([Source("app"), Source("app-2")], "app") == [Source("app")]


@pytest.mark.pure
def test_an_unknown_name_is_answered_with_those_that_there_are() -> None:
    error = unknown(ALL, "absent")
    assert error.what == "There is no log absent."
    assert "emulator, dockerd, lane-1-app (service:staging-blue)" in error.next_step
    assert unknown([], None).next_step == "local-aws up"


@pytest.mark.pure
def test_a_containers_output_is_asked_of_docker() -> None:
    assert BLUE.command(7, follow=True) == ["docker", "logs", "--tail", "7", "--follow", "lane-1-app"]
    assert BLUE.command(7, follow=False) == ["docker", "logs", "--tail", "7", "lane-1-app"]


@pytest.mark.provider
def test_the_end_of_each_file_is_shown_under_its_name(tmp_path: Path) -> None:
    here = Places(root=tmp_path, runtime=tmp_path, cache=tmp_path, daemon=tmp_path / "daemon")
    for path, text in (
        (here.logs / "emulator.log", "one\ntwo\nthree\n"),
        (here.edge / "haproxy.log", "four\n"),
        (here.daemon / "dockerd.log", "five\n"),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    said: list[str] = []
    logs.show(logs.files(here), 2, said.append)
    assert said == [
        f"==> {here.daemon}/dockerd.log <==", "five",
        f"==> {here.logs}/emulator.log <==", "two\nthree",
        f"==> {here.edge}/haproxy.log <==", "four",
    ]  # fmt: skip


W = "[WARNING]  (7) : "
TELLING = [
    W + 'Health check for server s-blue.7b/s1 failed, reason: Layer4 connection problem, info: "Connection refused", '
    "check duration: 0ms, status: 3/4 UP.",
    W + "Server s-blue.7b/s1 is DOWN. 0 active and 2 backup servers left. Running on backup. 0 sessions active, "
    "0 requeued, 0 remaining in queue.",
    W + "Server s-blue.7b/s1 is UP. 1 active and 2 backup servers online. 0 sessions requeued, 0 total in queue.",
    W + "Server s-blue.7b/s1 enters drain state. 1 active and 2 backup servers online. 0 sessions requeued, 0 total in "
    "queue.",
    "[ALERT]    (7) : backend 's-blue.7b' has no server available!",
]
ROUTINE = [
    W + "Proxy GLOBAL stopped (cumulated conns: FE: 2, BE: 2).",
    W + "Proxy <HTTPCLIENT> stopped (cumulated conns: FE: 0, BE: 0).",
    W + "Server s-blue.7b/s1 is UP/DRAIN (leaving forced maintenance).",
    W + "Server s-blue.7b/s1 remains in forced drain mode.",
    W + "Server s-blue.7b/s1 is stopping, changed from CLI. 0 active and 0 backup servers online. 0 sessions requeued, "
    "0 total in queue.",
    W + "Server s-blue.7b/s1 is UP (leaving forced drain).",
    W + "Backup Server s-blue.7b/open1 is UP/READY (leaving forced maintenance).",
]


@pytest.mark.provider
def test_of_haproxy_what_it_always_warns_of_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Places(root=tmp_path, runtime=tmp_path, cache=tmp_path, daemon=tmp_path / "daemon")
    here.edge.mkdir()
    log = here.edge / "haproxy.log"
    log.write_text("\n".join([*ROUTINE, *TELLING, *ROUTINE, ""]))
    said: list[str] = []
    logs.show(logs.files(here), 100, said.append)
    assert said == [f"==> {log} <== without {2 * len(ROUTINE)} lines of routine", "\n".join(TELLING)]
    said.clear()
    logs.show(logs.files(here), 1, said.append)
    assert said[1] == TELLING[-1]
    said.clear()
    monkeypatch.setattr(Source, "command", lambda *_, **__: ["cat", str(log)])
    logs.follow(logs.files(here), 100, said.append)
    assert said == TELLING


@pytest.mark.provider
def test_followed_lines_come_as_they_are_written_each_with_its_source_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    one, two = tmp_path / "logs/part-one.log", tmp_path / "logs/part-two.log"
    for path in (one, two):
        path.write_text("first\n")
    with subprocess.Popen(
        [sys.executable, "-m", "local_aws", "logs", "part", "--follow"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "LOCAL_RUNTIME": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert {process.stdout.readline() for _ in range(2)} == {"part-one | first\n", "part-two | first\n"}
        for path, text in ((one, "second\n"), (two, "third\n")):
            with path.open("a") as log:
                log.write(text)
            assert process.stdout.readline() == f"{path.stem} | {text}"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
    assert not [pid for pid in processes.every_pid() if str(one) in processes.command_of(pid)]


@pytest.mark.provider
def test_nothing_is_followed_for_a_reader_that_left(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs/part-one.log"
    log.write_text("first\n")
    with subprocess.Popen(
        [sys.executable, "-m", "local_aws", "logs", "part", "--follow"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "LOCAL_RUNTIME": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline().endswith("first\n")
        process.stdout.close()
        with log.open("a") as more:
            more.write("second\n")
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


@pytest.mark.provider
def test_following_ends_when_all_that_is_followed_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(source: Source, _: int, *, follow: bool) -> list[str]:
        assert follow
        return ["echo", source.name]

    monkeypatch.setattr(Source, "command", command)
    said: list[str] = []
    logs.follow([Source("one"), Source("two")], 5, said.append)
    assert sorted(said) == ["one | one", "two | two"]
    said.clear()
    logs.follow([Source("one")], 5, said.append)
    assert said == ["one"]
