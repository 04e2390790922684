"""The switch and what hangs off it: the stack's outputs, which are its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from release_lane.decide.decision import OnAlarm
from release_lane.program.gating import GateResource, traffic_switch
from release_lane.program.hold import Hold
from release_lane.program.plan import Environment, Plan
from release_lane.record.alarms import Watched
from release_lane.record.names import Names
from release_lane.record.placement import Colour, all_on
from release_lane.record.records import Recorded


def switch_and_outputs(
    environment: Environment,
    plan: Plan,
    standing: Recorded | None,
    *,
    smoke: GateResource,
    before: Sequence[pulumi.Resource],
    address: pulumi.Output[str],
    hold: Hold,
    alarms: Mapping[str, Colour],
) -> None:
    """The switch comes after the smoke gate and everything in `before`; the outputs come after the switch."""
    inputs = _inputs(environment, plan, standing, alarms)
    switch = traffic_switch(environment.names, inputs, smoke, before, hold)
    for name in switch.exported:
        pulumi.export(name, getattr(switch, name))
    urls = test_urls(environment.names, address)
    pulumi.export("testUrls", pulumi.Output.all(switch.liveColour, urls).apply(lambda both: both[1]))


def _inputs(
    environment: Environment, plan: Plan, standing: Recorded | None, alarms: Mapping[str, Colour]
) -> dict[str, Any]:
    live = plan.target if plan.moves else standing.live_colour if standing else plan.target
    release = plan.release if plan.moves or standing is None else standing.live
    assert release is not None
    weights = environment.observed.weights
    return {
        "active": plan.moves,
        "decision": plan.name,
        "reason": plan.reason,
        "live": str(live),
        "release": release.as_dict(),
        "weights": {str(colour): weight for colour, weight in all_on(live).items()},
        # What is built anew has no rule yet.
        "expected": {str(c): weight for c, weight in weights.items()} if weights and not plan.rebuilds else None,
        "standing": record_input(standing),
        "smokeDeadlineSeconds": environment.settings.smoke.deadline_seconds,
        "course": plan.course.as_dict(),
        "unchecked": list(environment.unchecked),
        "watch": _watch(environment, alarms),
        # For those who read a review: what going back costs afterwards.
        "idleTasks": environment.settings.idle.tasks,
    }


def _watch(environment: Environment, more: Mapping[str, Colour]) -> dict[str, Any]:
    """What the switch looks at while it moves users; `more` are the template's own alarms."""
    alarms = environment.settings.alarms
    watched = alarms.watched(environment.names)
    return {
        "alarms": Watched(own={**watched.own, **more}, theirs=watched.theirs).as_dict(),
        "proceeds": environment.settings.on_alarm is OnAlarm.PROCEED,
        "periodSeconds": alarms.period_seconds,
        "lateSeconds": alarms.late_seconds,
        "datapoints": alarms.datapoints,
    }


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


def test_urls(names: Names, address: pulumi.Output[str]) -> pulumi.Output[dict[str, str]]:
    """Where each colour's test listener answers."""
    ports = names.test_ports
    urls: pulumi.Output[dict[str, str]] = address.apply(
        lambda dns: {str(colour): f"http://{dns}:{port}" for colour, port in ports.items()}
    )
    return urls
