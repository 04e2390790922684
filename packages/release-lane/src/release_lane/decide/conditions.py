"""Conditions on moving users: no alarm is firing, and both colours are scaled alike. Pure."""

from __future__ import annotations

from release_lane.decide.choice import Decision, Deploy, OnAlarm, Requested, TrafficOnly, goes_back
from release_lane.decide.refusals import alarms_firing, no_such_alarms, scaled_too_small, unscaled
from release_lane.record.alarms import forbidding
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Recorded


def check_conditions(
    decision: Decision, standing: Recorded | None, observed: Observed, requested: Requested
) -> tuple[str, ...]:
    """Notes for people; `Refused` where users must not be moved.

    Going back is never refused here: alarms fire *because* what is live is bad.
    """
    match decision:
        case Deploy(target=target) | TrafficOnly(target=target):
            lenient = goes_back(decision, standing)
            tasks = decision.tasks if isinstance(decision, Deploy) else observed.sides[target].wanted
            scaling = _scaling(observed, target, tasks, lenient=lenient)
            alarms = _alarms(observed, lenient=lenient or requested.on_alarm is OnAlarm.PROCEED)
            return (*scaling, *alarms)
    return ()


def _alarms(observed: Observed, *, lenient: bool) -> tuple[str, ...]:
    if observed.missing_alarms and not lenient:
        raise no_such_alarms(observed.missing_alarms)
    firing = forbidding(observed.alarms, [colour for colour, weight in (observed.weights or {}).items() if weight])
    if firing and not lenient:
        raise alarms_firing(firing)
    return tuple(f"{alarm.words()}, as it was before this update; it does not stop this update" for alarm in firing)


def _scaling(observed: Observed, target: Colour, tasks: int, *, lenient: bool) -> tuple[str, ...]:
    """Where Application Auto Scaling scales the live service, it must scale the receiving one as far."""
    live, receiving = observed.sides[target.other].scaling, observed.sides[target].scaling
    if not (observed.weights or {}).get(target.other):
        return ()
    refusal = None
    if live and not receiving:
        refusal = unscaled(target)
    elif receiving and receiving.most < tasks:
        refusal = scaled_too_small(target, receiving.most, tasks)
    if refusal and not lenient:
        raise refusal
    return (f"{refusal.what} That does not stop going back.",) if refusal else ()
