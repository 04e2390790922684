"""What live users stand on: nothing of it is replaced or deleted under them, whatever asks for it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.stories.cloud import eventually, idle_of, rule, tasks
from tools.lane import PROJECT, Lane, Result, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600)]
QUICK = {"deadlineSeconds": 3}
ELSEWHERE = {"cidr": "10.30.0.0/16"}


@pytest.fixture(scope="module")
def live(lane: Lane, good: str) -> Stack:
    """An environment whose first release just went live."""
    stack = lane.environment("ground", like="staging", smoke=QUICK)
    result = stack.up(imageDigest=good)
    assert result.ok, result.text
    return stack


def resources(stack: Stack) -> dict[str, str]:
    """What the state holds: URN to id."""
    state = json.loads((stack.lane.folder / f"state/.pulumi/stacks/{PROJECT}/{stack.name}.json").read_text())
    return {each["urn"]: each.get("id", "") for each in state["checkpoint"]["latest"]["resources"]}


def moved(stack: Stack, **config: Any) -> Stack:
    """The same environment, with a stack file that wants something else."""
    return stack.lane.stack(stack.name, "staging", smoke=QUICK, **config)


def refused(result: Result, *words: str) -> None:
    assert not result.ok
    assert "Traceback" not in result.text
    for word in words:
        assert word in result.text, result.text


def test_another_network_is_refused_under_users_before_anything_changes(live: Stack, better: str) -> None:
    before = resources(live)
    said = (
        "would replace what live users stand on",
        "network.cidr from 10.20.0.0/16 to 10.30.0.0/16",
        "--allow-replace",
    )
    changed = moved(live, network=ELSEWHERE)
    for attempt in (changed.preview, changed.up):
        refused(attempt(), *said)
        refused(attempt(imageDigest=better), *said)
    assert resources(live) == before
    back = moved(live).up(imageDigest=better)
    assert back.ok, back.text


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("infra/network.py", "{description} of", "{description} for", "unable to replace"),
        (
            "infra/balancer.py",
            'load_balancer_type="application"',
            "internal=True",
            "unable to replace",
        ),
    ],
    ids=["security group", "load balancer"],
)
def test_a_changed_program_replaces_nothing_under_users(live: Stack, file: str, old: str, new: str, said: str) -> None:
    before, serving = resources(live), live.outputs["imageDigest"]
    changed = live.with_changed_program(file, old, new)
    for attempt in (changed.preview, changed.up):
        refused(attempt(), said, "protect")
    assert resources(live) == before
    assert live.served()["digest"] == serving


@pytest.mark.long
def test_ranges_of_testers_come_and_go_one_by_one(live: Stack) -> None:
    for ranges in (["192.0.2.0/24", "198.51.100.0/24"], ["198.51.100.0/24"], []):
        result = moved(live, testAccess=ranges).up()
        assert result.ok, result.text


@pytest.mark.long
def test_rules_that_had_other_names_are_renamed_under_users(live: Stack) -> None:
    """As in a stack that an earlier version made: there, they were numbered."""

    def rules() -> dict[str, str]:
        return {urn.rsplit("::", 1)[-1]: id for urn, id in resources(live).items() if "-test-9" in urn}

    wanted = moved(live, testAccess=["198.51.100.0/24"])
    named = wanted.with_changed_program("infra/balancer.py", "cidr.replace('/', '-')", "len(cidr)").up()
    assert named.ok, named.text
    before = rules()
    renamed = wanted.up()
    assert renamed.ok, renamed.text
    assert rules().keys() != before.keys()
    assert sorted(rules().values()) == sorted(before.values()), "the same rules"


@pytest.mark.long
def test_an_idle_colour_that_should_be_smaller_keeps_the_tasks_that_stay(live: Stack, best: str) -> None:
    released = moved(live).up(imageDigest=best)
    assert released.ok, released.text
    idle = idle_of(live)
    before = tasks(live, idle)
    assert len(before) == 2
    smaller = moved(live, idle={"afterWatch": 1}).up()
    assert smaller.ok, smaller.text
    assert eventually("one task is left", lambda: len(tasks(live, idle)) == 1)
    assert tasks(live, idle) < before
    again = moved(live, idle={"afterWatch": 1}).up("--expect-no-changes")
    assert again.ok, again.text
    assert tasks(live, idle) < before
    emptied = moved(live, idle={"afterWatch": 0}).up()
    assert emptied.ok, emptied.text
    assert not tasks(live, idle)


def test_a_state_that_knows_nothing_of_what_serves_is_refused_naming_it(live: Stack, best: str) -> None:
    folder, stacks = live.lane.folder / "elsewhere", f"state/.pulumi/stacks/{PROJECT}"
    other = Lane.open(folder, live.lane.variables)
    shutil.copytree(live.lane.folder / stacks, folder / stacks, ignore=lambda *_: [f"{live.name}.json"])
    stranger = other.stack(live.name, "staging", smoke=QUICK)
    serving = live.outputs
    said = (f"{serving['liveColour']} ({serving['imageDigest'][:19]})", serving["url"].removeprefix("http://"))
    for attempt in (stranger.preview, stranger.up):
        refused(attempt(), "does not know it", "PULUMI_BACKEND_URL", *said)
        refused(attempt(imageDigest=best, onDrift="restore"), "does not know it", *said)
    assert live.served()["digest"] == serving["imageDigest"]
    assert moved(live).up().ok


@pytest.mark.long
def test_before_the_first_release_another_network_is_free(lane: Lane, good: str, liar: str) -> None:
    stack = lane.environment("free", like="staging", smoke={"deadlineSeconds": 1})
    assert stack.up().ok
    assert not moved(stack, network=ELSEWHERE).up(imageDigest=liar).ok
    prepared = moved(stack).up()
    assert prepared.ok, prepared.text
    released = moved(stack, network=ELSEWHERE).up(imageDigest=good)
    assert released.ok, released.text
    assert whole(stack)
    assert stack.served()["digest"] == good


def test_a_target_group_that_somebody_deleted_is_named_and_made_anew(live: Stack, good: str, better: str) -> None:
    elb, idle, name = live.lane.aws("elbv2"), idle_of(live), f"{PROJECT}-{live.name}"
    port = {"blue": 9001, "green": 9002}[idle]
    (balancer,) = elb.describe_load_balancers(Names=[name])["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    elb.delete_listener(ListenerArn=next(each["ListenerArn"] for each in listeners if each["Port"] == port))
    found = elb.describe_target_groups(Names=[f"{name}-blue", f"{name}-green"])["TargetGroups"]
    groups = {each["TargetGroupName"].rsplit("-", 1)[1]: each["TargetGroupArn"] for each in found}
    only = {"Type": "forward", "TargetGroupArn": groups[live.outputs["liveColour"]]}
    elb.modify_rule(RuleArn=rule(live)["RuleArn"], Actions=[only])
    elb.delete_target_group(TargetGroupArn=groups[idle])
    wanted = better if live.outputs["imageDigest"] != better else good
    intent = {"imageDigest": wanted, "rollbackFrom": live.outputs["imageDigest"]}
    refused(moved(live).up(**intent), f"target group {name}-{idle}", f"listener {port}", "pulumi refresh")
    with live.started("refresh") as process:
        assert process.wait(120).ok
    made = moved(live).up(**intent)
    assert made.ok, made.text
    assert live.served()["digest"] == wanted


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
def test_an_environment_whose_users_are_elsewhere_is_built_anew(live: Stack, best: str, good: str) -> None:
    if live.outputs["imageDigest"] == best:
        assert moved(live).up(imageDigest=good, rollbackFrom=best).ok
    old = whole(live)
    intent = {"allowReplace": "true", "imageDigest": best, "rollbackFrom": live.outputs["imageDigest"]}
    foreseen = moved(live, network=ELSEWHERE).preview(**intent)
    assert foreseen.ok, foreseen.text
    assert "built anew" in foreseen.text
    assert whole(live) == old
    anew = moved(live, network=ELSEWHERE).up(**intent)
    assert anew.ok, anew.text
    assert "built anew" in anew.text
    assert whole(live) != old
    assert live.served()["digest"] == live.outputs["imageDigest"] == best
    assert best in {proof["digest"] for proof in live.outputs["evidence"]}
    again = moved(live, network=ELSEWHERE).up(allowReplace="true")
    assert again.ok, again.text
    assert "Decision: heal" in again.text, "only the idle colour is left to be filled"
    back = moved(live, network=ELSEWHERE).up(imageDigest=good, rollbackFrom=best)
    assert back.ok, back.text


@pytest.mark.long
def test_a_network_that_was_replaced_under_its_users_has_a_way_out(
    lane: Lane, good: str, better: str, best: str
) -> None:
    """As the version before this one did it: settings are not compared, and nothing is protected."""
    stack = lane.environment("brick", like="staging", smoke=QUICK)
    for digest in (good, better):
        assert stack.up(imageDigest=digest).ok
    compared = "if changes and (serving(observed) or elsewhere) and not requested.allow_replace:"
    careless = moved(stack, network=ELSEWHERE).with_changed_program(
        "packages/release-lane/src/release_lane/decide/rebuilding.py", compared, "if False:"
    )
    assert careless.up("--ignore-protect").ok
    refused(moved(stack, network=ELSEWHERE).up(imageDigest=best), "Nothing can be released here", "change network.cidr")
    refused(moved(stack).up(), "would replace what live users stand on", "allowReplace")
    assert stack.served()["digest"] == better
    mended = moved(stack).up(allowReplace="true")
    assert mended.ok, mended.text
    assert whole(stack)
    assert stack.served()["digest"] == better == stack.outputs["imageDigest"]
    released = moved(stack).up(imageDigest=best)
    assert released.ok, released.text
    assert stack.served()["digest"] == best
