"""Words for the tests of decisions: releases, colours, records, and a cloud as it may be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from release_lane.record.digest import Digest
from release_lane.record.evidence import Proof
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour, Release, Service, Weights, all_on
from release_lane.record.records import Observed, Recorded, Side

BLUE, GREEN = Colour.BLUE, Colour.GREEN
SERVICE = Service()
OTHER_SERVICE = Service(env={"LOG_LEVEL": "debug"})


def digest(letter: str) -> Digest:
    return Digest("sha256:" + letter * 64)


def release(letter: str, service: Service = SERVICE) -> Release:
    return Release(digest=digest(letter), service=service, commit=letter * 40)


A, B, C, D = (release(letter) for letter in "abcd")


def proof(of: Release) -> Proof:
    return Proof(digest=of.digest, commit=of.commit, release_id=of.id, at="2026-01-01T00:00:00+00:00")


def recorded(
    colour: Colour, *history: Release, previous: Release | None = None, proven: Sequence[Release] = ()
) -> Recorded:
    """A record whose last release of `history` is live; the one before it is the previous one."""
    before = previous or (history[-2] if len(history) > 1 else None)
    evidence = tuple(proof(each) for each in proven or history)
    return Recorded(live_colour=colour, live=history[-1], previous=before, history=history, evidence=evidence)


def side(of: Release | None, **over: Any) -> Side:
    """A colour that holds a release, fully healthy; None: an empty service."""
    if of is None:
        return Side(exists=True)
    tasks = of.service.desired_count
    whole = Side(
        exists=True,
        digest=of.digest,
        release=of,
        wanted=tasks,
        running=tasks,
        healthy=tasks,
        deployment=f"ecs-svc/{of.id}",
        deployment_state="COMPLETED",
        task_definition=f"app:{of.id}",
    )
    return replace(whole, **over)


STOPPED = {"digest": "", "running": 0, "healthy": 0}
SCALED_TO_ZERO = {**STOPPED, "wanted": 0}
SICK = {"healthy": 1}


def journal(source: tuple[Colour, Release] | None, to: tuple[Colour, Release], phase: Phase) -> Journal:
    def end(colour: Colour, of: Release) -> End:
        return End(colour, of.digest, of.id)

    return Journal(source=end(*source) if source else None, to=end(*to), phase=phase)


def observed(
    blue: Side | Release | None,
    green: Side | Release | None,
    users: Colour | Weights | None,
    written: Journal | None = None,
    **over: Any,
) -> Observed:
    """The cloud: what each colour runs, where users are (None: no rule), and the journal on the rule."""
    sides = {colour: each if isinstance(each, Side) else side(each) for colour, each in ((BLUE, blue), (GREEN, green))}
    weights = all_on(users) if isinstance(users, Colour) else users
    return Observed(weights=weights, journal=written, sides=sides, **over)
