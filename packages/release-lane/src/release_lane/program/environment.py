"""What this update does, decided before anything is registered: recall, observe, decide, announce."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from pathlib import Path

import pulumi

from release_lane.decide.choice import goes_back, order_matters
from release_lane.decide.decision import Deploy, Finish, Refuse, Requested, TrafficOnly, Verdict, decide
from release_lane.decide.existing_network import check_existing
from release_lane.decide.foundations import LEAST_ZONES, Foundations, Site, zones_of
from release_lane.decide.lineage import Order, Relation
from release_lane.decide.parity import Parity
from release_lane.decide.shift import course
from release_lane.errors import Refused, UsageError
from release_lane.program.intent import Intent, missing_in_ledger
from release_lane.program.lineage import relations as order_of
from release_lane.program.plan import Doable, Environment
from release_lane.program.recall import Artifacts, Seen, access, artifacts_of, described, see, zones_of_account
from release_lane.record.adoption import Adoption, adoption_in
from release_lane.record.digest import short
from release_lane.record.hold import Winner
from release_lane.record.names import Names
from release_lane.record.records import Recorded
from release_lane.settings import limits
from release_lane.settings.model import EnvironmentSettings
from release_lane.settings.secrecy import looks_secret


def read_environment(settings: EnvironmentSettings) -> tuple[Environment, Doable, Recorded | None]:
    """What there is, what is to be done, and the record that this starts from. Raises `ReleaseError` for a refusal."""
    artifacts = artifacts_of(settings.artifacts)
    names = names_of(settings, artifacts.repository)
    verdict, environment = _decided(settings, names, artifacts)
    match verdict.decision:
        case Refuse(error=error):
            with Intent.of_refusal(environment).recorded():
                raise error
        case decision:
            _announce(verdict, environment)
            return environment, decision, verdict.standing


def names_of(settings: EnvironmentSettings, repository: str) -> Names:
    """This stack's names; refuses a project and stack name that AWS would not take together."""
    prefix = f"{pulumi.get_project()}-{pulumi.get_stack()}"
    stores = limits.store(prefix) if settings.stores else ""
    if problem := limits.prefix(prefix) or stores:
        raise UsageError(
            f"The names of project and stack cannot be used together: {prefix!r} has {len(prefix)} characters.",
            why=problem,
            next_step="use another stack name (or project name, in Pulumi.yaml).",
        )
    return Names.of_stack(
        pulumi.get_project(),
        pulumi.get_stack(),
        access=access(settings.account),
        repository=repository.split("/", 1)[1],
        domain=settings.https.domain,
    )


def _decided(settings: EnvironmentSettings, names: Names, artifacts: Artifacts) -> tuple[Verdict, Environment]:
    source = settings.promotes_from if settings.image_digest else None
    watched = settings.alarms.watched(names)
    seen = see(
        names,
        settings.image_digest or "",
        source,
        watched,
        settings.https.certificate_arn,
        settings.ledger or "",
        excused=settings.without_ledger is not None,
        back=settings.rollback_from is not None or settings.hold_end is Winner.OLD,
        held=settings.hold_end is Winner.NEW,
    )
    adoption = adoption_in(artifacts.adopted, settings.image_digest or "")
    commit, relations = _placed(seen, settings.image_digest, adoption, artifacts)
    requested = Requested(
        environment=pulumi.get_stack(),
        service=settings.release_service(),
        digest=settings.digest,
        rollback_from=settings.rollback_from,  # type: ignore[arg-type]  # parsed by the settings
        forward_from=settings.forward_from,  # type: ignore[arg-type]  # parsed by the settings
        redeploy_from=settings.redeploy_from,  # type: ignore[arg-type]  # parsed by the settings
        on_drift=settings.on_drift,
        on_alarm=settings.on_alarm,
        hold_end=settings.hold_end,
        hold_of=settings.hold_of,
        alarm_memory=settings.alarms.memory,
        idle_tasks=settings.idle.tasks,
        commit=commit,
        adopted=adoption.origin if adoption else None,
        in_registry=seen.in_registry,
        labels=seen.labels,
        promotes_from=settings.promotes_from,
        relations=relations,
        allow_older=settings.allow_older,  # type: ignore[arg-type]  # parsed by the settings
        site=_site(settings, names),
        allow_replace=settings.allow_replace,
        as_it_stands=settings.as_it_stands,
        drill=settings.drill,
        requires_drill=settings.require_drill,
        freeze=settings.freeze.freeze(),
        now=time.time(),
        through_freeze=settings.through_freeze,
        halts=seen.halts,
        sealed=settings.sealed,
        # A preview changes nothing, and a review, which a seal is made of, is one.
        needs_seal=settings.approval.required and not pulumi.runtime.is_dry_run(),
        parity=_parity(settings, seen.source),
        schema=seen.schema if settings.migration.command else None,
        given=settings.all_given,
    )
    proven = seen.source.evidence if seen.source else ()
    verdict = decide(seen.own, seen.observed, requested, proven, seen.stands_on)
    environment = Environment(
        settings=settings,
        names=names,
        repository=artifacts.repository,
        observed=seen.observed,
        recorded=seen.own,
        unchecked=(*verdict.unchecked, *missing_in_ledger(settings)),
        stands_on=seen.stands_on,
        zones=(),
        cidr=settings.network.cidr,
        schema=requested.schema,
        migration=verdict.migration,
    )
    return verdict, environment if isinstance(verdict.decision, Refuse) else _placed_in(environment)


def _parity(settings: EnvironmentSettings, source: Recorded | None) -> Parity | None:
    """How the image was configured where it was proven; None where it does not matter."""
    there, digest = settings.promotes_from, settings.image_digest
    if not settings.parity.required or there is None or digest is None:
        return None
    ran = source.served(digest) if source else None
    return Parity(
        there=there,
        here=pulumi.get_stack(),
        proven=ran.service if ran else None,
        expected=settings.parity.expected(),
    )


def _site(settings: EnvironmentSettings, names: Names) -> Site:
    wanted = settings.network
    vpc = wanted.existing.vpc_id
    return Site(
        region=names.access.region,
        cidr=wanted.cidr,
        zones=wanted.named,
        count=wanted.count,
        vpc=vpc,
        domain=names.domain,
        stores=settings.stores,
    )


def _placed_in(environment: Environment) -> Environment:
    """With the zones of its own network, or the address range of the existing one, which is checked."""
    settings = environment.settings.network
    existing = settings.existing.network
    if existing is None:
        return replace(environment, zones=_zones(environment.settings, environment.stands_on))
    found = described(existing, environment.names.access)
    check_existing(existing, found)
    unused = sorted({"cidr", "zones", "egress"} & settings.model_fields_set)
    if unused:
        named = ", ".join(f"network.{key}" for key in unused)
        pulumi.log.warn(f"{named}: not used, since network.existing names a network that has its own.")
    return replace(environment, cidr=found.cidr)


def _placed(
    seen: Seen, digest: str | None, adoption: Adoption | None, artifacts: Artifacts
) -> tuple[str, dict[str, Relation]]:
    """The commit of the image that is asked for ("" if unknown), and how it stands to those that may be live, by git.

    Where an image has several commits, one that is not older is taken, if there is one. Git is asked only where the
    answer is used.
    """
    commits = seen.commits or ((adoption.commit,) if adoption else ())
    if not commits:
        return "", {}
    if not order_matters(seen.own, digest):
        return commits[0], {}
    releases = [seen.own.live if seen.own else None, *(side.release for side in seen.observed.sides.values())]
    others = [each.commit for each in releases if each]
    here = Path.cwd()
    built_in = here / artifacts.context
    folders = [here, *([built_in] if artifacts.context and built_in.is_dir() else [])]
    first = commits[0], order_of(folders, commits[0], others)
    rest = ((commit, order_of(folders, commit, others)) for commit in commits[1:])
    found = itertools.chain([first], rest)
    younger = (each for each in found if Order.OLDER not in {relation.order for relation in each[1].values()})
    return next(younger, first)


def _zones(settings: EnvironmentSettings, stands_on: Foundations) -> tuple[str, ...]:
    """Those that the environment has, or that the settings name, filled up with the account's first ones."""
    zones, count = zones_of(stands_on, settings.network.named), settings.network.count or LEAST_ZONES
    if len(zones) < count:
        zones = (*zones, *(zone for zone in zones_of_account() if zone not in zones))[:count]
    if len(zones) < count:
        raise Refused(
            f"{NUMBERS[count]} availability zones are needed; the account may use {', '.join(zones) or 'none'} here.",
            why="a load balancer stands in two zones at least"
            if count == LEAST_ZONES
            else "network.zones asks for them",
            next_step=f"choose another region, or name {NUMBERS[count].lower()} zones in network.zones of the stack "
            "file.",
        )
    return zones


NUMBERS = {2: "Two", 3: "Three"}


def _announce(verdict: Verdict, environment: Environment) -> None:
    """Say the decision in words, and how users will be moved; in preview and update."""
    for note in verdict.notes:
        pulumi.log.warn(note)
    if named := ", ".join(looks_secret(environment.settings.env)):
        pulumi.log.warn(
            f"env looks as if it held secrets ({named}): it stands in clear in state, outputs and task definition. "
            "If so, put the value into Secrets Manager or a parameter, and its ARN under `secrets`."
        )
    decision = verdict.decision
    target = getattr(decision, "target", None)
    release = getattr(decision, "release", None)
    what = f"{short(release.digest)} on {target}: " if release and target else f"{target}: " if target else ""
    pulumi.log.info(f"Decision: {decision.kind}. {what}{getattr(decision, 'reason', '')}")
    for sentence in environment.unchecked:
        pulumi.log.warn(f"Not checked: {sentence}.")
    if verdict.migration:
        command = " ".join(environment.settings.migration.command)
        pulumi.log.info(f"Migration: {command}, {verdict.migration.words()}, before tasks are started.")
    if isinstance(decision, Deploy | TrafficOnly | Finish):
        planned = course(decision, verdict.standing, environment.observed, environment.settings.wanted_shift)
        pulumi.log.info(f"Users: {planned.words()}.")
        _announce_seal(verdict, environment.settings)


def _announce_seal(verdict: Verdict, settings: EnvironmentSettings) -> None:
    """By hand the update follows on its preview: say before that it will be refused."""
    back = goes_back(verdict.decision, verdict.standing)
    if pulumi.runtime.is_dry_run() and settings.approval.required and not (settings.sealed or settings.drill or back):
        pulumi.log.info(
            "Seal: the update is refused without `release promote` (or `deploy`) with the seal of a review, if it goes "
            "forward (approval.required). A preview needs none."
        )
