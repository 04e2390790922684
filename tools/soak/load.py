"""Deploys, switches, rollbacks and refusals one after the other, under all the load that the machine carries."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release_lane.probe import Probe, Report

from tools.lane import Lane, Result, Stack
from tools.soak import service
from tools.soak.long import LongAnswers

Say = Callable[[str], None]
SWITCHES_A_ROUND = 5


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of everything. A round is a deploy, a rollback, a refusal, a heal, and five more switches."""

    rounds: int = 10
    requests: int = 1_000_000
    """At least; more switches follow the rounds until there were as many."""
    users: int = 32
    """Connections that ask again as soon as they are answered."""


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """What was done, and what users got."""

    seconds: float
    deploys: int
    switches: int
    rollbacks: int
    refusals: int
    crowd: Report
    steady: Report
    """An open loop at a low rate, next to the crowd: it shows late answers."""
    long_whole: dict[str, int]
    long_broken: dict[str, int]
    strangers: tuple[str, ...]
    """Digests that answered users and never should have."""

    @property
    def flawless(self) -> bool:
        """Did users notice nothing?"""
        return self.crowd.total.flawless and self.steady.total.flawless and not (self.long_broken or self.strangers)


@dataclass
class Done:
    """Counts of updates that ended as they had to."""

    deploys: int = 0
    switches: int = 0
    rollbacks: int = 0
    refusals: int = 0


def soak(lane: Lane, good: str, size: Size, say: Say) -> Soaked:
    """Run it. `good`: digest of a built sample service, from which all images are derived."""
    say("building images")
    images = [image(lane, good, f"soak-{number}") for number in range(size.rounds + 2)]
    bad = [image(lane, good, "soak-liar", status="error"), image(lane, good, "soak-crasher", exits=True)]
    stack = lane.environment("soak", smoke={"deadlineSeconds": 3}, service={"desiredCount": 2})
    say("first releases")
    for digest in images[:2]:
        ended(stack.up(imageDigest=digest))
    done, begun = Done(), time.monotonic()
    with crowd(stack, size) as (many, few, long):
        for number, digest in enumerate(images[2:], 1):
            say(f"round {number} of {size.rounds}: {asked(many)}")
            one_round(stack, digest, bad[number % 2], many, done)
        while many.snapshot().total.sent < size.requests:
            say(f"more switches: {asked(many)}")
            switch(stack, many, done)
        seconds = time.monotonic() - begun
    return Soaked(
        seconds=seconds,
        deploys=done.deploys,
        switches=done.switches,
        rollbacks=done.rollbacks,
        refusals=done.refusals,
        crowd=many.stop(),
        steady=few.stop(),
        long_whole=dict(long.whole),
        long_broken=dict(long.broken),
        strangers=tuple(sorted({seen.digest for seen in many.stop().total.releases} - set(images))),
    )


@contextmanager
def crowd(stack: Stack, size: Size) -> Iterator[tuple[Probe, Probe, LongAnswers]]:
    """Everybody who asks: as many as the machine carries, some on schedule, and some who are answered slowly."""
    busy = Probe(f"{stack.url}/api/v1/status", 0, users=size.users)
    steady = Probe(f"{stack.url}/api/v1/status", 50)
    with busy as many, steady as few, LongAnswers(stack.url) as long:
        yield many, few, long
        many.stop()
        few.stop()


def one_round(stack: Stack, fresh: str, bad: str, many: Probe, done: Done) -> None:
    """A deploy, a rollback, a refusal with its heal, and switches."""
    many.mark("deploy")
    ended(stack.up(imageDigest=fresh))
    done.deploys += 1
    many.mark("rollback")
    traffic_only(stack)
    done.rollbacks += 1
    many.mark("refusal")
    ended(stack.up(imageDigest=bad), ok=False)
    ended(stack.up())
    done.refusals += 1
    for _ in range(SWITCHES_A_ROUND):
        switch(stack, many, done)


def switch(stack: Stack, many: Probe, done: Done) -> None:
    many.mark("switch")
    traffic_only(stack)
    done.switches += 1


def traffic_only(stack: Stack) -> None:
    """To the release that the idle colour holds."""
    live, previous = stack.outputs["imageDigest"], stack.outputs["previousDigest"]
    result = stack.up(imageDigest=previous, rollbackFrom=live)
    ended(result)
    if "Decision: traffic-only" not in result.text:
        raise RuntimeError(f"going back was no traffic-only switch:\n{result.text}")


def ended(result: Result, *, ok: bool = True) -> None:
    """RuntimeError unless an update ended as it had to."""
    if result.ok is not ok:
        raise RuntimeError(f"an update ended with exit code {result.code}:\n{result.text}")


def asked(many: Probe) -> str:
    """How it stands, for the progress line."""
    total = many.snapshot().total
    return f"{total.sent:,} requests, {total.failed} failed"


def image(lane: Lane, good: str, name: str, *, status: str = "ok", exits: bool = False) -> str:
    """The soak's service as an image of its own; its digest."""
    code = base64.b64encode(Path(service.__file__).read_bytes()).decode()
    command = "raise SystemExit('no database here')" if exits else "exec(open('/srv/soak.py').read())"
    lines: tuple[Any, ...] = (
        "USER 0",
        f"RUN echo {code} | base64 -d > /srv/soak.py",
        "USER 10001:10001",
        f"ENV SOAK_STATUS={status}",
        f"LABEL edition={name}",
        f'CMD ["/venv/bin/python", "-c", "{command}"]',
    )
    return lane.derive(name, good, lines)
