"""Conditions on moving users: no alarm is firing, and both colours are scaled alike. Pure."""

from __future__ import annotations

from release_lane.decide.choice import Decision, Deploy, Keep, OnAlarm, Requested, TrafficOnly, goes_back
from release_lane.decide.refusals import (
    alarms_firing,
    alarms_stop_drill,
    no_drill_to_pass,
    no_proof_to_add_to,
    no_rollback_to_drill,
    no_such_alarms,
    no_way_back,
    no_way_forward,
    scaled_too_small,
    unscaled,
)
from release_lane.record.alarms import Start, forbidding
from release_lane.record.evidence import Drill, proof_of
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Recorded
from release_lane.record.times import epoch


def check_conditions(
    decision: Decision, standing: Recorded | None, observed: Observed, requested: Requested
) -> tuple[str, ...]:
    """Notes for people; `Refused` where users must not be moved.

    Going back is never refused here, unless for practice: alarms fire *because* what is live is bad.
    """
    if requested.drill:
        _drill(decision, standing, requested.drill)
    match decision:
        case Deploy(target=target) | TrafficOnly(target=target):
            practice = requested.drill is Drill.BACK
            lenient = goes_back(decision, standing) and not practice
            tasks = decision.tasks if isinstance(decision, Deploy) else observed.sides[target].wanted
            scaling = _scaling(observed, target, tasks, lenient=lenient)
            start = start_of_live(standing, requested.alarm_memory)
            proceeds = requested.on_alarm is OnAlarm.PROCEED and not practice
            alarms = _alarms(observed, start, lenient=lenient or proceeds, practice=practice)
            return (*scaling, *alarms)
    return ()


def _drill(decision: Decision, standing: Recorded | None, drill: Drill) -> None:
    """A drill shows a traffic-only rollback, so it has to be one, and its second half has to end where it began."""
    to = decision.release.id if isinstance(decision, TrafficOnly) else ""
    match drill:
        case Drill.BACK if standing and standing.previous and standing.left_by_rollback(standing.previous.digest):
            raise no_rollback_to_drill(standing.previous.digest, standing.live.digest)
        case Drill.BACK if standing and not standing.proof:
            raise no_proof_to_add_to(standing.live.digest)
        case Drill.BACK:
            if not (to and standing and standing.previous and to == standing.previous.id):
                raise no_way_back(decision.kind, standing)
        case Drill.FORWARD:
            if not (to and standing and standing.left_by_drill and to == standing.left_by_drill.release_id):
                raise no_way_forward(decision.kind)
        case Drill.PASSED:
            if not (isinstance(decision, Keep) and standing and standing.proof and standing.proof.drilling):
                raise no_drill_to_pass(decision.kind)


def start_of_live(standing: Recorded | None, memory: float) -> Start | None:
    """Until when alarms of the live colour may be about its start; None where it is not known when it went live."""
    proof = proof_of(standing.live.digest, standing.evidence) if standing else None
    released = epoch(proof.at) if proof else None
    if not standing or released is None:
        return None
    return Start(colour=standing.live_colour, over=released + memory)


def _alarms(observed: Observed, start: Start | None, *, lenient: bool, practice: bool) -> tuple[str, ...]:
    if observed.missing_alarms and not lenient:
        raise no_such_alarms(observed.missing_alarms)
    firing = forbidding(observed.alarms, [colour for colour, weight in (observed.weights or {}).items() if weight])
    if firing and not lenient:
        raise alarms_stop_drill(firing) if practice else alarms_firing(firing, start)
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
