"""What a killed update left behind, and what is done about each thing."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from release_lane.engine.locks import Holder, Owner
from release_lane.operate.recovery import (
    Adopt,
    Blocked,
    Existing,
    Forget,
    Found,
    Operation,
    Remove,
    Unlock,
    findings,
    fixed,
    has,
    in_words,
    next_step,
    nothing_left,
    operations_in,
    remedies,
    to_reread,
)
from release_lane.record.journal import Phase
from release_lane.record.placement import Colour
from release_lane.record.records import Side
from tests.decide.situations import (
    BLUE,
    GREEN,
    SCALED_TO_ZERO,
    SICK,
    STOPPED,
    A,
    B,
    journal,
    observed,
    recorded,
    side,
)

pytestmark = pytest.mark.pure

SERVICES = {colour: f"lane-staging-{colour}" for colour in Colour}
ANN = Holder(user="ann", host="ci-7", pid=42, since="2026-01-02T03:04:05Z")
SERVED = Found(
    stack="staging", services=SERVICES, recorded=recorded(BLUE, A, B), observed=observed(B, A, BLUE)
)  # fmt: skip


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:staging::lane::{type_}::{name}"


def operation(type_: str, logical: str = "thing", /, doing: str = "creating", **inputs: Any) -> Operation:
    return Operation(urn=urn(type_, logical), type=type_, doing=doing, inputs=inputs)


def service(colour: Colour) -> Operation:
    return operation("aws:ecs/service:Service", SERVICES[colour], name=SERVICES[colour])


def with_operation(each: Operation, there: Existing | str | None = "not looked for", found: Found = SERVED) -> Found:
    existing = {} if isinstance(there, str) else {each.urn: there}
    return replace(found, operations=(each,), existing=existing)


# ---- What is done -------------------------------------------------------------------------------------------


def test_of_nothing_nothing_is_done() -> None:
    assert remedies(SERVED) == ()
    assert nothing_left(SERVED)
    assert next_step(SERVED) == "nothing; everything is in order."


@pytest.mark.parametrize(
    ("live", "shown"),
    [
        (side(B, **SICK), "blue has 1 healthy of 2 wanted tasks"),
        (side(B, **STOPPED), "blue has 0 healthy of 2 wanted tasks"),
        (side(B, **SCALED_TO_ZERO), "blue has 0 healthy of 2 wanted tasks"),
    ],
    ids=["sick", "stopped", "to zero"],
)
def test_a_live_colour_that_lacks_tasks_is_not_in_order(live: Side, shown: str) -> None:
    found = replace(SERVED, observed=observed(live, A, BLUE))
    assert findings(found) == (("live", shown),)
    assert "release heal staging --on-drift restore" in next_step(found)


def test_a_load_balancer_that_is_gone_is_not_in_order() -> None:
    found = replace(SERVED, observed=observed(B, A, None, listener=False))
    assert [heading for heading, _ in findings(found)] == ["live"]
    assert "check region, account and credentials" in next_step(found)


def test_what_is_not_live_may_lack_tasks() -> None:
    found = replace(SERVED, observed=observed(B, side(A, **SICK), BLUE))
    assert findings(found) == ()
    assert "green runs the previous release" in next_step(found)


def test_the_lock_goes_first() -> None:
    found = replace(with_operation(operation("release:index:Image")), locks=((ANN, Owner.GONE),))
    assert [type(each) for each in remedies(found)] == [Unlock, Forget]


@pytest.mark.parametrize(
    "type_",
    [
        "release:index:Image",
        "release:index:TrafficSwitch",
        "aws:ecs/taskDefinition:TaskDefinition",
        "docker:index:Image",
    ],
)
def test_what_can_be_created_again_is_forgotten(type_: str) -> None:
    (remedy,) = remedies(with_operation(operation(type_)))
    assert isinstance(remedy, Forget)
    assert remedy.why == "it can be created again"
    assert not remedy.reread


def test_a_creation_that_never_happened_is_forgotten() -> None:
    (remedy,) = remedies(with_operation(service(GREEN), there=None))
    assert isinstance(remedy, Forget)
    assert remedy.why == "it does not exist in AWS"


def test_a_thing_without_a_name_is_forgotten_with_a_word_about_what_may_be_left() -> None:
    (remedy,) = remedies(with_operation(operation("aws:ec2/vpc:Vpc")))
    assert "AWS may have an unused one" in in_words(remedy)


def test_the_idle_colours_service_that_exists_is_taken_into_the_state() -> None:
    (remedy,) = remedies(with_operation(service(GREEN), there=Existing(id="arn:green")))
    assert remedy == Adopt(operation=service(GREEN), id="arn:green")


def test_any_other_named_thing_that_exists_is_taken_into_the_state() -> None:
    role = operation("aws:iam/role:Role", name="lane-staging-task")
    (remedy,) = remedies(with_operation(role, there=Existing(id="lane-staging-task")))
    assert isinstance(remedy, Adopt)


def test_a_service_that_drains_is_neither_adopted_nor_deleted() -> None:
    (remedy,) = remedies(with_operation(service(GREEN), there=Existing(id="arn:green", leaving=True)))
    assert isinstance(remedy, Forget)
    assert "when it is gone" in remedy.why


@pytest.mark.parametrize(
    "found",
    [
        replace(SERVED, observed=observed(B, A, {BLUE: 90, GREEN: 10})),
        replace(SERVED, recorded=recorded(GREEN, B, A)),
        replace(SERVED, recorded=None, observed=observed(B, A, GREEN)),
    ],
    ids=["one user in ten", "recorded as live", "nothing recorded"],
)
def test_the_service_of_a_colour_that_serves_is_never_touched(found: Found) -> None:
    (adopted,) = remedies(with_operation(service(GREEN), there=Existing(id="arn:green"), found=found))
    assert isinstance(adopted, Blocked)
    (deleted,) = remedies(replace(found, strays=frozenset({GREEN})))
    assert isinstance(deleted, Blocked)
    assert "serves users" in in_words(deleted)


def test_before_any_user_is_served_both_colours_are_idle() -> None:
    found = Found(stack="staging", services=SERVICES, observed=observed(None, None, None))
    (remedy,) = remedies(with_operation(service(BLUE), there=Existing(id="arn:blue"), found=found))
    assert isinstance(remedy, Adopt)


def test_an_idle_service_that_the_state_does_not_know_is_deleted() -> None:
    assert remedies(replace(SERVED, strays=frozenset({GREEN}))) == (Remove(colour=GREEN, service="lane-staging-green"),)


@pytest.mark.parametrize("doing", ["updating", "deleting"])
def test_what_was_being_changed_is_read_anew(doing: str) -> None:
    todo = remedies(with_operation(replace(service(GREEN), doing=doing)))
    assert isinstance(todo[0], Forget)
    assert to_reread(todo) == (service(GREEN).urn,)


def test_a_gate_that_ran_is_not_read_anew() -> None:
    assert to_reread(remedies(with_operation(operation("release:index:Rollout", doing="updating")))) == ()


def test_every_remedy_is_reported_in_words() -> None:
    every = [
        Unlock(holders=(ANN,)),
        Forget(operation=service(GREEN), why="it does not exist in AWS"),
        Adopt(operation=service(GREEN), id="arn:green"),
        Remove(colour=GREEN, service="lane-staging-green"),
        Blocked(what="it", why="it serves"),
    ]
    words = [in_words(each) for each in every]
    assert len(set(words)) == len(every)
    assert words[2] == "add lane-staging-green to the state: AWS has it as arn:green"


# ---- What was found -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "said"),
    [
        (Owner.GONE, "is gone"),
        (Owner.REPLACED, "another program has its process id"),
        (Owner.RUNS, "still runs"),
        (Owner.UNKNOWN, "this machine cannot see"),
    ],
)
def test_a_lock_is_reported_with_what_is_known_of_its_owner(owner: Owner, said: str) -> None:
    ((heading, text),) = findings(replace(SERVED, locks=((ANN, owner),)))
    assert heading == "lock"
    assert "ann@ci-7 (process 42) since 2026-01-02T03:04:05Z" in text
    assert said in text


def test_a_backend_that_keeps_its_locks_to_itself_is_reported() -> None:
    assert "pulumi cancel" in findings(replace(SERVED, locks=None))[0][1]


INTERRUPTED = replace(SERVED, observed=observed(B, A, GREEN, journal((BLUE, B), (GREEN, A), Phase.MOVED)))


def test_an_interrupted_switch_is_reported_with_where_users_are_and_both_ways_out() -> None:
    ((heading, text),) = findings(INTERRUPTED)
    assert heading == "switch"
    assert "users are on green" in text
    assert not nothing_left(INTERRUPTED)
    assert "--finish" in next_step(INTERRUPTED)
    assert "--undo" in next_step(INTERRUPTED)


def test_a_first_switch_cannot_be_undone() -> None:
    first = observed(A, None, BLUE, journal(None, (BLUE, A), Phase.MOVED))
    assert "--undo" not in next_step(Found(stack="staging", services=SERVICES, observed=first))


def test_drift_is_reported_and_left_to_heal() -> None:
    drifted = replace(SERVED, observed=observed(B, A, GREEN))
    assert [heading for heading, _ in findings(drifted)] == ["drift"]
    assert nothing_left(drifted)
    assert "--on-drift" in next_step(drifted)


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (replace(SERVED, observed=observed(B, None, BLUE)), "`release heal staging`: green "),
        (replace(SERVED, observed=observed(B, None, BLUE), idle_tasks=0), "nothing; everything is in order"),
        (replace(SERVED, observed=observed(B, side(A, **SICK), BLUE)), "`release heal staging`"),
        (
            replace(SERVED, recorded=recorded(BLUE, A), observed=observed(A, None, BLUE)),
            "nothing; everything is in order",
        ),
        (Found(stack="staging", services=SERVICES, observed=observed(None, None, None)), "`release deploy staging`"),
        (Found(stack="artifacts"), "run the update again"),
        (replace(SERVED, locks=((ANN, Owner.RUNS),)), "`release recover staging` again"),
    ],
    ids=[
        "idle empty",
        "idle empty as configured",
        "idle sick",
        "first release",
        "no release",
        "artifacts",
        "still locked",
    ],
)
def test_the_next_step_follows_from_what_is_there(found: Found, step: str) -> None:
    assert step in next_step(found)


# ---- The state ----------------------------------------------------------------------------------------------


def pending(each: Operation) -> dict[str, Any]:
    return {
        "resource": {
            "urn": each.urn,
            "type": each.type,
            "inputs": dict(each.inputs),
            "custom": True,
            "parent": "urn:p",
        },
        "type": each.doing,
    }


def exported(*operations: Operation) -> dict[str, Any]:
    return {
        "version": 3,
        "deployment": {
            "manifest": {"version": "v3"},
            "resources": [
                {"urn": "urn:stack", "type": "pulumi:pulumi:Stack"},
                {
                    "urn": urn("aws:ecs/cluster:Cluster", "c"),
                    "type": "aws:ecs/cluster:Cluster",
                    "inputs": {"name": "lane"},
                },
            ],
            "pending_operations": [pending(each) for each in operations],
        },
    }


def test_unfinished_operations_are_read_from_the_state() -> None:
    assert operations_in(exported(service(GREEN))) == (service(GREEN),)
    assert operations_in({"version": 3, "deployment": None}) == ()


def test_a_state_is_asked_for_a_resource_by_type_and_name() -> None:
    state = exported(service(GREEN))
    assert has(state, "aws:ecs/cluster:Cluster", "lane")
    assert has(state, "aws:ecs/service:Service", SERVICES[GREEN]), "one that is unfinished counts"
    assert not has(state, "aws:ecs/service:Service", SERVICES[BLUE])
    assert not has({"deployment": None}, "aws:ecs/cluster:Cluster", "lane")


def test_what_is_adopted_goes_to_the_end_with_its_id_and_everything_else_stays() -> None:
    gate = operation("release:index:Image")
    before = exported(gate, service(GREEN))
    kept = copy.deepcopy(before)
    todo = [Forget(operation=gate, why=""), Adopt(operation=service(GREEN), id="arn:green")]
    after = fixed(before, todo)
    assert before == kept, "the export itself is not changed"
    assert after["deployment"]["resources"][:2] == before["deployment"]["resources"]
    (adopted,) = after["deployment"]["resources"][2:]
    assert (adopted["urn"], adopted["id"], adopted["parent"]) == (service(GREEN).urn, "arn:green", "urn:p")
    assert adopted["outputs"] == {"name": SERVICES[GREEN], "id": "arn:green"}
    assert after["deployment"]["pending_operations"] == []
    assert after["deployment"]["manifest"] == before["deployment"]["manifest"]


def test_what_no_remedy_deals_with_stays_unfinished() -> None:
    after = fixed(exported(service(GREEN)), [])
    assert operations_in(after) == (service(GREEN),)


def test_a_creation_that_was_to_replace_something_in_the_state_makes_no_second_one() -> None:
    before = exported(service(GREEN))
    before["deployment"]["resources"].append({"urn": service(GREEN).urn, "type": "aws:ecs/service:Service"})
    after = fixed(before, [Adopt(operation=service(GREEN), id="arn:green")])
    assert len(after["deployment"]["resources"]) == 3
