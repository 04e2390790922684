"""Kill -9 and Ctrl-C of each process of an update at each of its boundaries: users are served, the next one gets there.

A sample in an ordinary run; every point in `make soak`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from release_lane.gates.__main__ import resources
from release_lane.probe import Probe

from tests.faults.crash import end, follow, logged, none_left, victims
from tests.faults.matrix import how_many
from tests.faults.points import Point
from tests.faults.proxy import FaultProxy
from tests.faults.record import boundaries
from tests.faults.stories import MIGRATION
from tests.patience import PATIENCE
from tests.stories.cloud import cleared, idle_of, running_digests, weights
from tools.lane import Lane, Result, Stack

EVERY_VICTIM = ("engine", "aws provider", "language host", "release provider")
SIGNALS = (signal.SIGKILL, signal.SIGINT)
SAMPLE = len(EVERY_VICTIM)
ELSEWHERE = {"AdoptedImage"}
"""A gate of the artifacts stack: it has no users."""


@dataclass(frozen=True)
class Crash:
    """One process, one signal, one boundary."""

    point: Point
    victim: str
    how: signal.Signals

    def __str__(self) -> str:
        return f"{self.how.name} {self.victim} at {self.point}"


def every_crash() -> list[Crash]:
    """At each boundary each process that lives there, killed and interrupted."""
    return [
        Crash(point, victim, how)
        for point, alive in boundaries().items()
        for victim in (alive if point.when != "end" else ["engine"])  # the others are ending by themselves then
        for how in SIGNALS
    ]


def chosen() -> list[Crash]:
    """All of them in the soak; else each process in turn and both signals, from all over the list."""
    crashes = every_crash()
    number = how_many(crashes, SAMPLE)
    return crashes if number == len(crashes) else [_sampled(crashes, turn, number) for turn in range(number)]


def _sampled(crashes: Sequence[Crash], turn: int, number: int) -> Crash:
    victim = EVERY_VICTIM[turn % len(EVERY_VICTIM)]
    how = SIGNALS[(turn + 1 + turn // len(EVERY_VICTIM)) % len(SIGNALS)]
    alike = [crash for crash in crashes if (crash.victim, crash.how) == (victim, how)]
    return alike[(turn * 2 + 1) * len(alike) // (2 * number)]


@pytest.mark.pure
def test_each_gate_and_each_resource_it_stands_between_is_a_boundary() -> None:
    """After a change of the graph or of a gate's steps: `python -m tests.faults.record`."""
    gates = {gate.token.rpartition(":")[2] for gate in resources()} - ELSEWHERE
    named = {point.what.split()[0] for point in boundaries() if point.when in ("before", "after")}
    assert named >= {"TaskDefinition", "Service", *gates}
    stepped = {point.what.split()[0] for point in boundaries() if point.when == "step"}
    assert stepped >= gates
    assert {point.when for point in boundaries()} == {"begin", "before", "after", "step", "end", "asked", "done"}


@pytest.mark.pure
def test_every_process_is_a_victim_somewhere() -> None:
    assert {victim for alive in boundaries().values() for victim in alive} == {*EVERY_VICTIM}


@pytest.mark.pure
@pytest.mark.parametrize("number", [SAMPLE, 20])
def test_a_sample_has_every_process_and_both_signals(number: int) -> None:
    crashes = every_crash()
    sample = [_sampled(crashes, turn, number) for turn in range(number)]
    assert len({*sample}) == number
    assert {crash.victim for crash in sample} == {*EVERY_VICTIM}
    assert {crash.how for crash in sample} == {*SIGNALS}


@pytest.mark.pure
def test_the_smallest_sample_kills_both_providers_at_their_work() -> None:
    killed = {
        crash.victim: crash.point
        for crash in (_sampled(every_crash(), turn, SAMPLE) for turn in range(SAMPLE))
        if crash.how == signal.SIGKILL
    }
    assert killed["aws provider"].what.startswith(("TaskDefinition", "Service"))
    assert killed["release provider"].when in ("asked", "done"), "users may have been moved, and no answer says so"


@dataclass
class Subject:
    """An environment with three good images, of which one is live and another one idle."""

    stack: Stack
    images: tuple[str, ...]
    probe: Probe
    proxy: FaultProxy

    def unused(self) -> str:
        """A digest that no colour holds: deploying it goes through every gate."""
        held = {self.stack.outputs["imageDigest"], *running_digests(self.stack, idle_of(self.stack))}
        return next(digest for digest in self.images if digest not in held)

    def asked_for(self, digest: str, *, migrates: bool) -> dict[str, str]:
        """The settings of an update that wants this digest. A way back `migrates` nothing."""
        live = self.stack.outputs["imageDigest"]
        if live == digest:
            return {}
        was_live = digest in {past["digest"] for past in self.stack.outputs["liveHistory"]}
        how = "redeployFrom" if migrates else "rollbackFrom"
        return {"imageDigest": digest, **({how: live} if was_live else {})}


@pytest.fixture(scope="module")
def subject(lane: Lane, good: str, better: str, best: str) -> Iterator[Subject]:
    stack = lane.environment("killed", like="staging", smoke={"deadlineSeconds": 8}, migration=MIGRATION)
    for digest in (good, better):
        result = stack.up(imageDigest=digest)
        assert result.ok, result.text
    with Probe(stack.url + "/api/v1/status", 50, timeout=20) as probe:
        with FaultProxy(lane.variables["AWS_ENDPOINT_URL"]) as proxy:
            yield Subject(stack, (good, better, best), probe, proxy)


@pytest.mark.cloud
@pytest.mark.story
@pytest.mark.long
@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crash", chosen(), ids=str)
@pytest.mark.states
def test_users_stay_served_nothing_is_lost_and_the_next_update_gets_there(crash: Crash, subject: Subject) -> None:
    stack = subject.stack
    stack.command("cancel", "--yes")  # in case the test before failed
    before, digest = stack.outputs, subject.unused()
    subject.probe.mark(str(crash))
    migrates = crash.point.what.endswith("migration") or crash.point.what == "ecs:RunTask"
    ended = _crashed(crash, subject, subject.asked_for(digest, migrates=migrates))
    assert "Traceback" not in ended.text or crash.victim != "engine", ended.text
    _nothing_is_lost(before, stack.outputs, digest)
    assert sorted(weights(stack).values()) == [0, 100]
    assert stack.served()["digest"] in (before["imageDigest"], digest)
    again = _next_update(subject, digest, migrates=migrates)
    assert again.ok, again.text
    assert "Decision: " in again.text
    assert stack.outputs["imageDigest"] == stack.served()["digest"] == digest
    counts = subject.probe.snapshot().step(str(crash))
    assert (counts.failed, counts.mixed) == (0, 0), counts


def _crashed(crash: Crash, subject: Subject, asked: dict[str, str]) -> Result:
    """Run the update, end its victim at the point, wait for its end; nothing of it is left."""
    struck: list[int] = []
    pids: dict[str, int] = {}
    lane = subject.stack.lane
    behind = Lane(lane.folder, {**lane.variables, "AWS_ENDPOINT_URL": subject.proxy.url})
    with logged(replace(subject.stack, lane=behind), **asked) as (running, log):

        def strike() -> None:
            pids.update(victims(running.process.pid))
            if crash.victim in pids and not struck:
                struck.append(pids[crash.victim])
                end(pids[crash.victim], crash.how)

        point = crash.point
        if point.when in ("asked", "done"):
            subject.proxy.meanwhile(point.what, strike, done=point.when == "done", skip=int(point.words) - 1)
        for passed in follow(log, lambda: running.process.poll() is not None):
            pids |= victims(running.process.pid)
            if passed == point:
                strike()
        ended = running.wait(PATIENCE)
    subject.proxy.heal()
    assert struck, f"never came to {point}\n{ended.text}"
    assert not none_left(pids), "processes of an update that ended"
    return ended


def _nothing_is_lost(before: dict[str, Any], after: dict[str, Any], digest: str) -> None:
    """The record is the old one, or the new one that begins with the old one."""
    if after["imageDigest"] == before["imageDigest"]:
        assert after == before
        return
    assert after["imageDigest"] == digest
    assert after["previousDigest"] == before["imageDigest"]
    assert after["liveHistory"][:-1] == before["liveHistory"][-(len(after["liveHistory"]) - 1) :]
    assert {each["digest"] for each in before["evidence"]} <= {each["digest"] for each in after["evidence"]}


def _next_update(subject: Subject, digest: str, *, migrates: bool) -> Result:
    """What the README says to do: free the lock, clear what was left half made, update again."""
    refreshed = cleared(subject.stack)
    assert refreshed.ok, refreshed.text
    return subject.stack.up(**subject.asked_for(digest, migrates=migrates))
