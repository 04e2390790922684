"""The switch and what hangs off it: the stack's outputs, which are its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from release_lane.decide.decision import OnAlarm
from release_lane.decide.stores import Kind
from release_lane.program.gating import GateResource, traffic_switch
from release_lane.program.hold import Hold
from release_lane.program.plan import Environment, Plan
from release_lane.record.alarms import Watched
from release_lane.record.endpoint import of_colour
from release_lane.record.inputs import SwitchInputs, WatchInputs
from release_lane.record.names import Names
from release_lane.record.placement import Colour
from release_lane.record.records import OF_HOLD, OUTPUTS, Located, Recorded


def switch_and_outputs(
    environment: Environment,
    plan: Plan,
    standing: Recorded | None,
    *,
    checked: GateResource,
    before: Sequence[pulumi.Resource],
    more: Mapping[str, pulumi.Input[Any]],
    hold: Hold,
    alarms: Mapping[str, Colour],
    located: Located,
) -> None:
    """The switch comes after the last check and everything in `before`; the outputs come after the switch, `more` as
    well."""
    inputs = _inputs(environment, plan, standing, alarms, checked, located)
    stands = standing.hold is not None if standing and not plan.moves else plan.course.hold is not None
    switch = traffic_switch(inputs, [checked, *before], hold, exported=(*OUTPUTS, *(OF_HOLD if stands else ())))
    for name in switch.exported:
        pulumi.export(name, getattr(switch, name))
    for name, output in more.items():
        pulumi.export(name, pulumi.Output.all(switch.liveColour, output).apply(lambda both: both[1]))


def _inputs(
    environment: Environment,
    plan: Plan,
    standing: Recorded | None,
    alarms: Mapping[str, Colour],
    checked: GateResource,
    located: Located,
) -> SwitchInputs:
    release = plan.release if plan.moves or standing is None else standing.live
    assert release is not None
    live = plan.target if plan.moves else standing.live_colour if standing else plan.target
    return SwitchInputs(
        active=plan.moves,
        names=environment.names,
        decision=plan.kind,
        reason=plan.reason,
        live=live,
        release=release,
        weights=plan.course.after(live) if plan.moves or standing is None else standing.weights,
        # What is built anew has no rule yet.
        expected=None if plan.rebuilds else environment.observed.weights,
        standing=standing,
        smoke_deadline=environment.settings.smoke.deadline_seconds,
        course=plan.course,
        unchecked=environment.unchecked,
        watch=_watch(environment, alarms),
        idle_tasks=environment.settings.idle.tasks,
        located=located,
        known=None if plan.moves else environment.observed.sides[live].known,
        drill=environment.settings.drill,
        kept_database=_kept_database(environment),
        pass_of_before=checked.passedFor,
    )


def _kept_database(environment: Environment) -> str:
    """The name of a database that AWS refuses to delete after this update, "" for none."""
    settings, there = environment.settings, environment.stands_on.stores.get(Kind.DATABASE)
    kept = there.kept if there and environment.stays else settings.keeps_database
    return environment.names.store if Kind.DATABASE in settings.stores and kept else ""


def _watch(environment: Environment, more: Mapping[str, Colour]) -> WatchInputs:
    """What the switch looks at while it moves users; `more` are the template's own alarms."""
    alarms = environment.settings.alarms
    watched = alarms.watched(environment.names)
    return WatchInputs(
        alarms=Watched(own={**watched.own, **more}, theirs=watched.theirs),
        proceeds=environment.settings.on_alarm is OnAlarm.PROCEED,
        period=alarms.period_seconds,
        late=alarms.late_seconds,
        datapoints=alarms.datapoints,
    )


def test_urls(names: Names, address: pulumi.Output[str]) -> pulumi.Output[dict[str, str]]:
    """Where each colour's test listener answers."""
    urls: pulumi.Output[dict[str, str]] = address.apply(
        lambda dns: {str(colour): of_colour(names, dns, colour).url for colour in Colour}
    )
    return urls
