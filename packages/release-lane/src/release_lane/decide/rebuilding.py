"""When a change would replace what live users stand on, and what is done where that was allowed. Pure."""

from __future__ import annotations

from release_lane.decide.choice import Decision, Deploy, Finish, Heal, Requested, TrafficOnly
from release_lane.decide.foundations import Foundations, moved
from release_lane.decide.refusals import MAKE_ANEW, lost_parts, serves_unknown, torn, would_replace
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Recorded


def check_state(observed: Observed, stands_on: Foundations | None) -> None:
    """A state that knows nothing of what serves is another stack's, or a lost one: building on it would break both."""
    if stands_on and not stands_on.load_balancer and serving(observed):
        at = [colour for colour, weight in (observed.weights or {}).items() if weight]
        raise serves_unknown({colour: observed.sides[colour].digest for colour in at}, observed.load_balancer)


def rebuilds(
    recorded: Recorded | None, observed: Observed, requested: Requested, stands_on: Foundations | None
) -> bool:
    """Is the environment to be built anew, on other foundations? Where nobody is served settings are free.

    Without allowReplace it is `Refused`.
    """
    if stands_on is None or requested.site is None:
        return False
    changes = moved(stands_on, requested.site)
    elsewhere = recorded is not None and any(change.setting == "aws:region" for change in changes)
    if changes and (serving(observed) or elsewhere) and not requested.allow_replace:
        raise would_replace(changes)
    half_built = stands_on.torn and stands_on.balancer_vpc != stands_on.vpc
    return serving(observed) and requested.allow_replace and bool(changes or half_built)


def rebuilt(standing: Recorded, observed: Observed, decision: Decision) -> Decision:
    """The release that the decision brings (or keeps), as the first one on new foundations."""
    release, rollback = standing.live, False
    match decision:
        case Deploy() | TrafficOnly():
            release, rollback = decision.release, decision.rollback
    return Deploy(
        target=standing.live_colour,
        release=release,
        tasks=max(release.service.desired_count, observed.sides[standing.live_colour].running),
        live=None,
        reason="everything is built anew (allowReplace); until it is there users get nothing",
        rollback=rollback,
        rebuilds=True,
    )


def check_foundations(decision: Decision, observed: Observed, stands_on: Foundations | None) -> None:
    """Where the network was replaced under users no colour can be written any more; moving weights still works."""
    match decision:
        case Deploy(rebuilds=False) | Heal():
            if stands_on and stands_on.torn and serving(observed):
                raise torn(stands_on)


def check_parts(decision: Decision, observed: Observed, stands_on: Foundations | None) -> tuple[str, ...]:
    """What the state has and the cloud has not: the engine would not make it anew, and whatever needs it would fail.

    Refused where this update needs it, else told. While everything is built anew nothing of it is needed.
    """
    known = stands_on.parts if stands_on else frozenset()
    lost = {colour: sorted({*observed.sides[colour].missing} & known) for colour in Colour}
    match decision:
        case Deploy(target=target, rebuilds=False) | TrafficOnly(target=target) | Finish(target=target) if lost[target]:
            raise lost_parts(lost[target])
        case Heal(target=target) if lost[target]:
            raise lost_parts(lost[target])
    return tuple(f"{part} does not exist any more; {MAKE_ANEW}" for parts in lost.values() for part in parts)


def serving(observed: Observed) -> bool:
    """Do users get a release here?"""
    return any((observed.weights or {}).values())
