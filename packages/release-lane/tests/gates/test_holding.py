"""The switch at a hold: how it begins, what it is held to while it stands, how it ends, and what a breach leaves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from provider_kit import Context, UserError
from provider_kit.resource import State
from release_lane.aws import session
from release_lane.decide.shift import Course
from release_lane.errors import CheckFailed, Interrupted, Users
from release_lane.gates.passes import RUN
from release_lane.gates.reality import deviation
from release_lane.gates.switch import TrafficSwitch
from release_lane.record.decisions import DecisionKind
from release_lane.record.hold import Hold
from release_lane.record.inputs import SwitchInputs
from release_lane.record.journal import Abort, End, Journal, Phase
from release_lane.record.placement import Colour, Weights, all_on
from release_lane.record.records import OF_HOLD, OUTPUTS, Recorded
from release_lane.smoke.checks import Expected
from tests.gates.fake_cloud import FakeCloud, holding, names, sick
from tests.gates.test_stepped import BLUE, GREEN, MOVE, RECORD, A, B, Stage, refused

pytestmark = pytest.mark.pure

TEN = {BLUE: 90, GREEN: 10}
BEGINS = replace(MOVE, course=Course(steps=(10,), bake=120, home=BLUE, hold=10))
HELD = replace(RECORD, hold=Hold(percent=10, colour=GREEN, release=B, since="2026-11-29T20:00:00+00:00"))
ENDS = replace(MOVE, expected=TEN, standing=HELD, course=Course(steps=(50, 100), bake=120, home=BLUE))
BACK = replace(
    MOVE,
    live=BLUE,
    release=A,
    expected=TEN,
    standing=HELD,
    passed=replace(MOVE.passed, digest=A.digest, colour="blue", taskDefinition=f"app:{A.id}", deployment="ecs-svc/1"),
    course=Course(home=BLUE, goes_back=True),
)
TO_B = Journal(source=End(BLUE, A.digest, A.id), to=End(GREEN, B.digest, B.id), phase=Phase.HELD)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session.forget()
    yield
    session.forget()


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def held(stage: Stage) -> Stage:
    """A hold stands."""
    stage.cloud.weights, stage.cloud.tags = dict(TEN), TO_B.as_tags()
    return stage


# ---- it begins


def test_the_switch_ends_at_the_hold_and_records_both_releases(stage: Stage) -> None:
    recorded = stage.perform(BEGINS)
    assert stage.cloud.writes == ["moving", "weights blue 90 green 10", "held"]
    assert stage.seconds >= 120, "watched as any step"
    assert stage.journal == TO_B
    assert recorded is not None
    assert recorded.hold is not None
    assert (recorded.hold.percent, recorded.hold.colour, recorded.hold.release) == (10, GREEN, B)
    assert recorded.hold.since == recorded.evidence[-1].at
    assert (recorded.live_colour, recorded.live, recorded.previous, recorded.history) == (BLUE, A, None, (A,))
    assert [proof.digest for proof in recorded.evidence] == [B.digest]


def test_both_releases_may_answer_the_checks_of_the_last_step(stage: Stage) -> None:
    stage.perform(BEGINS)
    new = Expected(digest=B.digest, colour="green", commit=B.commit)
    both = replace(new, next_to=Expected(digest=A.digest, colour="blue", commit=A.commit))
    assert stage.senses.checked == [("http://127.0.0.1", both), ("http://127.0.0.1:9002", new)]


def test_a_hold_without_a_bake_is_one_step_as_well(stage: Stage) -> None:
    recorded = stage.perform(replace(BEGINS, course=Course(steps=(10,), home=BLUE, hold=10)))
    assert stage.cloud.writes == ["moving", "weights blue 90 green 10", "held"]
    assert stage.lasting == ["users: blue 90%, green 10% (step 1 of 1)"]
    assert recorded is not None
    assert recorded.hold is not None


def test_one_that_was_killed_at_the_hold_is_only_recorded(held: Stage) -> None:
    recorded = held.perform(replace(BEGINS, expected=TEN, course=Course(steps=(), home=BLUE, hold=10)))
    assert held.cloud.writes == ["held"]
    assert held.cloud.weights == TEN
    assert recorded is not None
    assert recorded.hold is not None


@pytest.mark.parametrize("how", ["checks", "abort", "targets"])
def test_a_breach_before_it_stands_rolls_all_traffic_back(stage: Stage, how: str) -> None:
    match how:
        case "checks":
            stage.senses.on_check = refused
        case "abort":
            stage.after(10, lambda: stage.cloud.tags.update(Abort(B.id, "ann").as_tags()))
        case "targets":
            stage.after(10, lambda: stage.cloud.sides.update({GREEN: sick(holding(B, "ecs-svc/2"))}))
    failed = stage.fails(Interrupted if how == "abort" else CheckFailed, BEGINS)
    assert failed.users is Users.RESTORED
    assert stage.cloud.weights == all_on(BLUE)
    assert stage.journal == replace(TO_B, phase=Phase.RESTORED)


# ---- it ends


def test_the_new_one_wins_by_the_steps_above_the_hold(held: Stage) -> None:
    recorded = held.perform(ENDS)
    assert held.cloud.writes == ["moving", "weights blue 50 green 50", "weights blue 0 green 100", "moved"]
    assert held.seconds >= 2 * 120
    assert recorded is not None
    assert (recorded.live_colour, recorded.live, recorded.previous, recorded.hold) == (GREEN, B, A, None)


def test_the_old_one_wins_at_once_and_unwatched(held: Stage) -> None:
    recorded = held.perform(BACK)
    assert held.cloud.writes == ["moving", "weights blue 100 green 0", "moved"]
    assert held.seconds == 0
    assert recorded is not None
    assert (recorded.live_colour, recorded.live, recorded.previous, recorded.hold) == (BLUE, A, B, None)
    assert recorded.history == (A, B, A)


def test_a_breach_on_the_way_to_the_new_one_gives_all_users_to_the_old_one(held: Stage) -> None:
    held.after(130, lambda: held.cloud.sides.update({GREEN: sick(holding(B, "ecs-svc/2"))}))
    failed = held.fails(CheckFailed, ENDS)
    assert failed.users is Users.RESTORED
    assert held.cloud.weights == all_on(BLUE), "not the share that it had"
    assert held.journal == replace(TO_B, phase=Phase.RESTORED)


def test_users_who_could_only_go_to_the_new_one_are_found_as_by_a_switch_under_way(held: Stage) -> None:
    """The old one is to win, and dies under its users: what the journal says of a share explains them no longer."""

    def dies(number: int) -> None:
        there = held.cloud.sides[BLUE]
        held.cloud.sides[BLUE] = sick(replace(there, targets=there.targets[:1]))
        refused(number)

    held.senses.on_check = dies
    held.fails(CheckFailed, BACK)
    assert held.cloud.weights == all_on(GREEN)
    assert held.journal == replace(TO_B, phase=Phase.MOVING)


# ---- it stands


@pytest.mark.parametrize(
    ("weights", "sides", "shown"),
    [
        (TEN, {}, None),
        (all_on(BLUE), {}, "users are served blue 100%, green 0%, recorded is blue 90%, green 10%"),
        ({BLUE: 50, GREEN: 50}, {}, "users are served blue 50%, green 50%, recorded is blue 90%, green 10%"),
        (TEN, {BLUE: sick(holding(A, "ecs-svc/1"))}, "blue has 1 healthy of 2 wanted tasks"),
        (TEN, {GREEN: sick(holding(B, "ecs-svc/2"))}, "green has 1 healthy of 2 wanted tasks"),
        (TEN, {GREEN: holding(A, "ecs-svc/9")}, f"green runs {A.digest[:19]}, not {B.digest[:19]}"),
    ],
    ids=["as recorded", "back", "divided", "live one sick", "held one sick", "another held"],
)
def test_reality_is_held_to_both_releases(weights: Weights, sides: dict[Colour, Any], shown: str | None) -> None:
    runs = {BLUE: holding(A, "ecs-svc/1"), GREEN: holding(B, "ecs-svc/2", colour_number=2), **sides}
    at = FakeCloud(names=names(80), sides=runs, releases={BLUE: A, GREEN: B}, weights=weights)
    found = deviation(at, HELD.as_outputs())  # type: ignore[arg-type]
    assert (found and found.what) == shown


# ---- as a resource


def context() -> Context:
    return Context(config={}, cancelled=threading.Event(), log=lambda *_, **__: None, name="traffic-switch")


def inputs(move: Any = None, **over: Any) -> dict[str, Any]:
    """Of the switch to `move`; None: of an update that keeps what is."""
    given = SwitchInputs(
        active=move is not None,
        names=names(80),
        decision=DecisionKind.TRAFFIC_ONLY if move else DecisionKind.KEEP,
        reason="",
        live=move.live if move else BLUE,
        release=move.release if move else A,
        weights=move.ends_at if move else TEN,
        expected=TEN,
        standing=HELD,
        smoke_deadline=10.0,
        course=move.course if move else Course(),
        pass_of_before={**move.passed.as_dict(), "run": RUN} if move else None,
    )
    return {**json.loads(json.dumps(given.as_dict())), **over}


OLD = State(
    id="traffic-switch", inputs={}, outputs={**json.loads(json.dumps(HELD.as_outputs())), "url": "http://users"}
)


def test_an_update_that_keeps_it_keeps_its_record(held: Stage) -> None:
    switch = TrafficSwitch(lambda _: held.cloud)  # type: ignore[arg-type,return-value]
    assert switch.diff(context(), OLD, inputs(), []) == []
    kept = switch.update(context(), OLD, inputs())
    assert Recorded.from_outputs(kept) == HELD
    assert {key: switch.preview(context(), inputs(), OLD).get(key) for key in OF_HOLD} == {
        key: OLD.outputs[key] for key in OF_HOLD
    }


@pytest.mark.parametrize(
    "runs", [sick(holding(B, "ecs-svc/2")), holding(A, "ecs-svc/9")], ids=["too few", "another release"]
)
def test_where_one_of_both_is_not_well_the_way_on_is_the_end_of_the_hold(held: Stage, runs: Any) -> None:
    """No colour is free to start the recorded release on."""
    held.cloud.sides[GREEN] = runs
    switch = TrafficSwitch(lambda _: held.cloud)  # type: ignore[arg-type,return-value]
    with pytest.raises(UserError, match="release hold end") as caught:
        switch.update(context(), OLD, inputs())
    assert "onDrift" not in str(caught.value)


def test_what_a_hold_adds_to_the_record_is_gone_with_it(held: Stage) -> None:
    """The kit keeps computed outputs of before, so these must be none."""
    assert not TrafficSwitch.computed & {*OF_HOLD}
    shown = TrafficSwitch(lambda _: held.cloud).preview(context(), inputs(BACK), OLD)  # type: ignore[arg-type,return-value]
    assert {*OUTPUTS} <= shown.keys()
    assert not {*OF_HOLD} & shown.keys()
    recorded = held.perform(BACK)
    assert recorded is not None
    assert not {*OF_HOLD} & recorded.as_outputs().keys()
