"""What a seal covers: each part follows from its own source, and what only passes by does not count."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.errors import Refused
from release_lane.operate.review import Program
from release_lane.operate.sealing import bound_by, facts
from release_lane.record.seal import Part, Seal, check_unmoved
from tests.command.words import GREEN, A, B, log, plan, pre, said

pytestmark = pytest.mark.pure

SERVICE = "aws:ecs/service:Service"
STEP = pre("update", SERVICE, "release-lane-production-green", paths=["taskDefinition"], taskDefinition="a")


def resource(**over: Any) -> dict[str, Any]:
    return {"urn": "urn:a", "inputs": {"a": 1}, "modified": "2026-01-01T00:00:00Z", **over}


def covered(*events: Any, of: Any = B, **over: Any) -> dict[Part, Any]:
    given: dict[str, Any] = {
        "environment": "production",
        "digest": of.digest,
        "exported": {"deployment": {"resources": [resource()], "manifest": {"time": "now"}}},
        "program": Program(commit="d" * 40),
        "settings": {"release-lane:shift": {"steps": [100]}},
        "given": {"imageDigest": of.digest},
        **over,
    }
    return dict(facts(log(*(events or [*plan("deploy", GREEN, of, target=GREEN, starts=True), STEP])), **given))


SEAL = Seal.of("production", 1, covered())


def moved(*events: Any, **over: Any) -> set[Part]:
    return set(SEAL.moved(covered(*events, **over)))


def deploy(**over: Any) -> list[Any]:
    return plan("deploy", GREEN, B, target=GREEN, starts=True, **over)


def test_a_variable_that_moved_is_named_and_its_value_is_not_shown() -> None:
    env = {"LOG_LEVEL": "info", "REGION": "eu"}
    old, new = (covered(settings={"shop:env": given}) for given in (env, {**env, "LOG_LEVEL": "debug"}))
    with pytest.raises(Refused) as error:
        check_unmoved(Seal.of("production", 1, old), new, old)
    (line,) = error.value.what.splitlines()[1:-1]
    assert line.startswith("  the configuration: shop:env.LOG_LEVEL: ")
    assert "REGION" not in line
    assert not any(value in line for value in ("info", "debug"))
    assert Seal.of("production", 1, old).moved(covered(settings={"shop:env": {}}))


def test_a_secret_that_was_encrypted_anew_is_no_part_of_the_state() -> None:
    """Each time that the engine writes a state it encrypts all secrets in it, also for an update that is refused."""

    def state(ciphertext: str) -> dict[str, Any]:
        secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": ciphertext}
        return {"deployment": {"resources": [{"urn": "a", "outputs": {"keys": [secret], "id": "1"}}]}}

    assert covered(exported=state("v1:a"))[Part.STATE] == covered(exported=state("v1:b"))[Part.STATE]
    other = {"deployment": {"resources": [{"urn": "a", "outputs": {"keys": [], "id": "1"}}]}}
    assert covered(exported=state("v1:a"))[Part.STATE] != covered(exported=other)[Part.STATE]


def test_the_order_in_which_the_engine_keeps_resources_is_no_part_of_the_state() -> None:
    """An update that was refused before it registered anything may leave another order."""
    one, other = resource(), resource(urn="urn:b")
    first, second = (
        covered(exported={"deployment": {"resources": list(each)}}) for each in ((one, other), (other, one))
    )
    assert first == second


def test_the_same_preview_again_moves_nothing() -> None:
    assert moved() == set()


@pytest.mark.parametrize(
    ("over", "part"),
    [
        ({"environment": "staging"}, Part.ENVIRONMENT),
        ({"digest": A.digest}, Part.DIGEST),
        ({"exported": {"deployment": {"resources": [resource(inputs={"a": 2})]}}}, Part.STATE),
        ({"exported": {"deployment": {"resources": [resource()], "pending_operations": [1]}}}, Part.STATE),
        ({"program": Program(commit="e" * 40)}, Part.PROGRAM),
        ({"program": Program(commit="d" * 40, dirty=True, edited=("infra/x.py",))}, Part.PROGRAM),
        ({"settings": {"release-lane:shift": {"steps": [10, 100]}}}, Part.CONFIGURATION),
        ({"given": {"imageDigest": B.digest, "onAlarm": "proceed"}}, Part.CONFIGURATION),
    ],
)
def test_each_part_follows_from_its_source_alone(over: dict[str, Any], part: Part) -> None:
    assert moved(**over) == {part}


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        ([*deploy(), STEP, pre("delete", "aws:ec2/subnet:Subnet", "x")], {Part.PLAN}),
        ([*deploy(), pre("replace", SERVICE, "release-lane-production-green", taskDefinition="a")], {Part.PLAN}),
        ([*deploy(), pre("update", SERVICE, "release-lane-production-green", taskDefinition="b")], {Part.PLAN}),
        ([*deploy(course={"steps": [10, 100], "bakeSeconds": 60}), STEP], {Part.PLAN}),
        ([*deploy(watch={"alarms": {"theirs": ["queue"]}}), STEP], {Part.PLAN}),
        ([*deploy(expected={"blue": 90, "green": 10}), STEP], {Part.WEIGHTS}),
        (
            [*deploy(), STEP, {"policyEvent": {"policyName": "no-public", "message": "a bucket is public"}}],
            {Part.POLICIES},
        ),
    ],
)
def test_what_the_preview_says_is_covered(events: list[Any], parts: set[Part]) -> None:
    assert moved(*events) == parts


def bucket(op: str, component: str) -> Any:
    event = pre(op, "aws:s3/bucket:Bucket", "data")
    event["resourcePreEvent"]["metadata"]["urn"] = f"urn:pulumi:s::p::my:{component}$aws:s3/bucket:Bucket::data"
    return event


def test_two_resources_of_one_kind_and_name_in_two_components_are_both_covered() -> None:
    """Neither hides the other, in whichever order the engine names them."""
    theirs, ours = bucket("delete", "Theirs"), bucket("create", "Ours")
    both = Seal.of("production", 1, covered(*deploy(), theirs, ours))
    assert both.moved(covered(*deploy(), ours, theirs)) == ()
    assert both.moved(covered(*deploy(), ours)) == (Part.PLAN,)
    assert both.moved(covered(*deploy(), theirs)) == (Part.PLAN,)


@pytest.mark.parametrize(
    "more",
    [
        {"known": {"image": "x", "release": "r", "taskDefinition": "t", "deployment": "d", "tasks": {"10.0.0.1": "x"}}},
        {"reason": "in other words"},
    ],
)
def test_tasks_and_words_do_not_count(more: dict[str, Any]) -> None:
    assert moved(*deploy(**more), STEP) == set()


def test_when_a_state_was_written_does_not_count() -> None:
    again = {"deployment": {"resources": [resource(modified="2027-01-01T00:00:00Z")], "manifest": {"time": "later"}}}
    assert moved(exported=again) == set()


def test_what_a_job_left_in_its_checkout_does_not_count() -> None:
    assert moved(program=Program(commit="d" * 40, dirty=True)) == set()


def test_a_warning_does_not_count() -> None:
    assert moved(*deploy(), STEP, said("careful", severity="warning")) == set()


def test_a_preview_without_a_release_binds_nothing() -> None:
    assert bound_by(log(pre("create", "aws:ec2/vpc:Vpc", "x"))) == ""
    assert bound_by(log(*deploy()))
