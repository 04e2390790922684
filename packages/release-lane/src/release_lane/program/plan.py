"""A decision in the terms of the graph: which colour may be written, which gates run, whether users are moved. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from release_lane.decide.decision import Deploy, Finish, Heal, Keep, Prepare, TrafficOnly
from release_lane.decide.foundations import Foundations
from release_lane.decide.shift import Course, Shift, course
from release_lane.record.decisions import DecisionKind
from release_lane.record.names import HTTP_PORT, Names
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Observed, Recorded
from release_lane.record.revisions import Migration, Schema
from release_lane.settings.model import EnvironmentSettings

Doable = Prepare | Keep | Heal | Deploy | TrafficOnly | Finish


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What the graph is built from, besides the decision.

    `recorded`: this stack's own record, which counts no interrupted switch. `stands_on`: what the state has of the
    environment. `zones`: those of its own network, `cidr`: the addresses of the one that it is in. `schema`: the
    database's, None where no migrations run here; `migration`: the one of this update.
    """

    settings: EnvironmentSettings
    names: Names
    repository: str
    observed: Observed
    recorded: Recorded | None
    stands_on: Foundations
    zones: tuple[str, ...]
    cidr: str
    unchecked: tuple[str, ...] = ()
    """What no gate will see of the release that users are moved to."""
    schema: Schema | None = None
    migration: Migration | None = None
    stays: bool = False
    """Does all that both colours share stay as it is (`as_it_stands`)?"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A decision in the terms of the graph.

    `target` is the colour that the gates look at and `release` what it holds or shall hold; `starts` says that
    tasks are started there, `empties` that they are taken away, `scales_in` that some are, `moves` that users are
    moved or recorded there. `first`: no users are served yet. `rebuilds`: what both colours stand on is built anew.
    """

    kind: DecisionKind
    reason: str
    target: Colour
    release: Release | None
    tasks: int
    starts: bool = False
    empties: bool = False
    moves: bool = False
    first: bool = False
    rebuilds: bool = False
    scales_in: bool = False
    retry_of: str = ""
    course: Course = field(default_factory=Course)
    live: Colour | None = None
    """Where users are before they are moved, if they are on the other colour."""

    @property
    def compares(self) -> bool:
        """Are answers compared with those that users get now? Not where they go back, which has to be quick."""
        return self.kind in (DecisionKind.DEPLOY, DecisionKind.TRAFFIC_ONLY) and not self.course.goes_back

    @property
    def gated(self) -> bool:
        """Do the gates run?"""
        return self.starts or self.moves


def plan_of(decision: Doable, standing: Recorded | None, observed: Observed, shift: Shift) -> Plan | None:
    """Read a decision; None where there is no release at all yet."""
    plan = _plan_of(decision, standing, observed)
    if plan and isinstance(decision, Deploy | TrafficOnly | Finish):
        other = plan.target.other
        live = other if (observed.weights or {}).get(other) else None
        return replace(plan, course=course(decision, standing, observed, shift), live=live)
    return plan


def _plan_of(decision: Doable, standing: Recorded | None, observed: Observed) -> Plan | None:
    kind = decision.kind
    match decision:
        case Prepare():
            return None
        case Keep(live=live, reason=reason):
            release = standing.live if standing else None
            return Plan(kind=kind, reason=reason, target=live, release=release, tasks=observed.sides[live].wanted)
        case Heal(target=target, release=None, reason=reason):
            held = observed.sides[target].release or (standing.live if standing else None)
            return Plan(kind=kind, reason=reason, target=target, release=held, tasks=0, empties=True)
        case Heal(target=target, release=release, tasks=tasks, reason=reason, scales_in=True):
            return Plan(kind=kind, reason=reason, target=target, release=release, tasks=tasks, scales_in=True)
        case Heal(target=target, release=release, tasks=tasks, reason=reason, retry_of=retry):
            return Plan(
                kind=kind,
                reason=reason,
                target=target,
                release=release,
                tasks=tasks,
                starts=True,
                retry_of=retry,
            )
        case Deploy(target=target, release=release, tasks=tasks, live=live, reason=reason, retry_of=retry):
            return Plan(
                kind=kind,
                reason=reason,
                target=target,
                release=release,
                tasks=tasks,
                starts=True,
                moves=True,
                first=live is None,
                rebuilds=decision.rebuilds,
                retry_of=retry,
            )
        case (
            TrafficOnly(target=target, release=release, reason=reason)
            | Finish(target=target, release=release, reason=reason)
        ):
            tasks = observed.sides[target].wanted
            return Plan(kind=kind, reason=reason, target=target, release=release, tasks=tasks, moves=True)


HTTPS = "https"
"""The section of the stack file."""


def as_it_stands(environment: Environment) -> tuple[Environment, tuple[str, ...]]:
    """The environment without what the stack file asks for and is not there, and the sections that are left out so.

    No way back waits until AWS has made a first database or cache, a certificate or the gateways of another zone, or
    fails because AWS makes none.
    """
    settings, there = environment.settings, environment.stands_on
    stores = [str(kind) for kind in settings.stores if kind not in there.stores]
    opens = settings.https.domain and not environment.observed.secured
    later = (*stores, *([HTTPS] if opens else ()))
    usual = EnvironmentSettings.model_fields
    return replace(
        environment,
        settings=settings.model_copy(update={each: usual[each].default for each in later}),
        names=replace(environment.names, domain="", users_port=HTTP_PORT) if opens else environment.names,
        zones=environment.zones[: len(there.zones) or None],
        stays=True,
    ), later
