"""Ctrl-C and kill -9 of the engine in each gate: users are served throughout, and the README's way back works."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from release_lane.probe import Probe
from tests.command.deaths import children, descendants

from tests.held import IMPORTED, held_by
from tests.patience import PATIENCE
from tests.stories.cloud import cleared, eventually, idle_of, in_time, running_digests, tasks, weights
from tests.stories.slow_registry import SlowRegistry
from tools.lane import Lane, Running, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600), pytest.mark.states]
Prober = Callable[..., Probe]


@pytest.fixture
def stack(staging: Stack) -> Stack:
    """The environment that stories share; smoke checks that fail are repeated for long enough to be interrupted."""
    return staging.with_settings(smoke={"deadlineSeconds": 8})


@contextlib.contextmanager
def in_image_gate(stack: Stack, digest: str) -> Iterator[Running]:
    """The engine, waiting in the image gate."""
    with SlowRegistry(stack.lane.variables["AWS_ENDPOINT_URL"]) as door:
        lane = Lane(stack.lane.folder, {**stack.lane.variables, "AWS_ENDPOINT_URL_ECR": door.url})
        with Stack(lane, stack.name, stack.settings).started("up", imageDigest=digest) as running:
            assert door.waiting.wait(PATIENCE), running.text
            yield running


@contextlib.contextmanager
def in_rollout_gate(stack: Stack, digest: str) -> Iterator[Running]:
    """The engine, waiting for tasks that have not answered their health check yet."""
    idle = idle_of(stack)
    before = tasks(stack, idle)
    with stack.started("up", imageDigest=digest) as running:
        in_time(running, "the idle colour gets new tasks", lambda: tasks(stack, idle) - before)
        yield running


@contextlib.contextmanager
def in_smoke_gate(stack: Stack, digest: str) -> Iterator[Running]:
    """The engine, repeating smoke checks that fail."""
    with stack.started("up", imageDigest=digest) as running:
        in_time(running, "tasks run it", lambda: running_digests(stack, idle_of(stack)) == {digest})
        in_time(running, "smoke checks run", lambda: _checks_run(running))
        yield running


@contextlib.contextmanager
def in_switch(stack: Stack, digest: str) -> Iterator[Running]:
    """The engine, after users were moved and before anything was recorded; it stays there."""
    idle, hold = idle_of(stack), stack.lane.folder / "hold"
    hold.touch()
    held = stack.with_changed_program("smoke/test_service.py", IMPORTED, IMPORTED + held_by(hold))
    try:
        with held.started("up", imageDigest=digest) as running:
            in_time(running, "users are moved", lambda: weights(stack).get(idle) == 100)
            yield running
    finally:
        hold.unlink()


def _checks_run(running: Running) -> bool:
    """Does this update run the smoke checks now?"""
    for each in descendants(running.process.pid):
        with contextlib.suppress(OSError):
            if b"--expect-colour" in Path(f"/proc/{each}/cmdline").read_bytes().split(b"\0"):
                return True
    return False


GATES = {
    "image": in_image_gate,
    "rollout": in_rollout_gate,
    "smoke": in_smoke_gate,
    "switch": in_switch,
}


SIGNALS = {"ctrl-c": signal.SIGINT, "kill-9": signal.SIGKILL}
IN_EVERY_RUN = {"ctrl-c-switch"}
"""Next to the machine that dies in the switch. The others are long."""
REAL = {"kill-9-rollout": (pytest.mark.real,)}
CASES = [
    pytest.param(how, gate, id=name, marks=() if name in IN_EVERY_RUN else (pytest.mark.long, *REAL.get(name, ())))
    for gate in GATES
    for word, how in SIGNALS.items()
    for name in [f"{word}-{gate}"]
]


def way_back(stack: Stack) -> None:
    """What the README says to do: free the lock, clear what was left half made, update again."""
    refreshed = cleared(stack)
    assert refreshed.ok, refreshed.text
    again = stack.up()
    assert again.ok, again.text


@pytest.mark.parametrize(("how", "gate"), CASES)
def test_interrupted_in(
    gate: str, how: signal.Signals, stack: Stack, liar: str, unseen: Callable[..., str], probe: Prober
) -> None:
    live, digest = stack.outputs["imageDigest"], liar if gate == "smoke" else unseen(stack)
    prober = probe(stack)
    with GATES[gate](stack, digest) as running:
        running.process.send_signal(how)
        ended = running.wait(PATIENCE)
    assert not ended.ok, ended.text
    assert stack.outputs["imageDigest"] == live, "an interrupted update records nothing"
    way_back(stack)
    served = stack.served()
    assert served["digest"] == stack.outputs["imageDigest"]
    assert served["digest"] in ({live} if gate != "switch" else {live, digest})
    settled = stack.up("--expect-no-changes")
    assert settled.ok, settled.text
    prober.mark("settled")
    eventually("users are still asked for", lambda: prober.snapshot().step("settled").ok >= 20)
    report = prober.stop()
    assert report.total.failed == 0, report.total.reasons
    assert {release.digest for release in report.total.releases} <= ({live} if gate != "switch" else {live, digest})


def test_a_machine_that_dies_in_the_switch(stack: Stack, probe: Prober) -> None:
    """Engine and providers die at once, so no process rolls the traffic back: the journal tells the next update."""
    live, other = stack.outputs["imageDigest"], stack.outputs["previousDigest"]
    prober = probe(stack)
    with in_switch(stack.with_settings(rollbackFrom=live), other) as running:  # the run itself gives imageDigest
        os.kill(running.process.pid, signal.SIGSTOP)  # it must not see its plugins die and act on it
        for pid in [*children(running.process.pid), running.process.pid]:
            os.kill(pid, signal.SIGKILL)
        running.wait(PATIENCE)
    assert stack.outputs["imageDigest"] == live, "nothing was recorded"
    assert stack.served()["digest"] == other, "all users are on the other release"
    way_back(stack)
    assert stack.outputs["imageDigest"] == other == stack.served()["digest"], "the next update finished it"
    assert prober.stop().total.failed == 0
