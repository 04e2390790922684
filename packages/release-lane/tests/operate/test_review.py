"""Reviews, word for word: `reviews/<name>.md` next to this file. UPDATE=1 writes them anew; read the diff."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from release_lane.decide.shift import Course
from release_lane.engine.events import UNKNOWN, EngineLog, Step
from release_lane.errors import Refused, ReleaseError, UsageError
from release_lane.operate import page_markdown, review_page
from release_lane.operate.costs import monthly
from release_lane.operate.review import Program, Review, Subject, as_dict, review
from release_lane.record.asking import Identify
from release_lane.record.inputs import MigrationInputs
from release_lane.record.names import Access, Names
from release_lane.record.placement import Release, all_on
from tests.command.words import BLUE, GREEN, A, B, log, plan, pre, proof, recorded, release, said

pytestmark = pytest.mark.pure

REVIEWS = Path(__file__).with_name("reviews")
TASKS, SERVICE = "aws:ecs/taskDefinition:TaskDefinition", "aws:ecs/service:Service"
ON_GREEN = [
    pre("same", "pulumi:pulumi:Stack", "release-lane-production", custom=False),
    pre("replace", TASKS, "release-lane-production-green", paths=["containerDefinitions"]),
    pre("update", SERVICE, "release-lane-production-green", paths=["taskDefinition"]),
]
PRODUCTION = Subject(
    environment="production",
    recorded=recorded(BLUE, A),
    source="staging",
    evidence=(proof(A), proof(B)),
    program=Program(commit="d" * 40),
)


def promotion(*more: Any) -> EngineLog:
    return log(*plan("deploy", GREEN, B, target=GREEN, starts=True), *ON_GREEN, *more)


def markdown(found: Review) -> str:
    return page_markdown.markdown(review_page.page(found))


def refusal(subject: Subject, error: ReleaseError) -> str:
    return page_markdown.markdown(review_page.refusal(subject, error))


def check(name: str, text: str) -> None:
    golden = REVIEWS / f"{name}.md"
    if os.environ.get("UPDATE"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_a_promotion() -> None:
    check("promotion", markdown(review(PRODUCTION, promotion())))


MIGRATES = MigrationInputs(
    active=True,
    names=Names.of_stack("release-lane", "production", access=Access(region="us-east-1", account="0" * 12)),
    digest=B.digest,
    command=("alembic", "upgrade", "head"),
    task_definition=UNKNOWN,
    subnets=UNKNOWN,
    groups=UNKNOWN,
    deadline=600,
    to="r2",
    passed=("r1",),
)


def test_a_promotion_that_migrates_says_so_first_and_counts_it_as_part_of_the_release() -> None:
    gate = pre("create", "release:index:Migration", "migration", **MIGRATES.as_dict())
    found = review(PRODUCTION, promotion(gate, pre("replace", TASKS, "release-lane-production-migration")))
    assert found.others == ()
    assert as_dict(found)["migration"] == {"command": "alembic upgrade head", "from": "r1", "to": "r2"}
    check("migration", markdown(found))


def test_a_migration_that_an_update_leaves_alone_is_not_in_its_review() -> None:
    idle = pre("same", "release:index:Migration", "migration", **replace(MIGRATES, active=False).as_dict())
    found = review(PRODUCTION, promotion(idle))
    assert (found.planned.migration, as_dict(found)["migration"]) == (None, None)
    check("promotion", markdown(found))


def test_a_first_release() -> None:
    subject = Subject(environment="staging", program=Program(commit="d" * 40, dirty=True, edited=("infra/x.py",)))
    first = log(
        *plan("deploy", BLUE, A, target=BLUE, starts=True, expected=None),
        pre("create", "release-lane:infra:Network", "release-lane-staging", custom=False),
        pre("create", "aws:ec2/vpc:Vpc", "release-lane-staging"),
        pre("create", TASKS, "release-lane-staging-blue"),
        pre("create", SERVICE, "release-lane-staging-blue"),
        pre("create", SERVICE, "release-lane-staging-green"),
    )
    check("first", markdown(review(subject, first)))


def test_a_rollback_by_weights_alone() -> None:
    subject = Subject(
        environment="production", recorded=recorded(GREEN, A, B), source="staging", evidence=(), rollback=True
    )
    events = plan("traffic-only", BLUE, A, target=BLUE, reason="rollback from sha256:bbbbbbbbbbbb")
    check("rollback", markdown(review(subject, log(*events))))


def test_an_earlier_versions_word_for_a_traffic_only_switch_is_read() -> None:
    """Its program wrote `flip` into the inputs of the switch."""
    before = {"blue": 0, "green": 100}
    earlier, now = (
        review(PRODUCTION, log(*plan(word, BLUE, A, target=BLUE, expected=before))) for word in ("flip", "traffic-only")
    )
    assert earlier.planned == now.planned
    assert earlier.changes_users


def test_nothing_to_do() -> None:
    subject = Subject(environment="production", recorded=recorded(GREEN, A, B), source="staging")
    events = plan("keep", GREEN, B, target=None, reason="the recorded release stays")
    check("keep", markdown(review(subject, log(*events))))


def test_healing() -> None:
    subject = Subject(environment="production", recorded=recorded(GREEN, A, B), source="staging")
    events = plan(
        "heal",
        GREEN,
        B,
        target=BLUE,
        starts=True,
        reason="blue is not fully healthy; it should run the previous release",
    )
    more = [
        pre("replace", TASKS, "release-lane-production-blue"),
        pre("update", SERVICE, "release-lane-production-blue"),
    ]
    check("heal", markdown(review(subject, log(*events, *more))))


def test_everything_that_an_approver_must_not_miss() -> None:
    more = [
        pre("update", "aws:lb/listener:Listener", "release-lane-production-users", paths=["port", "defaultActions[0]"]),
        pre("replace", "aws:lb/loadBalancer:LoadBalancer", "release-lane-production", paths=["subnets"]),
        pre("delete", "aws:ec2/subnet:Subnet", "release-lane-production-b"),
        pre("update", SERVICE, "release-lane-production-blue", paths=["desiredCount"]),
        said("drift: users are served blue 90%, green 10%\nrecorded is blue", severity="warning"),
        {"policyEvent": {"policyPackName": "house", "policyName": "no-public", "enforcementLevel": "mandatory",
                         "message": "a bucket is public", "resourceUrn": "urn:x"}},
    ]  # fmt: skip
    old = release("a", env={"LOG_LEVEL": "info", "GONE": "1"}, secrets={"TOKEN": "arn:aws:ssm:1"})
    new = release("b", env={"LOG_LEVEL": "hunter2", "NEW": "1"}, secrets={"TOKEN": "arn:aws:ssm:2"}, memory=1024)
    subject = Subject(environment="production", recorded=recorded(BLUE, old), source="staging", evidence=())
    events = [*plan("deploy", GREEN, new, target=GREEN, starts=True), *ON_GREEN, *more]
    text = markdown(review(subject, log(*events)))
    assert "hunter2" not in text
    check("everything", text)


def test_an_advisory_policy_is_no_alert_also_where_its_message_has_the_word() -> None:
    advice = {"policyPackName": "house", "policyName": "tags", "enforcementLevel": "advisory",
              "message": "tags (mandatory) are missing", "resourceUrn": "urn:x"}  # fmt: skip
    text = markdown(review(PRODUCTION, log(*plan("keep", BLUE, A, target=None), {"policyEvent": advice})))
    assert "tags (mandatory) are missing" in text
    assert "mandatory policy is violated" not in text


def test_what_https_means_for_users_is_said() -> None:
    more = [
        pre("create", "aws:acm/certificate:Certificate", "release-lane-production"),
        pre("create", "aws:lb/listener:Listener", "release-lane-production-https"),
        pre("update", "aws:lb/listener:Listener", "release-lane-production-users", paths=["defaultActions"]),
        pre("update", "aws:lb/listener:Listener", "release-lane-production-test-blue", paths=["protocol"]),
    ]
    events = [*plan("keep", BLUE, A, target=None, domain="shop.example.com"), *more]
    check("https", markdown(review(PRODUCTION, log(*events))))


def test_a_certificate_that_changes_under_users_is_said() -> None:
    path = pre("update", "aws:lb/listener:Listener", "release-lane-production-https", paths=["certificateArn"])
    text = markdown(review(PRODUCTION, log(*plan("keep", BLUE, A, target=None, domain="shop.example.com"), path)))
    assert "- The listener of https://shop.example.com changes in place: certificateArn." in text


def test_a_refusal() -> None:
    error = Refused(
        f"{B.digest} was not proven by staging.", why="no evidence", next_step="deploy it to staging first."
    )
    check("refusal", refusal(PRODUCTION, error))


def test_wrong_settings_are_not_called_a_refusal() -> None:
    assert "**This release is not possible.**" in refusal(PRODUCTION, UsageError("service.cpu: should be one of 256"))


# ---- What must hold of every review ------------------------------------------------------------------------


def test_values_of_properties_are_never_shown() -> None:
    secret = pre("update", "aws:ssm/parameter:Parameter", "token", paths=["value"], value="hunter2")
    assert "hunter2" not in markdown(review(PRODUCTION, promotion(secret)))


@pytest.mark.parametrize(
    "step",
    [
        pre("update", SERVICE, "release-lane-production-blue"),
        pre("replace", SERVICE, "release-lane-production-green"),
        pre("delete", TASKS, "release-lane-production-green"),
        pre("update", "aws:lb/targetGroup:TargetGroup", "release-lane-production-green"),
        pre("delete", "release:index:TrafficSwitch", "old-switch"),
        pre("create", "aws:ec2/vpc:Vpc", "release-lane-production-green"),
    ],
)
def test_only_the_release_on_its_own_colour_goes_without_saying(step: Any) -> None:
    urn = step["resourcePreEvent"]["metadata"]["urn"]
    assert urn in [each.urn for each in review(PRODUCTION, promotion(step)).others]


def test_a_task_definition_is_not_expected_to_change_when_only_traffic_moves() -> None:
    found = review(PRODUCTION, log(*plan("traffic-only", GREEN, B, target=GREEN), *ON_GREEN))
    assert [step.type for step in found.others] == [TASKS]


def network_step(op: str, kind: str, **inputs: Any) -> Step:
    given = {"inputs" if op != "delete" else "old_inputs": {"vpcId": "vpc-1", **inputs}}
    return Step(op=op, urn=f"urn:pulumi:s::p::{kind}::x", type=f"aws:ec2/{kind}:{kind[0].upper()}{kind[1:]}", **given)


def test_what_a_change_of_the_network_costs_is_said_in_one_sentence() -> None:
    interface = {"vpcEndpointType": "Interface", "subnetIds": ["s-1", "s-2"]}
    steps = (
        network_step("create", "natGateway"),
        network_step("create", "eip"),
        network_step("delete", "vpcEndpoint", **interface),
        network_step("delete", "vpcEndpoint", vpcEndpointType="Gateway", routeTableIds=["r-1"]),
    )
    said = (
        "Network: +21.90 US dollars a month (+1 NAT gateway; +1 public IPv4 address; -2 interface endpoint in one zone;"
    )
    assert monthly(steps).startswith(said)
    assert "March 2026" in monthly(steps)
    assert said in markdown(replace(review(PRODUCTION, promotion()), others=steps))


def endpoints(subnets: Any, old: Any = None) -> str:
    """What the review says of the three that every task needs."""
    given = {"vpcEndpointType": "Interface", "subnetIds": subnets}
    step = network_step("create" if old is None else "update", "vpcEndpoint", **given)
    before = {} if old is None else {"vpcEndpointType": "Interface", "subnetIds": old}
    return monthly([replace(step, old_inputs=before)] * 3)


def test_endpoints_in_subnets_that_are_still_to_be_made_are_counted_in_each() -> None:
    """As the engine with the real provider previews a first environment: a list of values that are not known."""
    said = "Network: {:+.2f} US dollars a month ({:+d} interface endpoint in one zone;"
    assert endpoints([UNKNOWN, UNKNOWN]).startswith(said.format(43.80, 6))
    assert endpoints([UNKNOWN] * 3).startswith(said.format(65.70, 9))
    assert endpoints(["s-1", "s-2", UNKNOWN], ["s-1", "s-2"]).startswith(said.format(21.90, 3))


def test_where_a_preview_does_not_know_in_how_many_zones_an_endpoint_is_the_least_is_said() -> None:
    said = "Network: at least {:+.2f} US dollars a month ("
    assert endpoints(UNKNOWN).startswith(said.format(21.90) + "+3 interface endpoint in one zone;")
    assert endpoints(UNKNOWN, ["s-1", "s-2"]).startswith(said.format(-21.90) + "-3 interface endpoint in one zone;")
    assert endpoints(UNKNOWN, ["s-1"]).startswith(said.format(0) + "list prices")


def test_what_costs_nothing_by_the_hour_is_not_remarked_upon() -> None:
    replaced = Step(op="replace", urn="x", type="aws:ec2/natGateway:NatGateway", inputs={"a": 1}, old_inputs={"a": 2})
    assert monthly([network_step("create", "subnet"), replaced]) == ""


def test_deletes_and_replaces_come_first_and_loud() -> None:
    delete = pre("delete", "aws:ec2/subnet:Subnet", "zzz")
    update = pre("update", "aws:ec2/subnet:Subnet", "aaa")
    text = markdown(review(PRODUCTION, promotion(update, delete)))
    assert text.index("**DELETE**") < text.index("| update |")
    assert "CAREFUL: 1 of these" in text


def test_the_parts_of_a_replacement_are_reported_as_one() -> None:
    parts = [
        pre(op, "aws:lb/loadBalancer:LoadBalancer", "lb", paths=["subnets"])
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    found = review(PRODUCTION, promotion(*parts))
    assert [(step.op, step.paths) for step in found.others] == [("replace", ("subnets",))]


def test_text_from_elsewhere_cannot_break_the_table() -> None:
    step = pre("update", "aws:ec2/subnet:Subnet", "a|b", paths=["tags.x|y\nz"])
    (row,) = [line for line in markdown(review(PRODUCTION, promotion(step))).splitlines() if "a\\|b" in line]
    assert row.count(" | ") == 3
    assert "tags.x\\|y z" in row


def test_a_release_without_proof_says_so() -> None:
    unproven = Subject(environment="production", recorded=recorded(BLUE, A), source="staging")
    assert "staging has **no proof** of this digest" in markdown(review(unproven, promotion()))


DIFFERENT = release("b", env={"LOG_LEVEL": "hunter2"}, desired_count=4)


def with_proof_of(ran: Release, **over: Any) -> str:
    """A review of B where staging proved its image as it ran there."""
    subject = replace(PRODUCTION, **{"evidence": (proof(ran),), "ran_there": (ran,), **over})
    return markdown(review(subject, promotion()))


def test_configuration_that_the_environment_before_never_ran_is_said_to_be_unproven() -> None:
    text = with_proof_of(DIFFERENT)
    said, *lines = text[text.index("- **staging did not run this configuration:**") :].splitlines()[:3]
    assert said.endswith("its proof is of the image, which ran there with different values of:")
    assert lines == ["  - desiredCount: 4 -> 2", "  - env.LOG_LEVEL: removed"]
    assert "hunter2" not in text


def test_configuration_that_is_no_longer_remembered_is_said_to_be_unknown() -> None:
    assert "staging no longer remembers which configuration it ran with" in with_proof_of(DIFFERENT, ran_there=())


@pytest.mark.parametrize(
    ("ran", "over"),
    [(B, {}), (DIFFERENT, {"recorded": recorded(BLUE, B, A)})],
    ids=["the same configuration", "a configuration that ran here before"],
)
def test_proven_configuration_is_not_remarked_upon(ran: Release, over: dict[str, Any]) -> None:
    assert "Configuration that staging did not run" not in with_proof_of(ran, **over)


def test_weights_are_those_that_were_observed() -> None:
    events = plan("deploy", GREEN, B, target=GREEN, starts=True, expected={"blue": 90, "green": 10})
    assert "| Users | blue 90%, green 10% | blue 0%, green 100% |" in markdown(review(PRODUCTION, log(*events)))
    assert all_on(GREEN) == {GREEN: 100, BLUE: 0}


def test_steps_and_what_going_back_costs_are_reported_where_they_are_not_as_everywhere() -> None:
    course = Course(steps=(10, 50, 100), bake=60, home=BLUE).as_dict()
    subject = Subject(environment="production", recorded=recorded(BLUE, A), source="staging")
    plain = markdown(review(subject, log(*plan("deploy", GREEN, B, target=GREEN, starts=True))))
    assert "The traffic moves" not in plain
    events = plan("deploy", GREEN, B, target=GREEN, starts=True, course=course, idleTasks=1)
    text = markdown(review(subject, log(*events)))
    steps = "in 3 steps: 10 %, 50 %, 100 %, 60 s of watching after each (180 s at least)"
    assert f"- The traffic moves {steps}." in text.splitlines()
    assert (
        "the idle colour keeps 1 task of the previous release; a rollback that needs more tasks is a deployment" in text
    )
    keep = plan("keep", BLUE, A, target=None, course=course, idleTasks=1)
    assert "Users move" not in markdown(review(subject, log(*keep)))


def test_what_the_environment_before_could_not_check_is_named() -> None:
    seen = replace(proof(B), unchecked=("the commit is unknown", "answers name no release"))
    text = markdown(review(replace(PRODUCTION, evidence=(seen,)), promotion()))
    assert (
        "- **Not checked there:** the commit is unknown.\n- **Not checked there:** answers name no release.\n" in text
    )
    assert "Not checked" not in markdown(review(PRODUCTION, promotion()))


def test_what_cannot_be_checked_of_this_release_is_named_before_it_is_approved() -> None:
    foreign = release("b", health_path="/healthz", status_path="", identify=Identify.NONE)
    events = [*plan("deploy", GREEN, foreign, target=GREEN, starts=True), *ON_GREEN]
    text = markdown(review(PRODUCTION, log(*events)))
    named = [line for line in text.splitlines() if "Cannot be checked here" in line]
    assert named == [f"- **Cannot be checked here:** {each}." for each in foreign.service.asked.unchecked]
    proven = replace(proof(B), unchecked=("the commit is unknown", *foreign.service.asked.unchecked))
    again = markdown(review(replace(PRODUCTION, evidence=(proven,)), log(*events))).splitlines()
    assert "- **Not checked there:** the commit is unknown." in again
    for sentence in foreign.service.asked.unchecked:
        assert [line for line in again if sentence in line] == [
            f"- **Not checked there, and cannot be here:** {sentence}."
        ]
    assert "- statusPath: its default -> none" in text
    assert "- identify: its default -> none" in text
