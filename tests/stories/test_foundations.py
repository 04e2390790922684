"""What live users stand on: nothing of it is replaced or deleted under them, whatever asks for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from tests.stories.cloud import eventually, idle_of, rule, tasks
from tools.lane import PROJECT, Lane, Result, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
QUICK = {"deadlineSeconds": 3}
ELSEWHERE = {"cidr": "10.30.0.0/16"}


Unseen = Callable[..., str]


def resources(stack: Stack) -> dict[str, str]:
    """What the state holds: URN to id."""
    return {each["urn"]: each.get("id", "") for each in stack.state["resources"]}


def refused(result: Result, *words: str) -> None:
    assert not result.ok
    assert "Traceback" not in result.text
    for word in words:
        assert word in result.text, result.text


def test_another_network_is_refused_under_users_before_anything_changes(staging: Stack, unseen: Unseen) -> None:
    before, wanted = resources(staging), unseen(staging)
    said = (
        "would replace what live users stand on",
        "network.cidr from 10.20.0.0/16 to 10.30.0.0/16",
        "--allow-replace",
    )
    changed = staging.with_settings(network=ELSEWHERE)
    for attempt in (changed.preview, changed.up):
        refused(attempt(), *said)
        refused(attempt(imageDigest=wanted), *said)
    assert resources(staging) == before
    back = staging.up(imageDigest=wanted)
    assert back.ok, back.text


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("infra/network.py", "{description} of", "{description} for", "unable to replace"),
        pytest.param(
            "infra/balancer.py",
            'load_balancer_type="application"',
            "internal=True",
            "unable to replace",
            marks=pytest.mark.long,
        ),
    ],
    ids=["security group", "load balancer"],
)
def test_a_changed_program_replaces_nothing_under_users(
    staging: Stack, file: str, old: str, new: str, said: str
) -> None:
    before, serving = resources(staging), staging.outputs["imageDigest"]
    changed = staging.with_changed_program(file, old, new)
    for attempt in (changed.preview, changed.up):
        refused(attempt(), said, "protect")
    assert resources(staging) == before
    assert staging.served()["digest"] == serving


@pytest.mark.long
def test_ranges_of_testers_come_and_go_one_by_one(staging: Stack) -> None:
    for ranges in (["192.0.2.0/24", "198.51.100.0/24"], ["198.51.100.0/24"], []):
        result = staging.with_settings(testAccess=ranges).up()
        assert result.ok, result.text


@pytest.mark.long
@pytest.mark.real
def test_rules_that_had_other_names_are_renamed_under_users(staging: Stack) -> None:
    """As in a stack that an earlier version made: there, they were numbered."""

    def rules() -> dict[str, str]:
        return {urn.rsplit("::", 1)[-1]: id for urn, id in resources(staging).items() if "-test-9" in urn}

    wanted = staging.with_settings(testAccess=["198.51.100.0/24"])
    named = wanted.with_changed_program("infra/balancer.py", "cidr.replace('/', '-')", "len(cidr)").up()
    assert named.ok, named.text
    before = rules()
    renamed = wanted.up()
    assert renamed.ok, renamed.text
    assert rules().keys() != before.keys()
    assert sorted(rules().values()) == sorted(before.values()), "the same rules"


@pytest.mark.long
def test_an_idle_colour_that_should_be_smaller_keeps_the_tasks_that_stay(staging: Stack, unseen: Unseen) -> None:
    released = staging.up(imageDigest=unseen(staging))
    assert released.ok, released.text
    idle = idle_of(staging)
    before = tasks(staging, idle)
    assert len(before) == 2
    smaller = staging.with_settings(idle={"afterWatch": 1}).up()
    assert smaller.ok, smaller.text
    assert eventually("one task is left", lambda: len(tasks(staging, idle)) == 1)
    assert tasks(staging, idle) < before
    again = staging.with_settings(idle={"afterWatch": 1}).up("--expect-no-changes")
    assert again.ok, again.text
    assert tasks(staging, idle) < before
    emptied = staging.with_settings(idle={"afterWatch": 0}).up()
    assert emptied.ok, emptied.text
    assert not tasks(staging, idle)


@pytest.mark.long
def test_a_state_that_knows_nothing_of_what_serves_is_refused_naming_it(staging: Stack, unseen: Unseen) -> None:
    folder, stacks = staging.lane.folder / "elsewhere", f"state/.pulumi/stacks/{PROJECT}"
    other = Lane.open(folder, staging.lane.variables)
    shutil.copytree(staging.lane.folder / stacks, folder / stacks, ignore=lambda *_: [f"{staging.name}.json"])
    stranger = other.stack(staging.name, "staging", smoke=QUICK)
    serving, best = staging.outputs, unseen(staging)
    said = (f"{serving['liveColour']} ({serving['imageDigest'][:19]})", serving["url"].removeprefix("http://"))
    for attempt in (stranger.preview, stranger.up):
        refused(attempt(), "does not know it", "PULUMI_BACKEND_URL", *said)
        refused(attempt(imageDigest=best, onDrift="restore"), "does not know it", *said)
    assert staging.served()["digest"] == serving["imageDigest"]
    assert staging.up().ok


@pytest.mark.long
def test_before_the_first_release_another_network_is_free(lane: Lane, good: str, liar: str) -> None:
    stack = lane.environment("free", like="staging", smoke={"deadlineSeconds": 1})
    assert stack.up().ok
    assert not stack.with_settings(network=ELSEWHERE).up(imageDigest=liar).ok
    prepared = stack.up()
    assert prepared.ok, prepared.text
    released = stack.with_settings(network=ELSEWHERE).up(imageDigest=good)
    assert released.ok, released.text
    assert whole(stack)
    assert stack.served()["digest"] == good


@pytest.mark.long
@pytest.mark.real
def test_a_target_group_that_somebody_deleted_is_named_and_made_anew(staging: Stack) -> None:
    elb, idle, name = staging.lane.aws("elbv2"), idle_of(staging), f"{PROJECT}-{staging.name}"
    port = {"blue": 9001, "green": 9002}[idle]
    (balancer,) = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    elb.delete_listener(ListenerArn=next(each["ListenerArn"] for each in listeners if each["Port"] == port))
    found = elb.describe_target_groups(Names=[f"{name}-blue", f"{name}-green"])["TargetGroups"]
    groups = {each["TargetGroupName"].rsplit("-", 1)[1]: each["TargetGroupArn"] for each in found}
    only = {"Type": "forward", "TargetGroupArn": groups[staging.outputs["liveColour"]]}
    elb.modify_rule(RuleArn=rule(staging)["RuleArn"], Actions=[only])
    elb.delete_target_group(TargetGroupArn=groups[idle])
    wanted = staging.outputs["previousDigest"]
    intent = {"imageDigest": wanted, "rollbackFrom": staging.outputs["imageDigest"]}
    refused(staging.up(**intent), f"target group {name}-{idle}", f"listener {port}", "pulumi refresh")
    with staging.started("refresh") as process:
        assert process.wait(120).ok
    made = staging.up(**intent)
    assert made.ok, made.text
    assert staging.served()["digest"] == wanted


def whole(stack: Stack) -> str:
    """The VPC in which load balancer, target groups and services all are."""
    aws, name = stack.lane.aws, f"{PROJECT}-{stack.name}"
    balancers = aws("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"]
    groups = aws("elbv2").describe_target_groups(Names=[f"{name}-blue", f"{name}-green"])["TargetGroups"]
    services = aws("ecs").describe_services(cluster=name, services=[f"{name}-blue", f"{name}-green"])["services"]
    subnets = {each for one in services for each in one["networkConfiguration"]["awsvpcConfiguration"]["subnets"]}
    subnets |= {zone["SubnetId"] for one in balancers for zone in one["AvailabilityZones"]}
    homes = {each["VpcId"] for each in aws("ec2").describe_subnets(SubnetIds=sorted(subnets))["Subnets"]}
    (vpc,) = homes | {each["VpcId"] for each in groups}
    return str(vpc)


@pytest.mark.long
def test_an_environment_whose_users_are_elsewhere_is_built_anew(lane: Lane, best: str, good: str) -> None:
    live = lane.environment("anew", like="staging", smoke=QUICK)
    assert live.up(imageDigest=good).ok
    old = whole(live)
    intent = {"allowReplace": "true", "imageDigest": best, "rollbackFrom": live.outputs["imageDigest"]}
    foreseen = live.with_settings(network=ELSEWHERE).preview(**intent)
    assert foreseen.ok, foreseen.text
    assert "built anew" in foreseen.text
    assert whole(live) == old
    anew = live.with_settings(network=ELSEWHERE).up(**intent)
    assert anew.ok, anew.text
    assert "built anew" in anew.text
    assert whole(live) != old
    assert live.served()["digest"] == live.outputs["imageDigest"] == best
    assert best in {proof["digest"] for proof in live.outputs["evidence"]}
    again = live.with_settings(network=ELSEWHERE).up(allowReplace="true")
    assert again.ok, again.text
    assert "Decision: heal" in again.text, "only the idle colour is left to be filled"
    back = live.with_settings(network=ELSEWHERE).up(imageDigest=good, rollbackFrom=best)
    assert back.ok, back.text


@pytest.mark.long
@pytest.mark.real
def test_a_network_that_was_replaced_under_its_users_has_a_way_out(
    lane: Lane, good: str, better: str, best: str
) -> None:
    """As the version before this one did it: settings are not compared, and nothing is protected."""
    stack = lane.environment("brick", like="staging", smoke=QUICK)
    for digest in (good, better):
        assert stack.up(imageDigest=digest).ok
    compared = "if changes and (serving(observed) or elsewhere) and not requested.allow_replace:"
    careless = stack.with_settings(network=ELSEWHERE).with_changed_program(
        "packages/release-lane/src/release_lane/decide/rebuilding.py", compared, "if False:"
    )
    assert careless.up("--ignore-protect").ok
    refused(
        stack.with_settings(network=ELSEWHERE).up(imageDigest=best),
        "Nothing can be released here",
        "change network.cidr",
    )
    refused(stack.up(), "would replace what live users stand on", "allowReplace")
    assert stack.served()["digest"] == better
    mended = stack.up(allowReplace="true")
    assert mended.ok, mended.text
    assert whole(stack)
    assert stack.served()["digest"] == better == stack.outputs["imageDigest"]
    released = stack.up(imageDigest=best)
    assert released.ok, released.text
    assert stack.served()["digest"] == best
