"""A decision as a Pulumi graph. Which colour may be written, and which gates run, is read off the decision here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ecs, iam

from infra.components.balancer import Balancer, BalancerArgs
from infra.components.colour import ColourArgs, ColourSide, Runtime
from infra.components.network import Network, NetworkArgs
from infra.gating import image_gate, rollout_gate, smoke_gate, traffic_switch
from infra.settings import EnvironmentSettings
from release.decision import Deploy, Finish, Flip, Heal, Keep, Prepare
from release.names import Names
from release.placement import Colour, Release, Service, all_on
from release.records import Observed, Recorded

Doable = Prepare | Keep | Heal | Deploy | Flip | Finish


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the graph is built from, besides the decision."""

    settings: EnvironmentSettings
    names: Names
    repository: str
    observed: Observed


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A decision in the terms of the graph.

    `target` is the colour that the gates look at and `release` what it holds or shall hold; `starts` says that
    tasks are started there, `empties` that they are taken away, `moves` that users are moved or recorded there.
    """

    name: str
    reason: str
    target: Colour
    release: Release | None
    tasks: int
    starts: bool = False
    empties: bool = False
    moves: bool = False
    first: bool = False
    retry_of: str = ""

    @property
    def gated(self) -> bool:
        """Do the gates run?"""
        return self.starts or self.moves


def plan_of(decision: Doable, standing: Recorded | None, observed: Observed) -> Plan | None:
    """Read a decision; None where there is no release at all yet."""
    match decision:
        case Prepare():
            return None
        case Keep(live=live, reason=reason):
            release = standing.live if standing else None
            return Plan(name="keep", reason=reason, target=live, release=release, tasks=observed.sides[live].wanted)
        case Heal(target=target, release=None, reason=reason):
            held = observed.sides[target].release or (standing.live if standing else None)
            return Plan(name="heal", reason=reason, target=target, release=held, tasks=0, empties=True)
        case Heal(target=target, release=release, tasks=tasks, reason=reason, retry_of=retry):
            return Plan(
                name="heal", reason=reason, target=target, release=release, tasks=tasks, starts=True, retry_of=retry
            )
        case Deploy(target=target, release=release, tasks=tasks, live=live, reason=reason, retry_of=retry):
            return Plan(
                name="deploy",
                reason=reason,
                target=target,
                release=release,
                tasks=tasks,
                starts=True,
                moves=True,
                first=live is None,
                retry_of=retry,
            )
        case Flip(target=target, release=release, reason=reason):
            tasks = observed.sides[target].wanted
            return Plan(name="flip", reason=reason, target=target, release=release, tasks=tasks, moves=True)
        case Finish(target=target, release=release, reason=reason):
            tasks = observed.sides[target].wanted
            return Plan(name="finish", reason=reason, target=target, release=release, tasks=tasks, moves=True)


def build_graph(environment: Environment, decision: Doable, standing: Recorded | None) -> None:
    """Register everything this update needs; users are moved by its very last resource."""
    names = environment.names
    plan = plan_of(decision, standing, environment.observed)
    network = _network(environment)
    runtime = _runtime(environment, network, plan)
    pulumi.export("testUrls", _test_urls(runtime)) if plan is None else None
    if plan is None or plan.release is None:
        return
    image = image_gate(names, plan.release, active=plan.starts)
    sides = {colour: _side(colour, environment, runtime, plan, standing, image) for colour in Colour}
    rollout = rollout_gate(
        names,
        plan.release,
        plan.target,
        side=sides[plan.target],
        tasks=plan.tasks,
        starts=plan.starts,
        active=plan.gated or plan.empties,
        deadline=environment.settings.rollout.deadline_seconds,
        image=image,
    )
    smoke = smoke_gate(
        names,
        plan.release,
        plan.target,
        active=plan.gated,
        deadline=environment.settings.smoke.deadline_seconds,
        rollout=rollout,
    )
    _switch_and_outputs(environment, plan, standing, runtime, smoke, sides)


def _network(environment: Environment) -> Network:
    names = environment.names
    args = NetworkArgs(
        cidr=environment.settings.network.cidr,
        region=names.access.region,
        users_port=names.users_port,
        test_ports=list(names.test_ports.values()),
        test_access=environment.settings.test_access,
    )
    return Network(names.cluster, args)


def _runtime(environment: Environment, network: Network, plan: Plan | None) -> Runtime:
    names, settings = environment.names, environment.settings
    service = plan.release.service if plan and plan.release else settings.release_service()
    args = BalancerArgs(
        names=names,
        network=network,
        services={colour: _checked_for(colour, environment, plan, service) for colour in Colour},
        health_check=settings.health_check,
        writable=frozenset(colour for colour in Colour if _writes(colour, plan)),
    )
    cloudwatch.LogGroup(names.cluster, name=names.log_group, retention_in_days=30)
    return Runtime(
        names=names,
        repository=environment.repository,
        cluster=ecs.Cluster(names.cluster, name=names.cluster),
        network=network,
        balancer=Balancer(names.cluster, args),
        execution_role=_role(names, "execution", managed="service-role/AmazonECSTaskExecutionRolePolicy"),
        task_role=_role(names, "task"),
    )


def _checked_for(colour: Colour, environment: Environment, plan: Plan | None, service: Service) -> Service:
    if plan and colour is not plan.target:
        release = environment.observed.sides[colour].release
        return release.service if release else service
    return service


def _writes(colour: Colour, plan: Plan | None) -> bool:
    """May this update change what the colour holds?"""
    return bool(plan and (plan.first or (plan.starts and colour is plan.target)))


def _role(names: Names, part: str, managed: str = "") -> pulumi.Output[str]:
    assume = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    name = f"{names.cluster}-{part}"
    role = iam.Role(name, name=name, assume_role_policy=json.dumps(assume, sort_keys=True))
    if managed:
        iam.RolePolicyAttachment(name, role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{managed}")
    arn: pulumi.Output[str] = role.arn
    return arn


def _side(
    colour: Colour,
    environment: Environment,
    runtime: Runtime,
    plan: Plan,
    standing: Recorded | None,
    image: pulumi.Resource,
) -> ColourSide:
    """The colour that is written gets the plan's release; the other one keeps what it has, unread."""
    is_target = colour is plan.target
    held = environment.observed.sides[colour].release
    release = plan.release if is_target or plan.first else held or (standing.live if standing else plan.release)
    assert release is not None
    args = ColourArgs(
        colour=colour,
        release=release,
        tasks=plan.tasks if is_target else environment.observed.sides[colour].wanted if not plan.first else 0,
        grace_seconds=environment.settings.rollout.grace_seconds,
        runtime=runtime,
        write_release=_writes(colour, plan),
        write_service=_writes(colour, plan) or (plan.empties and is_target),
        retry_of=plan.retry_of if is_target else "",
        after=[image],
    )
    return ColourSide(environment.names.services[colour], args)


def _switch_and_outputs(
    environment: Environment,
    plan: Plan,
    standing: Recorded | None,
    runtime: Runtime,
    smoke: pulumi.CustomResource,
    sides: dict[Colour, ColourSide],
) -> None:
    live = plan.target if plan.moves else standing.live_colour if standing else plan.target
    release = plan.release if plan.moves or standing is None else standing.live
    assert release is not None
    weights = environment.observed.weights
    inputs: dict[str, Any] = {
        "active": plan.moves,
        "decision": plan.name,
        "reason": plan.reason,
        "live": str(live),
        "release": release.as_dict(),
        "weights": {str(colour): weight for colour, weight in all_on(live).items()},
        "expected": {str(colour): weight for colour, weight in weights.items()} if weights else None,
        "standing": record_input(standing),
        "smokeDeadlineSeconds": environment.settings.smoke.deadline_seconds,
    }
    everything = [runtime.balancer, runtime.network, *sides.values(), smoke]
    switch = traffic_switch(environment.names, inputs, smoke, everything)
    for name in switch.exported:
        pulumi.export(name, getattr(switch, name))
    pulumi.export("testUrls", pulumi.Output.all(switch.liveColour, _test_urls(runtime)).apply(lambda both: both[1]))


def record_input(standing: Recorded | None) -> dict[str, Any] | None:
    """The record this update starts from, as `Recorded.from_outputs` reads it."""
    if standing is None:
        return None
    return {
        "liveColour": str(standing.live_colour),
        "liveRelease": standing.live.as_dict(),
        "previousRelease": standing.previous.as_dict() if standing.previous else None,
        "liveHistory": [past.as_dict() for past in standing.history],
        "evidence": [proof.as_dict() for proof in standing.evidence],
    }


def _test_urls(runtime: Runtime) -> pulumi.Output[dict[str, str]]:
    ports = runtime.names.test_ports
    urls: pulumi.Output[dict[str, str]] = runtime.balancer.dns_name.apply(
        lambda dns: {str(colour): f"http://{dns}:{port}" for colour, port in ports.items()}
    )
    return urls
