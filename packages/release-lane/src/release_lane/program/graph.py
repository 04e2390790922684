"""A decision as a Pulumi graph. Which colour may be written, and which gates run, is read off the decision here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ecs, iam

from release_lane.decide.decision import OnAlarm
from release_lane.decide.foundations import identity
from release_lane.decide.lineage import is_about_order
from release_lane.decide.refusals import would_delete
from release_lane.errors import Refused
from release_lane.program.components.alarms import AlarmArgs, colour_alarms
from release_lane.program.components.balancer import Balancer, BalancerArgs
from release_lane.program.components.colour import ColourArgs, ColourSide, Runtime
from release_lane.program.components.freeze import Hold
from release_lane.program.components.network import Network, NetworkArgs
from release_lane.program.gating import GateResource, image_gate, rollout_gate, smoke_gate, traffic_switch
from release_lane.program.plan import Doable, Environment, Plan, plan_of
from release_lane.record.inputs import ImageInputs, RolloutInputs, SmokeInputs, SwitchInputs, WatchInputs
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Service, all_on
from release_lane.record.records import Recorded
from release_lane.settings import limits


def build_graph(environment: Environment, decision: Doable, standing: Recorded | None) -> None:
    """Register everything this update needs; users are moved by its very last resource."""
    names = environment.names
    plan = plan_of(decision, standing, environment.observed, environment.settings.wanted_shift)
    _need_room_for_secrets(environment, standing, plan)
    hold, registered = _hold(plan, standing), _roll()
    network = _network(environment, hold)
    runtime = _runtime(environment, network, plan, standing, hold)
    alarms = [alarm for colour in Colour for alarm in colour_alarms(_alarm_args(colour, environment, runtime))]
    pulumi.export("testUrls", _test_urls(runtime)) if plan is None else None
    if plan is None or plan.release is None:
        return
    if hold.settled and (dropped := sorted(environment.stands_on.held - registered)):
        raise would_delete(dropped)
    digest, checks = plan.release.digest, environment.settings
    # The order of commits is the switch's to say.
    unseen = tuple(each for each in environment.unchecked if not is_about_order(each))
    image = image_gate(ImageInputs(active=plan.starts, names=names, digest=digest, unchecked=unseen))
    sides = {colour: _side(colour, environment, runtime, plan, standing, image) for colour in Colour}
    target, corrects = sides[plan.target], plan.starts or plan.empties or plan.scales_in
    rollout = rollout_gate(
        RolloutInputs(
            active=plan.gated or plan.empties or plan.scales_in,
            names=names,
            digest=digest,
            colour=plan.target,
            tasks=plan.tasks,
            # What was just written there, or what the colour was seen to run when this update decided.
            task_definition=target.task_definition.arn
            if corrects
            else environment.observed.sides[plan.target].task_definition,
            deadline=checks.rollout.deadline_seconds,
            port=plan.release.service.port,
            health_path=plan.release.service.health_path,
            starts=plan.starts,
            corrects=corrects,
            retry_of=plan.retry_of,
            pass_of_before=image.passedFor,
        ),
        after=target,
    )
    smoke = smoke_gate(
        SmokeInputs(
            active=plan.gated,
            names=names,
            digest=digest,
            colour=plan.target,
            deadline=checks.smoke.deadline_seconds,
            commit=plan.release.commit,
            asked=plan.release.service.asked,
            pass_of_before=rollout.passedFor,
        ),
        after=rollout,
    )
    _switch_and_outputs(environment, plan, standing, runtime, [smoke, runtime.log_group, *alarms, *sides.values()])


def _hold(plan: Plan | None, standing: Recorded | None) -> Hold:
    """What users stand on, or will after this update, is held; while nobody is served settings are free."""
    served = plan is not None and plan.release is not None
    settled = bool(plan and served and not plan.first)
    return Hold(shared=settled or (served and standing is None), settled=settled)


def _roll() -> set[str]:
    """What is registered from now on, under its name and those that it had; it grows."""
    seen: set[str] = set()

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        known = (alias.name if isinstance(alias, pulumi.Alias) else alias for alias in args.opts.aliases or ())
        names = [args.name, *(name.rsplit("::", 1)[-1] for name in known if isinstance(name, str))]
        seen.update(identity(args.type_, name) for name in names)

    pulumi.runtime.register_stack_transformation(note)
    return seen


def _network(environment: Environment, hold: Hold) -> Network:
    names = environment.names
    args = NetworkArgs(
        cidr=environment.settings.network.cidr,
        zones=environment.zones,
        users_port=names.users_port,
        test_ports=list(names.test_ports.values()),
        test_access=environment.settings.test_access,
        doors=environment.stands_on.doors,
        hold=hold,
    )
    return Network(names.cluster, args)


def _runtime(
    environment: Environment, network: Network, plan: Plan | None, standing: Recorded | None, hold: Hold
) -> Runtime:
    names, settings = environment.names, environment.settings
    service = plan.release.service if plan and plan.release else settings.release_service()
    args = BalancerArgs(
        names=names,
        network=network,
        services={colour: _checked_for(colour, environment, plan, service) for colour in Colour},
        health_check=settings.health_check,
        writable=frozenset(colour for colour in Colour if _writes(colour, plan)),
        hold=hold,
    )
    policy = limits.secrets_policy(_services(environment, standing, plan))
    return Runtime(
        names=names,
        repository=environment.repository,
        cluster=ecs.Cluster(names.cluster, name=names.cluster, opts=hold.protect()),
        network=network,
        balancer=Balancer(names.cluster, args),
        log_group=cloudwatch.LogGroup(names.cluster, name=names.log_group, retention_in_days=30, opts=hold.protect()),
        hold=hold,
        execution_role=_execution_role(names, policy, hold),
        task_role=_role(names, "task", hold).arn,
    )


def _checked_for(colour: Colour, environment: Environment, plan: Plan | None, service: Service) -> Service:
    if plan and colour is not plan.target:
        release = environment.observed.sides[colour].release
        return release.service if release else service
    return service


def _writes(colour: Colour, plan: Plan | None) -> bool:
    """May this update change what the colour holds? While nobody is served, yes."""
    return plan is None or plan.first or (plan.starts and colour is plan.target)


def _services(environment: Environment, standing: Recorded | None, plan: Plan | None) -> list[Service]:
    """Configurations that may run after this update: asked for, live, previous, planned, and what runs now."""
    held = (standing.live, standing.previous) if standing else ()
    planned = plan.release if plan else None
    running = (side.release for side in environment.observed.sides.values())
    releases = [release for release in (*held, planned, *running) if release]
    return [environment.settings.release_service(), *(release.service for release in releases)]


def _need_room_for_secrets(environment: Environment, standing: Recorded | None, plan: Plan | None) -> None:
    """Before anything changes: what is live and previous reads its secrets by the same policy as what comes."""
    if problem := limits.readable_secrets(_services(environment, standing, plan)):
        raise Refused(
            "The secrets of the releases that may run here are too many together. Nothing was changed.",
            why=problem,
            next_step="name fewer secrets (one with several JSON keys), or release twice: the previous one goes, too.",
        )


def _execution_role(names: Names, policy: dict[str, Any] | None, hold: Hold) -> pulumi.Output[str]:
    """The role with which ECS pulls the image, writes logs, and reads exactly the secrets that releases name."""
    role = _role(names, "execution", hold)
    managed = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    pulls = iam.RolePolicyAttachment(
        f"{names.cluster}-execution", role=role.name, policy_arn=managed, opts=hold.protect()
    )
    allowed = [pulls.id]
    if policy:
        text = json.dumps(policy, sort_keys=True)
        made = iam.RolePolicy(f"{names.cluster}-secrets", name=f"{names.cluster}-secrets", role=role.name, policy=text)
        allowed.append(made.id)
    # Whoever uses the role waits until it may do what it is for.
    arn: pulumi.Output[str] = pulumi.Output.all(role.arn, *allowed).apply(lambda known: known[0])
    return arn


def _role(names: Names, part: str, hold: Hold) -> iam.Role:
    assume = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    name = f"{names.cluster}-{part}"
    return iam.Role(name, name=name, assume_role_policy=json.dumps(assume, sort_keys=True), opts=hold.protect())


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
        write=_writes(colour, plan),
        scale=is_target and (plan.empties or plan.scales_in),
        retry_of=plan.retry_of if is_target else "",
        after=[image],
    )
    return ColourSide(environment.names.services[colour], args)


def _switch_and_outputs(
    environment: Environment,
    plan: Plan,
    standing: Recorded | None,
    runtime: Runtime,
    before: Sequence[pulumi.Resource],
) -> None:
    """`before` begins with the smoke gate; the switch comes after all of it."""
    live = plan.target if plan.moves else standing.live_colour if standing else plan.target
    release = plan.release if plan.moves or standing is None else standing.live
    assert release is not None
    smoke = before[0]
    assert isinstance(smoke, GateResource)
    inputs = SwitchInputs(
        active=plan.moves,
        names=environment.names,
        decision=plan.kind,
        reason=plan.reason,
        live=live,
        release=release,
        weights=all_on(live),
        # What is built anew has no rule yet.
        expected=None if plan.rebuilds else environment.observed.weights,
        standing=standing,
        smoke_deadline=environment.settings.smoke.deadline_seconds,
        course=plan.course,
        unchecked=environment.unchecked,
        watch=_watch(environment),
        idle_tasks=environment.settings.idle.tasks,
        pass_of_before=smoke.passedFor,
    )
    everything = [runtime.balancer, runtime.network, *before]
    switch = traffic_switch(inputs, everything, runtime.hold)
    for name in switch.exported:
        pulumi.export(name, getattr(switch, name))
    pulumi.export("testUrls", pulumi.Output.all(switch.liveColour, _test_urls(runtime)).apply(lambda both: both[1]))


def _alarm_args(colour: Colour, environment: Environment, runtime: Runtime) -> AlarmArgs:
    settings = environment.settings.alarms
    return AlarmArgs(names=environment.names, colour=colour, balancer=runtime.balancer, settings=settings)


def _watch(environment: Environment) -> WatchInputs:
    alarms = environment.settings.alarms
    return WatchInputs(
        alarms=alarms.watched(environment.names),
        proceeds=environment.settings.on_alarm is OnAlarm.PROCEED,
        period=alarms.period_seconds,
        late=alarms.late_seconds,
        datapoints=alarms.datapoints,
    )


def _test_urls(runtime: Runtime) -> pulumi.Output[dict[str, str]]:
    ports = runtime.names.test_ports
    urls: pulumi.Output[dict[str, str]] = runtime.balancer.dns_name.apply(
        lambda dns: {str(colour): f"http://{dns}:{port}" for colour, port in ports.items()}
    )
    return urls
