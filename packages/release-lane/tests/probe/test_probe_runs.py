"""The prober in its own process against a server that misbehaves at known times."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from release_lane.errors import CloudError
from release_lane.probe import Counts, Probe
from release_lane.probe.engine import Engine
from release_lane.probe.settings import Settings
from tests.probe.probe_server import Server, serving

from tests.patience import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.provider

ROOT = Path(__file__).parents[4]
RATE = 50.0
"""Requests a second. A prober that starved sends all that are due at once: its 1,000 connections last for 20 s."""


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def latest(probe: Probe) -> Counts:
    return probe.snapshot().steps[-1]


def change(probe: Probe, server: Server, step: str, **to: object) -> None:
    """Let the server behave otherwise, so that all of `step`, and nothing of the step before, sees it."""
    before = latest(probe).name
    probe.mark(f"changing to {step}")  # requests of this step may see the one or the other
    until(lambda: probe.snapshot().step(before).in_flight == 0)
    vars(server).update(to)
    probe.mark(step)


def enough(probe: Probe, count: int = 30) -> None:
    """Until that many requests of the latest step have an end."""
    until(lambda: latest(probe).ok + latest(probe).failed >= count)


def test_a_good_server_has_no_failures_and_is_named(server: Server) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
        report = probe.stop()
    total = report.total
    assert (total.ok, total.failed, total.mixed, total.in_flight) == (total.sent, 0, 0, 0)
    assert total.statuses == {"200": total.sent}
    (seen,) = total.releases
    assert (seen.digest, seen.colour, seen.count) == ("sha256:aa", "blue", total.sent)
    assert total.flawless


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        (503, "status 503"),
        (404, "status 404"),
        (301, "status 301"),
        ("reset", "reset"),
        ("close", "closed without an answer"),
        ("garbage", "not an HTTP answer: b'hello"),
        ("cut", "closed in the middle of an answer"),
    ],
)
def test_failures_belong_to_the_step_in_which_they_were_caused(server: Server, mode: int | str, reason: str) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
        change(probe, server, "broken", mode=mode)
        enough(probe)
        change(probe, server, "fixed", mode=200)
        enough(probe)
        report = probe.stop()
    assert report.step("start").flawless
    assert report.step("fixed").flawless, report.step("fixed").reasons
    broken = report.step("broken")
    assert (broken.ok, broken.failed) == (0, broken.sent)
    assert all(found.startswith(reason) for found in broken.reasons)
    assert broken.began <= broken.failures[-1].at <= (broken.ended or 0)
    assert report.total.failed >= broken.failed


def test_nothing_listening_is_refused() -> None:
    port = free_port()
    with Probe(f"http://127.0.0.1:{port}/", 200) as probe:
        enough(probe)
        report = probe.stop()
    assert report.total.reasons == {"refused": report.total.sent}


def test_requests_leave_on_schedule_while_nothing_is_answered(server: Server) -> None:
    """A closed loop would be stuck with its first requests, and count that as few failures."""
    server.mode = "hold"
    with Probe(server.url, RATE, timeout=PATIENCE, late_after=0.2, connections=int(RATE * PATIENCE)) as probe:
        until(lambda: latest(probe).in_flight >= 150)
        assert latest(probe).ok == 0
        change_of_mind = probe.snapshot().total.sent
        server.mode = 200
        server.release()
        report = probe.stop()
    assert (report.total.ok, report.total.failed) == (report.total.sent, 0)
    assert report.total.sent >= change_of_mind >= 150
    assert report.total.late > 0
    assert report.total.latency_ms.worst > 200, "the latency counts from when a request was due"


def test_users_ask_again_as_soon_as_they_are_answered_and_never_more_at_once(server: Server) -> None:
    server.mode = "hold"
    with Probe(server.url, 0, users=7, timeout=PATIENCE) as probe:
        until(lambda: latest(probe).in_flight == 7 and server.requests == 7)
        server.mode = 200
        server.release()
        until(lambda: latest(probe).ok >= 1_000)
        report = probe.stop()
    assert (report.total.ok, report.total.failed) == (report.total.sent, 0)
    assert server.connections <= 7 + report.total.sent // 100 + 1, "connections are kept, each for 100 requests"


def test_users_of_a_service_that_hangs_up_come_back(server: Server) -> None:
    with Probe(server.url, 0, users=3) as probe:
        enough(probe)
        change(probe, server, "broken", mode="reset")
        until(lambda: latest(probe).failed >= 6)
        change(probe, server, "fixed", mode=200)
        enough(probe)
        report = probe.stop()
    assert report.step("fixed").flawless, report.step("fixed").reasons
    assert report.total.reasons.keys() <= {"reset", "reset (on a connection used before)"}


def test_an_answer_that_does_not_come_is_a_timeout(server: Server) -> None:
    server.mode = "hold"
    with Probe(server.url, RATE, timeout=1.0) as probe:
        until(lambda: latest(probe).reasons.get("timeout", 0) >= 30)
        report = probe.stop()
    assert sum(report.total.reasons.values()) == report.total.sent
    assert report.total.reasons.keys() <= {"timeout", "timeout while connecting"}, "a busy machine connects late"


def test_a_server_that_does_not_accept_is_a_timeout_while_connecting() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for taking in (first, second):  # a backlog of 0 has room for one
            taking.setblocking(False)
            taking.connect_ex(full.getsockname())
        with Probe(f"http://127.0.0.1:{full.getsockname()[1]}/", RATE, timeout=0.3) as probe:
            enough(probe)
            report = probe.stop()
    assert report.total.reasons == {"timeout while connecting": report.total.sent}


@pytest.mark.parametrize("passes", [0.5, 1.5, 2.5, 3.5, 4.5])
def test_a_starved_prober_counts_each_request_once(server: Server, passes: float) -> None:
    """Its loop is slow, so the time is up at any moment of connecting, once just when the connection was made."""
    server.mode, slow = "hold", 0.03
    asked: list[Counts] = []

    async def probe() -> Counts:
        engine = Engine(Settings(url=server.url, rate=0, users=1, timeout=passes * slow))

        def starve() -> None:
            time.sleep(slow)
            asked.append(engine.report().total)
            engine.loop.call_soon(starve if len(asked) < 60 else engine.stop)

        starve()
        await engine.run()
        return engine.report().total

    total = asyncio.run(probe())
    assert sum(total.reasons.values()) == total.sent > 3
    assert total.reasons.keys() <= {"timeout", "timeout while connecting"}
    assert max(counts.in_flight for counts in asked) == 1, "one user asks for one thing at a time"


def test_a_request_that_finds_no_free_connection_has_failed(server: Server) -> None:
    server.mode = "hold"
    with Probe(server.url, RATE, timeout=PATIENCE, connections=5) as probe:
        enough(probe)
        server.release()
        report = probe.stop()
    reason = "none of 5 connections was free"
    assert report.total.reasons[reason] == report.total.failed > 0
    assert server.connections == 5


def test_connections_are_used_again_but_not_for_ever(server: Server) -> None:
    with Probe(server.url, 0, users=3, per_connection=10) as probe:
        enough(probe, 100)
        report = probe.stop()
    assert report.total.flawless
    assert report.total.sent / 10 <= server.connections < report.total.sent


def test_a_traffic_switch_is_seen_as_one_release_after_the_other(server: Server) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
        change(probe, server, "switched", digest="sha256:bb", colour="green")
        enough(probe)
        report = probe.stop()
    assert {(seen.digest, seen.colour) for seen in report.step("start").releases} == {("sha256:aa", "blue")}
    assert {(seen.digest, seen.colour) for seen in report.step("switched").releases} == {("sha256:bb", "green")}
    blue, green = sorted(report.total.releases, key=lambda seen: seen.first)
    assert (blue.colour, green.colour) == ("blue", "green")
    assert report.total.flawless


def test_an_answer_of_two_releases_is_mixed(server: Server) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
        change(probe, server, "mixed", body_colour="green")
        enough(probe)
        report = probe.stop()
    assert report.step("start").mixed == 0
    mixed = report.step("mixed")
    assert (mixed.mixed, mixed.failed) == (mixed.sent, 0)
    assert not report.total.flawless


def test_counting_can_wait_for_the_first_good_answer(server: Server) -> None:
    server.mode = 503
    with Probe(server.url, RATE, wait_ready=True) as probe:
        until(lambda: server.requests >= 3)
        assert not probe.wait_until_ready(0)
        assert probe.snapshot().total.sent == 0
        server.mode = 200
        assert probe.wait_until_ready(30)
        enough(probe)
        report = probe.stop()
    assert report.total.flawless
    assert report.total.sent > 0


def test_an_expected_status_is_no_failure(server: Server) -> None:
    server.mode = 503
    with Probe(server.url, RATE, expect=(503,)) as probe:
        enough(probe)
        report = probe.stop()
    assert report.total.flawless
    assert report.total.statuses == {"503": report.total.sent}


def test_a_snapshot_holds_what_is_known_so_far(server: Server) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
        early = probe.snapshot()
        until(lambda: probe.snapshot().total.ok > early.total.ok)
        final = probe.stop()
        assert probe.stop() == probe.snapshot() == final, "asking again is allowed"
    assert early.at < final.at
    assert early.total.ended is None
    assert final.total.ended is not None


def test_leaving_without_stop_ends_the_process(server: Server) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
    with pytest.raises(CloudError, match="not running"):
        probe.snapshot()


def test_a_prober_that_dies_is_an_error_not_a_clean_report(server: Server) -> None:
    with Probe(server.url, RATE) as probe:
        enough(probe)
        os.kill(probe.pid, signal.SIGKILL)
        os.waitid(os.P_PID, probe.pid, os.WEXITED | os.WNOWAIT)
        for _ in range(2):
            with pytest.raises(CloudError, match="ended by itself"):
                probe.stop()


def test_it_does_not_outlive_a_killed_parent(server: Server) -> None:
    script = (
        "from release_lane.probe import Probe\n"
        f"probe = Probe({server.url!r}, 50).start()\n"
        "probe.snapshot()\n"
        "print(probe.pid, flush=True)\n"
        "input()\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        parent.kill()
        until(lambda: not alive(worker))


def alive(pid: int) -> bool:
    """A zombie is not: it only waits to be reaped by its new parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_url_that_is_none_is_refused_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="should be a URL"):
        Probe("127.0.0.1:8080", 10)


# --- the command


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    own = [sys.executable, "-m", "release_lane.probe", *arguments]
    return subprocess.run(own, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def test_the_command_sends_just_as_many_as_asked_for(server: Server) -> None:
    done = command(server.url, "--rate", "100", "--for", "0.5", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["total"]["sent"] == 50
    assert server.requests == 50


def test_the_command_says_1_when_a_request_failed(server: Server) -> None:
    server.mode = 500
    done = command(server.url, "--rate", "50", "--for", "0.2")
    assert done.returncode == 1
    assert "failed 10 times: status 500" in done.stdout


def test_the_command_reports_when_it_is_interrupted(server: Server) -> None:
    own = [sys.executable, "-m", "release_lane.probe", server.url, "--rate", "100", "--json"]
    with subprocess.Popen(own, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        until(lambda: server.requests >= 10)
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    assert json.loads(output)["total"]["sent"] == server.requests


def test_the_command_can_expect_a_status(server: Server) -> None:
    server.mode = 503
    assert command(server.url, "--rate", "50", "--for", "0.2", "--expect", "503").returncode == 0


def test_the_command_names_a_url_that_is_none() -> None:
    done = command("localhost")
    assert done.returncode == 2
    assert "should be a URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("identify", ["", "none"])
def test_answers_that_name_no_release_are_counted_as_such(server: Server, identify: str) -> None:
    server.names = ""
    with Probe(server.url, RATE, identify=identify) as probe:
        enough(probe)
        probe.mark("more")
        enough(probe)
        total = probe.stop().total
    assert (total.failed, total.unnamed) == (0, total.ok)


def test_what_names_itself_where_nothing_is_to_is_not_looked_at(server: Server) -> None:
    server.body_colour = "green"
    with Probe(server.url, RATE, identify="none") as probe:
        enough(probe)
        total = probe.stop().total
    assert (total.mixed, total.releases, total.unnamed) == (0, (), total.ok)
