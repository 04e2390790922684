"""When a change would replace what live users stand on, and what an update does where that was allowed. Pure."""

from __future__ import annotations

from release_lane.decide.choice import Decision, Deploy, Finish, Heal, Requested, TrafficOnly
from release_lane.decide.foundations import Foundations, moved
from release_lane.decide.refusals import (
    MAKE_ANEW,
    drops_store,
    grows_too_little,
    kept_balancer,
    lost_parts,
    moves_store,
    serves_unknown,
    shrinks_store,
    torn,
    would_misname,
    would_replace,
    would_unsecure,
)
from release_lane.decide.stores import Kind, changes
from release_lane.record.certificate import covers
from release_lane.record.placement import Colour
from release_lane.record.records import Observed, Recorded


def check_state(observed: Observed, stands_on: Foundations | None) -> None:
    """Refuse a state that does not know what serves users: it is another stack's, or the right one was lost."""
    if stands_on and not stands_on.load_balancer and serving(observed):
        at = [colour for colour, weight in (observed.weights or {}).items() if weight]
        raise serves_unknown({colour: observed.sides[colour].digest for colour in at}, observed.load_balancer)


def check_stores(
    recorded: Recorded | None, observed: Observed, requested: Requested, stands_on: Foundations | None
) -> tuple[str, ...]:
    """What a change of database or cache interrupts, in sentences. `Refused` for what would delete or replace one, or
    cannot be: both colours share it, and no gate looks at it.
    """
    site = requested.site
    if stands_on is None or site is None or not stands_on.stores:
        return ()
    served = recorded is not None or serving(observed)
    for kind, there in stands_on.stores.items():
        if kind not in site.stores and (served or there.kept):
            raise drops_store(kind, kept=there.kept)
    if (elsewhere := moved(stands_on, site)) and {*stands_on.stores} & {*site.stores}:
        raise moves_store([kind for kind in Kind if kind in stands_on.stores], elsewhere)
    found = changes(stands_on.stores, site.stores)
    if back := [each for each in found if each.back]:
        raise shrinks_store(back)
    if few := [each for each in found if each.least]:
        raise grows_too_little(few[0])
    said = "AWS does it at once, and connections to it break; it may be away for minutes"
    return tuple(f"{each}: {said}" for each in found)


def check_domain(observed: Observed, requested: Requested, stands_on: Foundations | None) -> tuple[str, ...]:
    """What another domain means for users who come by HTTPS, in sentences.

    `Refused` where the listeners would get a certificate that is not of the name that users come by, unless that was
    allowed: it is changed in place, before any gate, and no gate asks by the old name.
    """
    site = requested.site
    if stands_on is None or site is None or not serving(observed):
        return ()
    now, wanted = stands_on.domain, site.domain
    if not now or not wanted or now == wanted:
        return ()
    if any(covers(name, now) for name in observed.certificate_names):
        return (f"https.domain from {now} to {wanted}: the certificate is of both, so users may come by either",)
    if not requested.allow_replace:
        raise would_misname(now, wanted)
    return (f"https.domain from {now} to {wanted}: who comes by https://{now} gets a certificate error (allowReplace)",)


def rebuilds(
    recorded: Recorded | None, observed: Observed, requested: Requested, stands_on: Foundations | None
) -> bool:
    """Is the environment to be built anew, on other foundations?

    `Refused` without allowReplace. Where there are no users, these settings may change freely.
    """
    if stands_on is None or requested.site is None:
        return False
    if recorded and stands_on.secure and not requested.site.secure and not serving(observed):
        raise would_unsecure()
    changes = moved(stands_on, requested.site)
    elsewhere = recorded is not None and any(change.setting == "aws:region" for change in changes)
    if changes and (serving(observed) or elsewhere) and not requested.allow_replace:
        raise would_replace(changes)
    half_built = stands_on.torn and stands_on.balancer_vpc != stands_on.vpc
    anew = serving(observed) and requested.allow_replace and bool(changes or half_built)
    if anew and stands_on.kept:
        raise kept_balancer(observed.load_balancer)
    return anew


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
        reason="everything is built anew (allowReplace); until that is done users get 503 or no answer",
        rollback=rollback,
        rebuilds=True,
    )


def check_foundations(decision: Decision, observed: Observed, stands_on: Foundations | None, environment: str) -> None:
    """Where the network was replaced under users, no colour can be deployed to; moving only traffic still works."""
    match decision:
        case Deploy(rebuilds=False) | Heal():
            if stands_on and stands_on.torn and serving(observed):
                raise torn(stands_on, environment)


def check_parts(decision: Decision, observed: Observed, stands_on: Foundations | None) -> tuple[str, ...]:
    """What the state has, but was deleted in AWS: the engine would not create it again, and what needs it would fail.

    Refused where this update needs it, else reported. An update that builds everything anew needs none of it.
    """
    known = stands_on.parts if stands_on else frozenset()
    lost = {colour: sorted({*observed.sides[colour].missing} & known) for colour in Colour}
    match decision:
        case Deploy(target=target, rebuilds=False) | TrafficOnly(target=target) | Finish(target=target) if lost[target]:
            raise lost_parts(lost[target])
        case Heal(target=target) if lost[target]:
            raise lost_parts(lost[target])
    return tuple(f"{part} no longer exists; {MAKE_ANEW}" for parts in lost.values() for part in parts)


def serving(observed: Observed) -> bool:
    """Does a colour get traffic here?"""
    return any((observed.weights or {}).values())
