"""`release hold end`, and what the other verbs say and do while a hold stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.engine import FakeEngine
from release_lane.decide.advance import after
from release_lane.engine.state import StackState
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.asking import Identify
from release_lane.record.course import Course
from release_lane.record.endpoint import Endpoint
from release_lane.record.hold import Winner
from release_lane.record.ledger import EntryKind
from release_lane.record.placement import Release
from release_lane.smoke.checks import Expected
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    C,
    Stage,
    becomes,
    configs,
    failed,
    plan,
    proof,
    ran,
    recorded,
    release,
    said,
    state,
    states,
    urn,
)

pytestmark = pytest.mark.cli

SINCE = "2026-11-29T20:00:00+00:00"


def held(*history: Release, by: Release = C) -> StackState:
    """The last of these is live on green; `by` has 10 % of the users, on blue."""
    found = state(GREEN, *history, idle=by)
    record = after(recorded(GREEN, *history), BLUE, by, Course(steps=(10,), hold=10), None, at=SINCE)
    record = replace(record, evidence=(*record.evidence, proof(by)))
    return replace(found, outputs={**found.outputs, **record.as_outputs()})


HELD = held(A, B)
ENDED_NEW = becomes("production", state(BLUE, A, B, C, idle=B), ran(*plan("traffic-only", BLUE, C, target=BLUE)))
ENDED_OLD = becomes("production", state(GREEN, A, B, C, B, idle=C), ran(*plan("traffic-only", GREEN, B, target=GREEN)))
END = ("hold", "end", "production", "--reason", "more orders", "--yes")


def stage(*runs: object, found: StackState = HELD, **over: Any) -> Stage:
    return Stage(engine=FakeEngine(states=states(production=found), runs=list(runs)), **over)


# ---- ending it


@pytest.mark.parametrize(
    ("winner", "ended", "reported", "replaced"),
    [
        (Winner.NEW, ENDED_NEW, f"users are on blue, {C.digest[:19]} (commit ccccccc)", B.digest),
        (Winner.OLD, ENDED_OLD, f"users are on green, {B.digest[:19]} (commit bbbbbbb)", C.digest),
    ],
)
def test_it_asks_for_the_winner_and_for_nothing_else(winner: Winner, ended: Any, reported: str, replaced: str) -> None:
    on = stage(ended)
    assert on.run(*END, "--winner", str(winner)) == 0
    held = {"holdOf": C.digest} if winner is Winner.NEW else {}
    assert on.engine.calls == [("update", "production", {"holdEnd": str(winner), **held})]
    assert on.out.startswith(f"production: the hold has ended; {reported}")
    other = stage(ended)
    assert other.run(*END, "--winner", str(winner), "--json") == 0
    assert other.data["replaced"] == replaced
    assert "hold" not in other.data


def test_a_freeze_window_is_passed_for_a_reason() -> None:
    on = stage(ENDED_NEW)
    assert on.run(*END, "--winner", "new", "--through-freeze", "the test is over") == 0
    assert configs(on.engine) == [{"holdEnd": "new", "holdOf": C.digest, "throughFreeze": "the test is over"}]


@pytest.mark.parametrize("missing", ["--winner", "--reason"])
def test_winner_and_reason_have_to_be_said(missing: str) -> None:
    given = {"--winner": "new", "--reason": "more orders"}
    on = stage()
    argv = [part for option, value in given.items() if option != missing for part in (option, value)]
    assert on.run("hold", "end", "production", *argv) == 2
    assert missing in on.err
    assert on.engine.calls == []


def test_without_a_hold_there_is_nothing_to_end() -> None:
    on = stage(found=state(GREEN, A, B, idle=A))
    assert on.run(*END, "--winner", "old") == 4
    assert "There is no hold that could end" in on.err
    assert on.engine.calls == []


def test_it_asks_where_users_are_and_who_gets_them() -> None:
    on = stage(answer="no")
    assert on.run("hold", "end", "production", "--winner", "new", "--reason", "more orders") == 130
    assert f"End the hold in production: all users to {C.digest[:19]} (commit ccccccc)." in on.err
    assert f"Now a hold stands: {C.digest[:19]} on blue has 10 % of the users since {SINCE}" in on.err
    assert on.engine.calls == []


def test_after_a_breach_the_error_says_that_the_hold_is_over_and_nothing_is_healed() -> None:
    switch = urn("release:index:TrafficSwitch", "traffic-switch")
    breach = failed(said("its traffic was rolled back: an alarm\nKind: CheckFailed\nUsers: restored", about=switch))
    on = stage(breach)
    assert on.run(*END, "--winner", "new") == 1
    assert "The hold is over: all users are on the release from before it. `release heal production`" in on.err
    assert len(on.engine.calls) == 1


@pytest.mark.parametrize("winner", Winner)
def test_the_ledger_has_who_ended_it_and_why(winner: Winner) -> None:
    objects = Memory()
    on = stage(ENDED_NEW, ledger_url="s3://shop-releases", ledger=objects)
    assert on.run(*END, "--winner", str(winner)) == 0
    (entry,) = in_memory(objects).entries()
    assert (entry.kind, entry.verb, entry.reason) == (EntryKind.OUTCOME, "hold", "more orders")


# ---- a rollback is one of its ends


def test_a_rollback_ends_it_in_favour_of_the_old_release() -> None:
    on = stage(ENDED_OLD)
    assert on.run("rollback", "production", "--yes") == 0
    assert configs(on.engine) == [{"holdEnd": "old"}]
    assert f"To go forward again later: `release promote production --digest {C.digest} --again`." in on.out


def test_of_two_configurations_of_one_image_no_fault_is_the_images() -> None:
    """It stays live: in quarantine no environment could release it."""
    objects = Memory()
    found = held(A, B, by=release("b", desired_count=3))
    on = stage(ENDED_OLD, found=found, ledger_url="s3://shop-releases", ledger=objects)
    assert on.run("rollback", "production", "--yes", "--fault", "it loses orders") == 2
    assert "the image stays live" in on.err
    assert on.engine.calls == []


def test_a_rollback_for_a_fault_puts_the_held_release_into_quarantine() -> None:
    objects = Memory()
    on = stage(ENDED_OLD, ledger_url="s3://shop-releases", ledger=objects)
    assert on.run("rollback", "production", "--yes", "--fault", "it loses orders") == 0
    quarantine, *_ = in_memory(objects).entries()
    assert (quarantine.kind, quarantine.digest) == (EntryKind.QUARANTINE, C.digest)


@pytest.mark.parametrize("given", [("--to", A.digest), ("--digest-only",)])
def test_no_other_rollback_is_possible(given: tuple[str, ...]) -> None:
    on = stage()
    assert on.run("rollback", "production", "--yes", *given) == 4
    assert "while a hold stands" in on.err
    assert "release hold end production" in on.err
    assert on.engine.calls == []


def test_where_only_settings_differ_a_rollback_ends_it_as_well() -> None:
    on = stage(ENDED_OLD, found=held(A, B, by=release("b", desired_count=3)))
    assert on.run("rollback", "production", "--yes") == 0
    assert configs(on.engine) == [{"holdEnd": "old"}]


# ---- what the other verbs say


def test_a_release_that_is_held_is_reported_as_that_and_no_colour_is_reduced() -> None:
    begun = becomes("staging", HELD, ran(*plan("deploy", BLUE, C, target=BLUE, starts=True)))
    on = stage(begun, idle_tasks=0)
    assert on.run("deploy", "staging", "--digest", C.digest) == 0
    assert f"staging: a hold stands: {C.digest[:19]} on blue has 10 % of the users since {SINCE}" in on.out
    assert "`release hold end staging --winner new|old --reason …`" in on.out
    assert len(on.engine.calls) == 1


def test_status_says_that_it_stands_since_when_and_how_it_ends() -> None:
    on = stage()
    assert on.run("status") == 0
    hold = f"{C.digest[:19]} on blue has 10 % of the users since {SINCE}; it ends with `release hold end production"
    assert f"production: a hold stands: {hold}" in on.out
    assert on.run("status", "production") == 0
    assert f"hold           {hold}" in on.out
    assert f"it ends the hold, and all users are on {B.digest} again" in on.out
    assert on.run("status", "production", "--json") == 0
    (row,) = on.data["environments"]
    assert row["hold"]["percent"] == 10
    assert (row["hold"]["colour"], row["hold"]["nextTo"], row["hold"]["since"]) == ("blue", "green", SINCE)
    assert row["hold"]["release"]["digest"] == C.digest
    assert (row["digest"], row["rollback"]["costs"]) == (B.digest, "traffic-only")


def test_smoke_accepts_answers_of_both_releases() -> None:
    on = stage()
    assert on.run("smoke", "production") == 0
    new = Expected(digest=C.digest, colour="blue", commit=C.commit)
    both = Expected(digest=B.digest, colour="green", commit=B.commit, next_to=new)
    assert on.smoke.asked == [(Endpoint("http://127.0.10.1"), both)]
    assert f"for {B.digest[:19]} on green or {C.digest[:19]} on blue" in on.out


@pytest.mark.parametrize("argv", [("smoke", "production"), ("watch", "production", "--for", "1m", "--no-rollback")])
def test_two_releases_that_are_asked_in_different_ways_are_not_asked_at_one_url(argv: tuple[str, ...]) -> None:
    other = release("c", status_path="", identify=Identify.NONE)
    on = stage(found=held(A, B, by=other))
    assert on.run(*argv) == 2
    assert "asked in different ways" in on.err
    assert on.smoke.asked == []
