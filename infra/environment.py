"""One environment: recall, observe, decide, then a graph in which users are moved last.

    Image -> TaskDefinition(idle) -> Service(idle) -> Rollout -> SmokeGate -> TrafficSwitch -> outputs

The outputs hang off the switch, so a failed update changes none of them.
"""

from __future__ import annotations

import importlib

import pulumi

from infra import lean
from infra.plan import Environment
from infra.recall import assumed_role, repository_url, see, zones_of_account
from infra.settings import EnvironmentSettings
from release.decision import Deploy, Finish, Flip, Refuse, Requested, Verdict, decide
from release.digest import short
from release.errors import Refused, UsageError
from release.foundations import SLOTS, Foundations, Site, zones_of
from release.names import Access, Names
from release.shift import course

LONGEST_NAME = 32
"""Load balancers and target groups take at most 32 characters (AWS ELBv2 API reference, CreateTargetGroup)."""


def build_environment(settings: EnvironmentSettings) -> None:
    """Decide what this update does, then register exactly that. Raises `ReleaseError` before anything changes."""
    repository = repository_url(settings.artifacts)
    names = names_of(settings, repository)
    verdict, environment = _decided(settings, names, repository)
    match verdict.decision:
        case Refuse(error=error):
            raise error
        case decision:
            _announce(verdict, environment)
            from infra.graph import build_graph

            build_graph(environment, decision, verdict.standing)


def _load_graph() -> None:
    """The graph's modules and the AWS resource types, which takes a third of a second."""
    lean.install()
    lean.load()
    importlib.import_module("infra.graph")


def names_of(settings: EnvironmentSettings, repository: str) -> Names:
    """This stack's names; refuses a project and stack name that AWS would find too long."""
    prefix = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    if len(prefix) + len("-green") > LONGEST_NAME:
        raise UsageError(
            f"The names of project and stack are too long together: {prefix!r} has {len(prefix)} characters.",
            why=f"AWS takes {LONGEST_NAME} for a target group, of which -green needs six",
            next_step="use a shorter stack name.",
        )
    access = Access(region=pulumi.Config("aws").require("region"), account=settings.account, role=assumed_role())
    return Names.of_stack(
        pulumi.get_project(), pulumi.get_stack(), access=access, repository=repository.split("/", 1)[1]
    )


def _decided(settings: EnvironmentSettings, names: Names, repository: str) -> tuple[Verdict, Environment]:
    source = settings.promotes_from if settings.image_digest else None
    watched = settings.alarms.watched(names)
    seen = see(names, settings.image_digest or "", source, watched, meanwhile=_load_graph)
    requested = Requested(
        service=settings.release_service(),
        digest=settings.digest,
        rollback_from=settings.rollback_from,  # type: ignore[arg-type]  # parsed by the settings
        on_drift=settings.on_drift,
        on_alarm=settings.on_alarm,
        idle_tasks=settings.idle.tasks,
        commit=seen.commit,
        in_registry=seen.in_registry,
        promotes_from=settings.promotes_from,
        site=Site(region=names.access.region, cidr=settings.network.cidr, zones=settings.network.zones),
        allow_replace=settings.allow_replace,
    )
    proven = seen.source.evidence if seen.source else ()
    verdict = decide(seen.own, seen.observed, requested, proven, seen.stands_on)
    environment = Environment(
        settings=settings,
        names=names,
        repository=repository,
        observed=seen.observed,
        doors=seen.stands_on.doors,
        zones=_zones(settings, seen.stands_on) if not isinstance(verdict.decision, Refuse) else (),
    )
    return verdict, environment


def _zones(settings: EnvironmentSettings, stands_on: Foundations) -> tuple[str, ...]:
    """Two zones: those that the environment has, or that the settings name, or the account's first two."""
    zones = zones_of(stands_on, settings.network.zones) or zones_of_account()[: len(SLOTS)]
    if len(zones) < len(SLOTS):
        raise Refused(
            f"Two availability zones are needed; the account may use {', '.join(zones) or 'none'} here.",
            why="a load balancer stands in two zones at least",
            next_step="choose another region, or name two zones in network.zones of the stack file.",
        )
    return zones


def _announce(verdict: Verdict, environment: Environment) -> None:
    """Say the decision in words, and how users will be moved; in preview and update."""
    for note in verdict.notes:
        pulumi.log.warn(note)
    decision = verdict.decision
    target = getattr(decision, "target", None)
    release = getattr(decision, "release", None)
    what = f"{short(release.digest)} on {target}: " if release and target else f"{target}: " if target else ""
    pulumi.log.info(f"Decision: {type(decision).__name__.lower()}. {what}{getattr(decision, 'reason', '')}")
    if isinstance(decision, Deploy | Flip | Finish):
        planned = course(decision, verdict.standing, environment.observed, environment.settings.wanted_shift)
        pulumi.log.info(f"Users: {planned.words()}.")
