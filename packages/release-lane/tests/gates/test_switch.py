"""The traffic switch: what it demands before it moves anybody, and what it does when something breaks afterwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from provider_kit import UNKNOWN, Cancelled, Change, Context, State, UserError
from release_lane.aws import session
from release_lane.decide.lineage import Order, Relation, said_of_order
from release_lane.decide.shift import Course
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, Users
from release_lane.gates.move import Move
from release_lane.gates.moving import perform
from release_lane.gates.passes import RUN, Pass
from release_lane.gates.reality import Deviation, deviation, settled
from release_lane.gates.recording import Recording
from release_lane.gates.switch import TrafficSwitch
from release_lane.gates.timing import Timing
from release_lane.ledger.memory import Memory
from release_lane.record.adoption import COMMIT_UNKNOWN
from release_lane.record.alarms import Watched
from release_lane.record.digest import Digest
from release_lane.record.evidence import Drill, Proof
from release_lane.record.inputs import SwitchInputs
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import Known, Recorded
from release_lane.record.table import Table
from release_lane.watch.rollout import Reading, Target, Task
from tests.gates.fake_cloud import LOCATED, FakeCloud, holding, names, sick, site
from tests.gates.fake_senses import AT_ONCE
from tests.gates.test_recording import Update

BLUE, GREEN = Colour.BLUE, Colour.GREEN
A, B, C = (Release(digest=Digest("sha256:" + letter * 64), service=Service(), commit=letter * 40) for letter in "abc")
D = replace(A, service=Service(env={"LOG_LEVEL": "debug"}))
"""The image of A with another configuration."""
RECORD = Recorded(live_colour=BLUE, live=A, history=(A,))
PASS = Pass(digest=B.digest, run=RUN, colour="green", taskDefinition=f"app:{B.id}", deployment="ecs-svc/2")
MOVE = Move(
    live=GREEN,
    release=B,
    expected=all_on(BLUE),
    standing=RECORD,
    passed=PASS,
    smoke_deadline=0.0,
    course=Course(home=BLUE),
)
FIRST = replace(MOVE, expected=None, standing=None, course=Course())


def context(said: list[str] | None = None) -> Context:
    def log(text: str, urn: str, *, severity: str, ephemeral: bool) -> None:
        del urn, severity, ephemeral
        if said is not None:
            said.append(text)

    return Context(config={}, cancelled=threading.Event(), log=log, name="traffic-switch")


def moved(at: FakeCloud, move: Move = MOVE, ctx: Context | None = None, timing: Timing = AT_ONCE) -> dict[str, Any]:
    return perform(ctx or context(), at, move, timing=timing)  # type: ignore[arg-type]


Make = Callable[..., FakeCloud]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes the cloud of a test: A on blue serves users, B waits on green, behind a site that really answers."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session.forget()
    made: list[FakeCloud] = []

    with site(lambda: made[-1]) as port:

        def make(**over: Any) -> FakeCloud:
            plain = FakeCloud(
                names=names(port),
                sides={BLUE: holding(A, "ecs-svc/1"), GREEN: holding(B, "ecs-svc/2", colour_number=2)},
                releases={BLUE: A, GREEN: B},
                weights=all_on(BLUE),
            )
            made.append(replace(plain, **over))
            return made[-1]

        yield make
    session.forget()


# ---- a switch that succeeds


@pytest.mark.provider
def test_it_writes_the_journal_moves_everybody_at_once_and_confirms(cloud: Make) -> None:
    at = cloud()
    outputs = moved(at)
    assert at.writes == ["moving", "weights blue 0 green 100", "moved"]
    assert at.weights == all_on(GREEN)
    assert Journal.from_tags(at.tags) == Journal(
        source=End(BLUE, A.digest, A.id), to=End(GREEN, B.digest, B.id), phase=Phase.MOVED
    )
    recorded = Recorded.from_outputs(json.loads(json.dumps(outputs)))
    assert recorded is not None
    assert (recorded.live_colour, recorded.live, recorded.previous, recorded.history) == (GREEN, B, A, (A, B))
    (proof,) = recorded.evidence
    assert (proof.digest, proof.commit, proof.release_id) == (B.digest, B.commit, B.id)
    assert proof.smoke.endswith("checks passed")
    assert not proof.smoke.startswith("0 ")
    assert outputs["url"] == f"http://127.0.0.1:{at.names.users_port}"


@pytest.mark.provider
def test_the_first_switch_creates_the_rule_with_weights_and_journal_in_one_call(cloud: Make) -> None:
    at = cloud(weights=None)
    recorded = Recorded.from_outputs(moved(at, FIRST))
    assert at.writes == ["create blue 0 green 100 moving", "moved"]
    assert Journal.from_tags(at.tags) == Journal(source=None, to=End(GREEN, B.digest, B.id), phase=Phase.MOVED)
    assert recorded is not None
    assert (recorded.live, recorded.previous, recorded.history) == (B, None, (B,))


@pytest.mark.provider
def test_the_proof_names_what_no_gate_could_see(cloud: Make) -> None:
    move = replace(MOVE, passed=replace(PASS, unchecked=("the commit is unknown",)))
    recorded = Recorded.from_outputs(json.loads(json.dumps(moved(cloud(), move))))
    assert recorded is not None
    assert recorded.evidence[-1].unchecked == ("the commit is unknown",)


@pytest.mark.provider
def test_the_proof_keeps_the_tables_of_the_smoke_checks(cloud: Make) -> None:
    table = Table(title="Scores", head=("what", "new"), rows=(("a", "0.6"),))
    handed_on = Pass.from_dict(replace(PASS, tables=(table,)).as_dict())
    recorded = Recorded.from_outputs(json.loads(json.dumps(moved(cloud(), replace(MOVE, passed=handed_on)))))
    assert recorded is not None
    assert recorded.evidence[-1].tables == (table,)


@pytest.mark.provider
def test_the_switch_records_what_it_is_of_a_drill(cloud: Make) -> None:
    """A on blue is what the drill is of: traffic goes to B on green, and back to A."""
    of_a = Proof(digest=A.digest, commit=A.commit, release_id=A.id, at="then")
    standing = Recorded(live_colour=BLUE, live=A, previous=B, history=(B, A), evidence=(of_a,))
    halfway = Recorded.from_outputs(moved(cloud(), replace(MOVE, standing=standing, drill=Drill.BACK)))
    assert halfway is not None
    assert halfway.left_by_drill is not None
    assert halfway.left_by_drill.digest == A.digest
    forward = replace(
        MOVE,
        live=BLUE,
        release=A,
        expected=all_on(GREEN),
        passed=replace(PASS, digest=A.digest, colour="blue", taskDefinition=f"app:{A.id}", deployment="ecs-svc/1"),
        course=Course(home=GREEN),
    )
    at = cloud(weights=all_on(GREEN))
    after = Recorded.from_outputs(moved(at, replace(forward, standing=halfway, drill=Drill.FORWARD)))
    assert after is not None
    assert after.proof is not None
    assert (after.live, after.proof.drilling, after.proof.drilled) == (A, halfway.left_by_drill.drilling, "")


@pytest.mark.pure
@pytest.mark.parametrize("order", [Order.OLDER, Order.UNKNOWN])
def test_a_switch_to_tasks_that_run_already_does_not_repeat_how_their_commit_once_stood_to_another(
    order: Order,
) -> None:
    """That was true of the switch that was recorded then."""
    (sentence,) = said_of_order(Relation(order=order, why="git was not asked"), live=A.commit)
    unchecked = (COMMIT_UNKNOWN, sentence)
    proof = Proof(digest=B.digest, commit="", release_id=B.id, at="2026-01-01", unchecked=unchecked)
    back = replace(MOVE, standing=replace(RECORD, evidence=(proof,)), starts=False)
    assert back.unchecked() == (COMMIT_UNKNOWN,)
    assert replace(back, foreseen=(sentence,)).unchecked() == (sentence, COMMIT_UNKNOWN), "it is true of this one"


def test_a_switch_to_tasks_that_run_already_keeps_what_was_not_seen_when_they_were_started() -> None:
    """The image gate does not run then, and must not be counted as passed."""
    proof = Proof(digest=B.digest, commit="", release_id=B.id, at="2026-01-01", unchecked=("the commit is unknown",))
    back = replace(MOVE, standing=replace(RECORD, evidence=(proof,)), passed=replace(PASS, unchecked=("no status",)))
    assert replace(back, starts=False).unchecked() == ("the commit is unknown", "no status")
    assert replace(back, starts=True).unchecked() == ("no status",)
    assert move_of(inputs(decision="traffic-only")).starts is False
    assert move_of(inputs(decision="flip")).starts is False, "the word of an earlier version"


# ---- what it demands before it moves anybody


def refused_untouched(
    at: FakeCloud, move: Move, error: type[Exception], saying: str, ctx: Context | None = None
) -> None:
    weights, tags = at.weights, dict(at.tags)
    with pytest.raises(error) as raised:
        moved(at, move, ctx)
    assert saying in str(raised.value)
    assert (at.writes, at.weights, at.tags) == ([], weights, tags)


@pytest.mark.provider
@pytest.mark.parametrize(
    "weights", [all_on(GREEN), {BLUE: 50, GREEN: 50}, {BLUE: 99, GREEN: 1}, {BLUE: 0, GREEN: 0}, None], ids=str
)
def test_weights_that_moved_since_the_decision_stop_it(cloud: Make, weights: Any) -> None:
    refused_untouched(cloud(weights=weights), MOVE, Refused, "weights were moved meanwhile")


@pytest.mark.provider
def test_a_rule_that_appeared_since_the_decision_stops_the_first_switch(cloud: Make) -> None:
    refused_untouched(cloud(), FIRST, Refused, "weights were moved meanwhile")


@pytest.mark.provider
@pytest.mark.parametrize(
    "green",
    [
        holding(B, "ecs-svc/3"),
        holding(C, "ecs-svc/2"),
        sick(holding(B, "ecs-svc/2")),
        replace(holding(B, "ecs-svc/2"), tasks=()),
        replace(holding(B, "ecs-svc/2"), exists=False),
        replace(holding(B, "ecs-svc/2"), wanted=3),
        holding(B, "ecs-svc/2", tasks=0),
    ],
    ids=["redeployed", "another task definition", "sick", "no tasks", "no service", "scaled", "scaled to none"],
)
def test_a_colour_that_is_not_what_passed_the_gates_stops_it(cloud: Make, green: Any) -> None:
    at = cloud()
    at.sides[GREEN] = green
    refused_untouched(at, MOVE, CheckFailed, "green is no longer what passed the gates")


@pytest.mark.provider
@pytest.mark.parametrize(
    ("green", "words"),
    [
        (holding(B, "ecs-svc/3"), "its tasks are of another deployment (ecs-svc/3)"),
        (sick(holding(B, "ecs-svc/2")), "2 of 2 tasks running, 1 healthy"),
        (replace(holding(B, "ecs-svc/2"), exists=False), "the service does not exist"),
        (holding(B, "ecs-svc/2", tasks=0), "no task is wanted there"),
    ],
    ids=["redeployed", "sick", "no service", "scaled to none"],
)
def test_what_became_of_it_is_reported_in_words(cloud: Make, green: Any, words: str) -> None:
    """And not as a value of this program."""
    at = cloud()
    at.sides[GREEN] = green
    refused_untouched(at, MOVE, CheckFailed, f"green is no longer what passed the gates: {words}.\nNext: ")


@pytest.mark.provider
def test_without_a_users_listener_it_says_so(cloud: Make) -> None:
    refused_untouched(cloud(listener="", weights=None), FIRST, CloudError, "production listener")


@pytest.mark.provider
def test_an_interrupt_before_the_move_moves_no_traffic(cloud: Make) -> None:
    ctx = context()
    ctx.cancelled.set()
    refused_untouched(cloud(), MOVE, Cancelled, "before it moved any traffic", ctx)


@pytest.mark.provider
def test_credentials_that_expire_before_the_longest_switch_is_over_stop_it(
    cloud: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import datetime

    expiry = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=4)).isoformat()
    given = {"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b", "SessionToken": "c", "Expiration": expiry}
    (tmp_path / "credentials.json").write_text(json.dumps(given))
    (tmp_path / "config").write_text(f"[default]\ncredential_process = cat {tmp_path / 'credentials.json'}\n")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    session.forget()
    refused_untouched(cloud(), MOVE, Refused, "The AWS credentials expire in")


def move_of(given: dict[str, Any]) -> Move:
    return Move.of(SwitchInputs.from_dict(given))


def inputs(**over: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "active": True,
        "decision": "deploy",
        "reason": "a new image",
        "live": "green",
        "release": B.as_dict(),
        "weights": {"blue": 0, "green": 100},
        "expected": {"blue": 100.0, "green": 0.0},
        "standing": RECORD.as_outputs(),
        "passOfBefore": PASS.as_dict(),
        "smokeDeadlineSeconds": 0,
        "course": Course(home=BLUE).as_dict(),
        "watch": {
            "alarms": Watched().as_dict(),
            "proceeds": False,
            "periodSeconds": 60.0,
            "lateSeconds": 120.0,
            "datapoints": 1,
        },
        "environment": names(80).as_dict(),
    }
    return {**given, **over}


@pytest.mark.pure
def test_a_move_is_what_the_inputs_say() -> None:
    assert move_of(inputs()) == MOVE
    assert move_of(inputs(expected=None, standing=None, course=Course().as_dict())) == FIRST


@pytest.mark.pure
@pytest.mark.parametrize(
    ("passed", "why"),
    [
        (None, "no pass at all"),
        ({**PASS.as_dict(), "run": "of another update"}, "of an earlier run"),
        ({**PASS.as_dict(), "digest": A.digest}, "it passed sha256:aaaaaaaaaaaa"),
        ({**PASS.as_dict(), "colour": "blue"}, "it passed blue"),
    ],
    ids=["none", "another run", "another digest", "another colour"],
)
def test_without_the_smoke_gates_pass_of_this_run_there_is_no_move(passed: Any, why: str) -> None:
    with pytest.raises(Refused) as refused:
        move_of(inputs(passOfBefore=passed))
    assert why in refused.value.why


# ---- breaches after the move


@pytest.mark.provider
def test_a_live_url_that_answers_with_another_release_rolls_the_weights_back(cloud: Make) -> None:
    at = cloud(releases={BLUE: A, GREEN: C})
    said: list[str] = []
    with pytest.raises(CheckFailed) as failed:
        moved(at, MOVE, context(said))
    assert "The smoke gate refused" in failed.value.what
    assert "rolled back to where it was before" in failed.value.what
    assert failed.value.users is Users.RESTORED, "the check did not know of the move"
    assert at.writes == ["moving", "weights blue 0 green 100", "weights blue 100 green 0", "restored"]
    assert at.weights == all_on(BLUE)
    assert any(text.startswith("rolling back the traffic") for text in said)


@pytest.mark.provider
def test_a_first_switch_that_fails_leaves_no_rule(cloud: Make) -> None:
    at = cloud(weights=None, releases={BLUE: A, GREEN: C})
    with pytest.raises(CheckFailed):
        moved(at, FIRST)
    assert at.writes == ["create blue 0 green 100 moving", "delete"]
    assert at.weights is None


@pytest.mark.provider
@pytest.mark.parametrize("found", [{BLUE: 100, GREEN: 0}, {BLUE: 1, GREEN: 99}], ids=["not at all", "not quite"])
def test_weights_that_did_not_become_what_was_set_are_no_success(cloud: Make, found: dict[Colour, int]) -> None:
    """Not even if the live URL answers well."""
    at = cloud(takes=lambda weights: found if weights == all_on(GREEN) else weights)
    with pytest.raises(CheckFailed):
        moved(at)
    assert at.weights == all_on(BLUE)
    assert at.writes[-2:] == ["weights blue 100 green 0", "restored"]


@pytest.mark.provider
def test_a_colour_that_breaks_under_its_users_is_left_again(cloud: Make) -> None:
    at = cloud()

    def breaks(write: str) -> None:
        if write.startswith("weights blue 0"):
            at.sides[GREEN] = sick(at.sides[GREEN])

    at.before_write = breaks
    with pytest.raises(CheckFailed) as failed:
        moved(at)
    assert "no longer what passed the gates" in failed.value.what
    assert at.weights == all_on(BLUE)
    assert at.writes[-2:] == ["weights blue 100 green 0", "restored"]


@pytest.mark.provider
@pytest.mark.parametrize("write", ["moving", "weights blue 0 green 100", "moved"])
def test_a_write_that_fails_leaves_users_where_they_were(cloud: Make, write: str) -> None:
    at = cloud()

    def fails(what: str) -> None:
        if what == write:
            raise ConnectionError("the network is gone for a moment")

    at.before_write = fails
    with pytest.raises((ConnectionError, RuntimeError)) as failed:
        moved(at)
    assert at.weights == all_on(BLUE)
    back = "" if write == "moving" else "rolled back to where it was before: ConnectionError: "
    assert f"{back}the network is gone for a moment" in str(failed.value)


@pytest.mark.provider
def test_a_mistake_of_ours_in_the_switch_tells_first_where_users_are(cloud: Make) -> None:
    at = cloud()

    def fails(what: str) -> None:
        if what == "moved":
            raise KeyError("green")

    at.before_write = fails
    shown = "^Users were on green for a moment; their traffic was rolled back to where it was before: KeyError: 'green'"
    with pytest.raises(RuntimeError, match=shown) as failed:
        moved(at)
    assert isinstance(failed.value.__cause__, KeyError), "its traceback is kept"


@pytest.mark.provider
def test_weights_and_targets_from_before_the_move_are_looked_at_again(cloud: Make) -> None:
    """AWS may answer with what was true a moment ago; that is no breach."""
    patient = Timing(settles_within=60.0, looks_again_for=60.0)
    at = cloud()
    before, weights, well = at.balancer(), at.balancer, at.sides[GREEN]
    stale = iter([before, before])
    readings = iter([sick(well), replace(well, targets=()), sick(well)])
    at.balancer = lambda *_, **__: weights() if at.weights == all_on(BLUE) else _next(stale, weights)  # type: ignore[method-assign]
    at.read = lambda *_: next(readings, well)  # type: ignore[method-assign]
    assert moved(at, timing=patient)["liveColour"] == "green"
    assert (next(stale, None), next(readings, None)) == (None, None), "all of them were seen"


@pytest.mark.provider
def test_what_was_located_is_not_looked_up_again(cloud: Make) -> None:
    """The fake cloud takes no other place than the one that was handed on."""
    at = cloud()
    known = replace(PASS, tasks={task.ip: task.digest for task in at.sides[GREEN].tasks})
    seen: list[Any] = []
    at.read, read = lambda *given: seen.append(given[2]) or read(*given), at.read  # type: ignore[func-returns-value,method-assign]
    assert moved(at, replace(MOVE, located=LOCATED, passed=known))["liveColour"] == "green"
    assert [each.tasks for each in seen] == [known.tasks] * 2, "before and after the move"


def _next(stale: Iterator[Any], truth: Callable[[], Any]) -> Any:
    return next(stale, None) or truth()


@pytest.mark.provider
def test_a_journal_that_cannot_be_written_moves_no_traffic(cloud: Make) -> None:
    at = cloud()

    def fails(what: str) -> None:
        raise CloudError(f"AWS did not do {what}.")

    at.before_write = fails
    with pytest.raises(CloudError) as failed:
        moved(at)
    assert failed.value.users is Users.UNTOUCHED
    assert at.writes == []


@pytest.mark.provider
def test_what_aws_did_not_do_after_the_move_is_reported_with_where_users_are(cloud: Make) -> None:
    at = cloud()

    def fails(what: str) -> None:
        if what == "moved":
            raise CloudError("AWS did not do AddTags.", why="it was throttled")

    at.before_write = fails
    with pytest.raises(CloudError, match="rolled back to where it was before: AWS did not do AddTags") as failed:
        moved(at)
    assert failed.value.why == "it was throttled"
    assert at.weights == all_on(BLUE)


@pytest.mark.provider
def test_an_interrupt_that_ends_the_waiting_for_aws_rolls_the_traffic_back(cloud: Make) -> None:
    at = cloud()

    def interrupted(what: str) -> None:
        if what == "moved":
            raise Interrupted("Interrupted while waiting for AWS.")

    at.before_write = interrupted
    with pytest.raises(Interrupted, match="The switch was interrupted: Interrupted while waiting for AWS"):
        moved(at)
    assert at.weights == all_on(BLUE)


@pytest.mark.provider
def test_weights_that_cannot_be_rolled_back_are_reported_first(cloud: Make) -> None:
    at = cloud(releases={BLUE: A, GREEN: C})

    def fails(what: str) -> None:
        if what.startswith("weights blue 100"):
            raise CloudError("AWS did not answer.", why="the network is gone", next_step="try again")

    at.before_write = fails
    with pytest.raises(CloudError) as failed:
        moved(at)
    assert failed.value.what.startswith("THE TRAFFIC COULD NOT BE ROLLED BACK")
    assert failed.value.what.endswith("AWS did not answer. (the network is gone)"), "in one line"
    assert failed.value.users is Users.UNSURE
    assert "The smoke gate refused" in failed.value.why
    # the journal still says moving, so that the next update finishes or undoes it
    assert Journal.from_tags(at.tags).phase is Phase.MOVING  # type: ignore[union-attr]


@pytest.mark.provider
def test_users_that_are_back_are_not_reported_otherwise_because_the_journal_could_not_be_written(cloud: Make) -> None:
    at = cloud(releases={BLUE: A, GREEN: C})

    def fails(what: str) -> None:
        if what == "restored":
            raise CloudError("AWS did not do AddTags.")

    at.before_write = fails
    with pytest.raises(CheckFailed) as failed:
        moved(at)
    assert at.weights == all_on(BLUE)
    assert failed.value.users is Users.RESTORED
    assert "rolled back to where it was before" in failed.value.what
    assert "AWS did not do AddTags." in failed.value.what


# ---- the record and reality


@pytest.mark.pure
@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({}, None),
        ({"weights": all_on(GREEN)}, "users are served blue 0%, green 100%, recorded is blue"),
        ({"weights": {BLUE: 90, GREEN: 10}}, "users are served blue 90%, green 10%, recorded is blue"),
        ({"weights": None}, "users are served by no rule at all (503), recorded is blue"),
        ({"blue": sick(holding(A, "ecs-svc/1"))}, "blue has 1 healthy of 2 wanted tasks"),
        ({"blue": replace(holding(A, "ecs-svc/1"), tasks=())}, "blue has 0 healthy of 2 wanted tasks"),
        ({"blue": replace(holding(A, "ecs-svc/1", tasks=0))}, "blue has 0 healthy of 0 wanted tasks"),
        ({"blue": holding(C, "ecs-svc/9")}, "blue runs sha256:cccccccccccc, not sha256:aaaaaaaaaaaa"),
        (
            {"blue": holding(D, "ecs-svc/9")},
            f"blue runs release {D.id}, recorded is release {A.id}: sha256:aaaaaaaaaaaa with other settings: "
            "env.LOG_LEVEL",
        ),
        (
            {"blue": replace(holding(A, "ecs-svc/9"), task_definition="app:by-hand")},
            "blue runs a task definition that is not this program's",
        ),
        ({"green": sick(holding(B, "ecs-svc/2"))}, None),
    ],
    ids=[
        *("none", "moved", "divided", "no rule", "sick", "no tasks", "to zero", "another image"),
        *("another configuration", "another task definition", "idle does not matter"),
    ],
)
def test_reality_is_compared_with_the_record(change: dict[str, Any], shown: str | None) -> None:
    sides = {
        BLUE: change.pop("blue", holding(A, "ecs-svc/1")),
        GREEN: change.pop("green", holding(B, "ecs-svc/2", colour_number=2)),
    }
    over = {"weights": all_on(BLUE), **change}
    at = FakeCloud(names=names(80), sides=sides, releases={BLUE: A, GREEN: D}, **over)
    found = deviation(at, RECORD.as_outputs())  # type: ignore[arg-type]
    assert found is None if shown is None else found is not None and found.what.startswith(shown) and not found.grows


def switch(at: FakeCloud, recording: Recording | None = None) -> TrafficSwitch:
    return TrafficSwitch(lambda _: at, recording or Recording())  # type: ignore[arg-type,return-value]


RECORDED = {**RECORD.as_outputs(), "url": "http://x"}


@pytest.mark.pure
@pytest.mark.parametrize("changes", [False, True], ids=["as recorded at once", "as recorded in the end"])
def test_an_update_that_moves_no_traffic_has_ended_well_in_the_ledger_once_all_is_as_recorded(
    changes: bool,
) -> None:
    """The other one: the switch's diff saw a colour that AWS scales out, or users who still come by plain HTTP."""
    healing = Update(Memory())
    healing.begin()
    sides = {BLUE: holding(A, "ecs-svc/1"), GREEN: holding(B, "ecs-svc/2", colour_number=2)}
    at = FakeCloud(names=names(80), sides=sides, releases={BLUE: A, GREEN: B}, weights=all_on(BLUE))
    old = State(id="traffic-switch", inputs=inputs(active=False), outputs=RECORDED)
    if changes:
        switch(at, healing.recording).update(context(), old, inputs(active=False))
    else:
        assert switch(at, healing.recording).diff(context(), old, inputs(active=False), []) == []
    assert [entry.result for entry in healing.entries] == ["", "done"]


@pytest.mark.pure
@pytest.mark.parametrize(
    ("kept", "database", "said"),
    [
        (True, "", "The load balancer "),
        (False, "shop-production", "The database shop-production "),
        (False, "", None),
    ],
)
def test_users_keep_their_rule_where_aws_would_refuse_a_destroy_later(
    kept: bool, database: str, said: str | None
) -> None:
    at = live()
    at.kept = kept
    given = SwitchInputs.from_dict(inputs(**({"keptDatabase": database} if database else {})))
    state = State(id="traffic-switch", inputs=given.as_dict(), outputs=RECORDED)
    if said is None:
        switch(at).delete(context(), state)
        assert at.writes == ["delete"]
        return
    with pytest.raises(UserError, match=r"is protected from deletion\. Nothing was deleted\.") as refused:
        switch(at).delete(context(), state)
    assert said in str(refused.value)
    assert at.writes == []


def nothing_released(at: FakeCloud) -> str:
    """What an update says that moves no traffic."""
    old = State(id="traffic-switch", inputs=inputs(active=False), outputs={**RECORD.as_outputs(), "url": "http://x"})
    with pytest.raises(UserError) as failed:
        switch(at).update(context(), old, inputs(active=False))
    return str(failed.value)


@pytest.mark.pure
def test_another_name_of_users_is_recorded_by_an_update_that_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals and checks go by the recorded one."""
    at = live()
    at.sides[BLUE] = holding(A, "ecs-svc/1")
    at.names = replace(names(443), domain="www.example.com")
    given = inputs(active=False, environment=at.names.as_dict())
    outputs = {**RECORD.as_outputs(), "url": "https://shop.example.com"}
    old = State(id="traffic-switch", inputs=given, outputs=outputs)
    assert switch(at).diff(context(), old, given, []) == [Change("url")]
    monkeypatch.setattr("release_lane.gates.switch.open_https", lambda *_: None)
    left = switch(at).update(context(), old, given)
    assert left["url"] == "https://www.example.com"
    assert switch(at).diff(context(), replace(old, outputs=left), given, []) == []


@pytest.mark.pure
def test_a_drill_that_passed_is_recorded_by_an_update_that_moves_nothing_once_reality_is_as_recorded() -> None:
    begun = Proof(digest=A.digest, commit="", release_id=A.id, at="now", drilling="then")
    record = replace(RECORD, evidence=(begun,))
    old = State(id="traffic-switch", inputs=inputs(active=False), outputs={**record.as_outputs(), "url": "http://x"})
    passed = inputs(active=False, drill="passed")
    at = live()
    at.sides[BLUE] = holding(A, "ecs-svc/1")
    assert switch(at).diff(context(), old, passed, []) == [Change("drill")]
    after = switch(at).update(context(), old, passed)
    recorded = Recorded.from_outputs(after)
    assert recorded is not None
    assert recorded == replace(record, evidence=(replace(begun, drilling="", drilled="then"),))
    assert after["url"] == "http://x"
    assert at.writes == []
    at.sides[BLUE] = holding(A, "ecs-svc/1", tasks=0)
    with pytest.raises(UserError, match="not what was recorded"):
        switch(at).update(context(), old, passed)


@pytest.mark.pure
def test_a_live_task_that_cannot_be_replaced_is_reported_with_ecs_own_reason_and_what_helps() -> None:
    pull = "CannotPullContainerError: sha256:aaaa not found"
    gone = Task(
        arn="task/9", deployment="ecs-svc/1", status="STOPPED", stop_code="TaskFailedToStart", stopped_reason=pull
    )
    blue = holding(A, "ecs-svc/1", tasks=1)
    at = live()
    at.sides[BLUE] = replace(blue, wanted=2, tasks=(*blue.tasks, gone))
    shown = nothing_released(at)
    assert "Nothing was asked for" not in shown
    assert "blue has 1 healthy of 2 wanted tasks" in shown
    assert f"Why: ECS says: a task stopped: {pull}\n" in shown
    assert "Next: remove that cause; ECS goes on trying" in shown
    assert "onDrift=restore" in shown


@pytest.mark.pure
def test_a_live_colour_for_which_ecs_gives_no_reason_sends_to_where_there_may_be_one() -> None:
    at = live()
    at.sides[BLUE] = holding(A, "ecs-svc/1", tasks=0)
    shown = nothing_released(at)
    assert "Why: ECS gives no reason\n" in shown
    assert "stopped tasks and events in ECS" in shown


@pytest.mark.pure
def test_a_preview_that_finds_a_sick_live_colour_tells_ecs_own_reason() -> None:
    says = "(service p-blue) was unable to place a task. Reason: Capacity is unavailable at this time."
    at, said = live(), list[str]()
    at.sides[BLUE] = replace(holding(A, "ecs-svc/1", tasks=1), wanted=2, events=(says,))
    old = State(id="traffic-switch", inputs=inputs(active=False), outputs=RECORD.as_outputs())
    assert switch(at).diff(context(said), old, inputs(active=False), []) == [Change("weights")]
    assert f"ECS says: {says}" in said[0]


# ---- a live colour that AWS scales out


GROWING = replace(holding(A, "ecs-svc/1"), wanted=3)
STARTED = Task(arn="task/new", deployment="ecs-svc/1", status="RUNNING", digest=A.digest, ip="10.0.1.3")
STARTING = replace(
    GROWING, tasks=(*GROWING.tasks, STARTED), targets=(*GROWING.targets, Target(ip=STARTED.ip, state="initial"))
)


def growing(cloud: FakeCloud, *readings: Reading) -> None:
    """The live colour looks like this, look by look; the last one stays."""
    left = list(readings)

    def read(colour: Colour, group: str | None, known: Known | None) -> Reading:
        del group, known
        assert colour is BLUE
        return left.pop(0) if len(left) > 1 else left[0]

    cloud.read = read  # type: ignore[method-assign]


QUICK = Timing(at_least=0.001)


def live() -> FakeCloud:
    return FakeCloud(names=names(80), sides={}, releases={BLUE: A}, weights=all_on(BLUE))


@pytest.mark.pure
def test_a_live_colour_that_aws_scales_out_is_waited_for() -> None:
    at, said = live(), list[str]()
    growing(at, GROWING, GROWING, STARTING, holding(A, "ecs-svc/1", tasks=3))
    assert settled(context(said), at, RECORD.as_outputs(), timing=QUICK) is None  # type: ignore[arg-type]
    assert said[0] == "blue has 2 healthy of 3 wanted tasks: AWS scales it out; that is waited for, at most 180 s"


@pytest.mark.pure
def test_it_is_waited_for_no_longer_than_that() -> None:
    at = live()
    growing(at, GROWING)
    short = replace(QUICK, grows_for=0.01)
    found = settled(context(), at, RECORD.as_outputs(), timing=short)  # type: ignore[arg-type]
    assert found == Deviation("blue has 2 healthy of 3 wanted tasks", grows=True, lacks=True)


class Passing(threading.Event):
    """An interrupt that never comes; time passes by waiting for it."""

    time = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.time += timeout or 0.0
        return False


@pytest.mark.pure
def test_while_nothing_changes_it_looks_more_and_more_seldom_and_keeps_the_time() -> None:
    at, passing, looks = live(), Passing(), list[float]()

    def read(colour: Colour, group: str | None, known: Known | None) -> Reading:
        del colour, group, known
        looks.append(passing.time)
        return GROWING if passing.time < 100 else STARTING

    at.read = read  # type: ignore[method-assign]
    ctx = replace(context(), cancelled=passing)
    found = settled(ctx, at, RECORD.as_outputs(), now=lambda: passing.time)  # type: ignore[arg-type]
    assert found is not None
    assert found.grows
    assert len(looks) < 60
    assert 180 <= looks[-1] < 181


LOST = Task(arn="task/lost", deployment="ecs-svc/1", status="STOPPED", stop_code="EssentialContainerExited")
SCHEDULER = replace(LOST, stop_code="ServiceSchedulerInitiated")


@pytest.mark.pure
@pytest.mark.parametrize(
    "reading",
    [
        replace(GROWING, tasks=(*GROWING.tasks, LOST)),
        replace(GROWING, tasks=(*GROWING.tasks, replace(LOST, stop_code="UserInitiated"))),
        replace(GROWING, tasks=(*GROWING.tasks, replace(LOST, stop_code="", status="DEACTIVATING"))),
        replace(
            GROWING, tasks=(*GROWING.tasks, replace(SCHEDULER, stopped_reason="Task failed ELB health checks in x"))
        ),
        sick(GROWING),
        replace(STARTING, targets=(*GROWING.targets, Target(ip=STARTED.ip, state="unhealthy"))),
        replace(GROWING, targets=(*GROWING.targets, Target(ip="10.0.1.9", state="unhealthy"))),
        replace(GROWING, tasks=(), targets=()),
        replace(GROWING, deployments=(replace(GROWING.deployments[0], state="FAILED"),)),
        replace(GROWING, deployments=(*GROWING.deployments, replace(GROWING.deployments[0], id="x", primary=False))),
        replace(holding(A, "ecs-svc/1"), wanted=1),
    ],
    ids=[
        *("a task exited", "one was stopped by hand", "one is stopping", "one failed its health check", "one is sick"),
        *("the new one is sick", "a target of none", "nothing runs", "failed", "a rollout", "too many"),
    ],
)
def test_what_is_not_well_is_reported_at_once(reading: Reading) -> None:
    at = live()
    growing(at, reading, holding(A, "ecs-svc/1"))
    found = settled(context(), at, RECORD.as_outputs(), timing=QUICK)  # type: ignore[arg-type]
    assert found is not None
    assert not found.grows


@pytest.mark.pure
@pytest.mark.parametrize(
    "gone",
    [
        replace(SCHEDULER, stopped_reason="Scaling activity initiated by (deployment ecs-svc/1)"),
        replace(LOST, deployment="ecs-svc/0"),
    ],
    ids=["scaled in", "of a build that was refused before"],
)
def test_tasks_that_ended_rightly_are_none_that_were_lost(gone: Task) -> None:
    at = live()
    growing(at, replace(GROWING, tasks=(*GROWING.tasks, gone)), holding(A, "ecs-svc/1", tasks=3))
    assert settled(context(), at, RECORD.as_outputs(), timing=QUICK) is None  # type: ignore[arg-type]


@pytest.mark.pure
def test_one_that_fails_while_it_is_waited_for_is_reported() -> None:
    at = live()
    growing(at, GROWING, STARTING, replace(GROWING, tasks=(*GROWING.tasks, LOST)))
    found = settled(context(), at, RECORD.as_outputs(), timing=QUICK)  # type: ignore[arg-type]
    why = "a task stopped: EssentialContainerExited"
    assert found == Deviation("blue has 2 healthy of 3 wanted tasks", why=why, lacks=True)


KNOWN = Known(
    image=A.digest,
    release=A.id,
    task_definition=f"app:{A.id}",
    deployment="ecs-svc/1",
    tasks={task.ip: task.digest for task in holding(A, "ecs-svc/1").tasks},
)


def looked_at(at: FakeCloud, known: Known) -> tuple[Deviation | None, list[str]]:
    """What differs, and which task definitions were read for it."""
    read: list[str] = []
    at.release_of, of = lambda name: read.append(name) or of(name), at.release_of  # type: ignore[func-returns-value,method-assign]
    return deviation(at, RECORD.as_outputs(), LOCATED, known), read  # type: ignore[arg-type]


@pytest.mark.pure
def test_a_task_definition_that_was_read_before_is_not_read_again() -> None:
    at = live()
    at.sides[BLUE] = holding(A, "ecs-svc/1")
    assert looked_at(at, KNOWN) == (None, [])


@pytest.mark.pure
@pytest.mark.parametrize("known", [{"task_definition": "app:before"}, {"release": D.id}, {"release": ""}], ids=str)
def test_one_that_is_not_known_to_be_the_recorded_release_is_read(known: dict[str, str]) -> None:
    at = live()
    at.sides[BLUE] = holding(A, "ecs-svc/1")
    assert looked_at(at, replace(KNOWN, **known)) == (None, [f"app:{A.id}"])


@pytest.mark.pure
def test_a_platform_manifest_of_the_recorded_image_is_no_deviation() -> None:
    platform = "sha256:" + "1" * 64
    running = replace(holding(replace(A, digest=Digest(platform)), "ecs-svc/1"), task_definition=f"app:{A.id}")
    at = FakeCloud(names=names(80), sides={BLUE: running}, releases={BLUE: A}, weights=all_on(BLUE))
    assert deviation(at, RECORD.as_outputs()) is not None  # type: ignore[arg-type]
    at.images[A.digest] = frozenset({A.digest, platform})
    assert deviation(at, RECORD.as_outputs()) is None  # type: ignore[arg-type]


@pytest.mark.pure
def test_the_record_survives_being_written_as_outputs() -> None:
    record = Recorded(live_colour=GREEN, live=B, previous=A, history=(A, B))
    assert Recorded.from_outputs(json.loads(json.dumps(record.as_outputs()))) == record
    assert Recorded.from_outputs(RECORD.as_outputs()) == RECORD


# ---- preview and diff


OLD = State(
    id="traffic-switch",
    inputs=inputs(live="blue", release=A.as_dict()),
    outputs={**RECORD.as_outputs(), "url": "http://x"},
)


@pytest.mark.pure
def test_a_preview_shows_what_will_be_recorded_but_not_the_proof() -> None:
    shown = TrafficSwitch().preview(context(), inputs(passOfBefore=UNKNOWN), OLD)
    assert (shown["liveColour"], shown["imageDigest"], shown["previousDigest"]) == ("green", B.digest, A.digest)
    assert shown["evidence"] is UNKNOWN
    assert shown["url"] == "http://x"


@pytest.mark.pure
def test_a_preview_refuses_a_pass_of_an_earlier_run() -> None:
    """As when a gate was left out with --target: its stored output is known already in the preview."""
    with pytest.raises(UserError, match="of an earlier run"):
        TrafficSwitch().preview(context(), inputs(passOfBefore={**PASS.as_dict(), "run": "old"}), OLD)


@pytest.mark.pure
def test_an_active_switch_always_runs_and_shows_what_changes() -> None:
    same = State(id="traffic-switch", inputs=inputs(), outputs=OLD.outputs)
    assert TrafficSwitch().diff(context(), same, inputs(), []) == [Change("active")]
    paths = {change.path for change in TrafficSwitch().diff(context(), OLD, inputs(), [])}
    assert {"live", "release.digest", "release.commit", "release.id"} <= paths
