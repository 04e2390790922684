"""What a stack recorded, what is observed, and when a colour holds a release."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from release_lane.errors import Refused
from release_lane.record.digest import Digest
from release_lane.record.evidence import Proof
from release_lane.record.hold import Hold
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import OF_HOLD, SCHEMA_KEY, Observed, Recorded, Side
from release_lane.record.schema import schema_of

pytestmark = pytest.mark.pure


def release(letter: str, **service: Any) -> Release:
    return Release(digest=Digest("sha256:" + letter * 64), service=Service(**service), commit=letter * 40)


A, B, C = release("a"), release("b"), release("c")
HOLDING = Side(exists=True, digest=A.digest, release=A, wanted=2, running=2, healthy=2, deployment="ecs-svc/1")


# ---- the record


def outputs() -> dict[str, Any]:
    proof = Proof(digest=A.digest, commit=A.commit, release_id=A.id, at="2026-01-01T00:00:00+00:00", smoke="7 checks")
    return {
        "liveColour": "green",
        "liveRelease": B.as_dict(),
        "previousRelease": A.as_dict(),
        "liveHistory": [A.as_dict(), B.as_dict()],
        "evidence": [proof.as_dict()],
        "url": "http://somewhere",
    }


def test_a_record_is_read_from_stack_outputs() -> None:
    recorded = Recorded.from_outputs(json.loads(json.dumps(outputs())))
    assert recorded is not None
    assert (recorded.live_colour, recorded.live, recorded.previous) == (Colour.GREEN, B, A)
    assert recorded.history == (A, B)
    assert [proof.digest for proof in recorded.evidence] == [A.digest]


@pytest.mark.parametrize("nothing", [{}, {"liveColour": ""}, {"testUrls": {}}])
def test_before_the_first_release_there_is_no_record(nothing: dict[str, Any]) -> None:
    assert Recorded.from_outputs(nothing) is None


@pytest.mark.parametrize("empty", [{}, None])
def test_without_a_previous_release_the_record_says_so(empty: Any) -> None:
    recorded = Recorded.from_outputs({**outputs(), "previousRelease": empty, "liveHistory": None, "evidence": None})
    assert recorded is not None
    assert (recorded.previous, recorded.history, recorded.evidence) == (None, (), ())


def test_of_several_releases_with_a_digest_the_latest_was_live() -> None:
    older, newer = release("a", cpu=256), release("a", cpu=512, memory=1024)
    recorded = Recorded(live_colour=Colour.BLUE, live=B, history=(older, newer, B))
    assert recorded.was_live(A.digest) is newer
    assert recorded.was_live("sha256:" + "f" * 64) is None


def test_a_release_that_is_held_is_served_and_was_not_live() -> None:
    """The next environment asks how an image was configured where users got it."""
    held = release("d")
    hold = Hold(percent=10, colour=Colour.GREEN, release=held, since="2026-11-29T20:00:00+00:00")
    recorded = Recorded(live_colour=Colour.BLUE, live=B, history=(A, B), hold=hold)
    assert (recorded.served(held.digest), recorded.was_live(held.digest)) == (held, None)
    assert recorded.served(A.digest) is A
    assert recorded.served("sha256:" + "f" * 64) is None


@pytest.mark.parametrize(
    ("history", "left"),
    [
        ([A], []),
        ([A, B], []),
        ([A, B, A], [B]),
        ([A, B, C, A], [B, C]),
        ([A, B, C, B], [C]),
        ([A, B, A, C], []),
        ([A, B, A, B], []),
        ([A, B, A, B, A], [B]),
    ],
    ids=lambda value: "".join(each.digest[7] for each in value),
)
def test_a_release_was_left_by_a_rollback_if_what_is_live_was_live_before_it(
    history: list[Release], left: list[Release]
) -> None:
    recorded = Recorded(live_colour=Colour.BLUE, live=history[-1], history=tuple(history))
    assert [each for each in (A, B, C) if recorded.left_by_rollback(each.digest)] == left


# ---- what is observed


def observation(**over: Any) -> dict[str, Any]:
    journal = Journal(source=None, to=End(Colour.BLUE, A.digest, A.id), phase=Phase.MOVED)
    return {
        "listenerArn": "arn:listener",
        "rule": {"weights": {"blue": 100, "green": 0}, "tags": journal.as_tags()},
        "colours": {
            "blue": {
                "exists": True,
                "digest": A.digest,
                "release": A.as_dict(),
                "wanted": 2.0,
                "running": 2.0,
                "healthy": 1.0,
                "deployment": "ecs-svc/1",
                "deploymentState": "COMPLETED",
                "taskDefinition": "arn:td:1",
            },
            "green": {"exists": False},
        },
        **over,
    }


def test_an_observation_is_read_as_the_provider_gives_it() -> None:
    observed = Observed.from_dict(observation())
    assert observed.listener
    assert observed.weights == all_on(Colour.BLUE)
    assert observed.journal == Journal(source=None, to=End(Colour.BLUE, A.digest, A.id), phase=Phase.MOVED)
    assert observed.sides[Colour.BLUE] == Side(
        exists=True,
        digest=A.digest,
        release=A,
        wanted=2,
        running=2,
        healthy=1,
        deployment="ecs-svc/1",
        deployment_state="COMPLETED",
        task_definition="arn:td:1",
    )
    assert observed.sides[Colour.GREEN] == Side()


@pytest.mark.parametrize("rule", [None, {}])
def test_without_a_rule_there_are_no_weights_and_no_journal(rule: Any) -> None:
    observed = Observed.from_dict(observation(rule=rule))
    assert (observed.weights, observed.journal) == (None, None)


@pytest.mark.parametrize("listener", ["", None])
def test_without_a_listener_it_says_so(listener: Any) -> None:
    assert not Observed.from_dict(observation(listenerArn=listener)).listener


# ---- a colour that holds a release


def test_a_fully_healthy_colour_holds_its_release() -> None:
    assert HOLDING.holds(A)
    assert not HOLDING.empty


@pytest.mark.parametrize(
    "broken",
    [
        {"running": 1},
        {"healthy": 1},
        {"running": 3, "healthy": 3},
        {"wanted": 0, "running": 0, "healthy": 0},
        {"wanted": 1, "running": 1, "healthy": 1},
        {"digest": ""},
        {"digest": "several"},
        {"digest": B.digest},
        {"release": None},
        {"release": release("a", cpu=512)},
        {"release": B},
    ],
    ids=lambda broken: " ".join(broken),
)
def test_anything_less_does_not_hold_it(broken: dict[str, Any]) -> None:
    assert not replace(HOLDING, **broken).holds(A)


def test_more_tasks_than_configured_hold_it_too() -> None:
    assert replace(HOLDING, wanted=5, running=5, healthy=5).holds(A)


@pytest.mark.parametrize(
    ("side", "empty"),
    [(Side(), True), (Side(exists=True), True), (Side(wanted=1), False), (Side(running=1), False), (HOLDING, False)],
)
def test_a_colour_is_empty_when_no_task_runs_and_none_is_wanted(side: Side, empty: bool) -> None:
    assert side.empty is empty


# ---- a hold


HOLD = Hold(percent=10, colour=Colour.BLUE, release=C, since="2026-11-29T20:00:00+00:00")


def test_a_hold_survives_being_written() -> None:
    held = Recorded(live_colour=Colour.GREEN, live=B, previous=A, history=(A, B), hold=HOLD)
    assert Recorded.from_outputs(json.loads(json.dumps(held.as_outputs()))) == held
    assert Recorded.from_outputs(json.loads(json.dumps(held.as_dict()))) == held
    written = held.as_outputs()["hold"]
    assert {key: written[key] for key in ("percent", "colour", "nextTo", "since")} == {
        "percent": 10, "colour": "blue", "nextTo": "green", "since": HOLD.since
    }  # fmt: skip


def test_without_a_hold_nothing_of_the_record_changed() -> None:
    recorded = Recorded.from_outputs(outputs())
    assert recorded is not None
    assert recorded.hold is None
    assert not {*OF_HOLD} & {*recorded.as_outputs(), *recorded.as_dict()}


def test_the_record_of_a_hold_is_refused_by_a_reader_of_the_layout_before() -> None:
    """Also by one of the versions whose fixtures are kept: all of them read layout 1."""
    written = Recorded(live_colour=Colour.GREEN, live=B, hold=HOLD).as_outputs()
    with pytest.raises(Refused, match=r"written by a later version of the lane \(schema 2\); this one reads up to 1"):
        schema_of(written, 1, "The record of this environment", SCHEMA_KEY)


def test_while_a_hold_stands_two_releases_serve() -> None:
    held = Recorded(live_colour=Colour.GREEN, live=B, hold=HOLD)
    assert held.serves == {Colour.GREEN: B, Colour.BLUE: C}
    assert (held.newest, held.newest_colour) == (C, Colour.BLUE)
    assert held.are({Colour.BLUE: 10, Colour.GREEN: 90})
    assert not held.are(all_on(Colour.GREEN))
    plain = replace(held, hold=None)
    assert (plain.serves, plain.newest, plain.newest_colour) == ({Colour.GREEN: B}, B, Colour.GREEN)
    assert plain.are({Colour.GREEN: 100})
    assert not plain.are({Colour.BLUE: 10, Colour.GREEN: 90})
