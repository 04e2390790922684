"""One environment: recall, observe, decide, then a graph in which users are moved last.

    Image -> TaskDefinition(idle) -> Service(idle) -> Rollout -> SmokeGate -> TrafficSwitch -> outputs

The outputs hang off the switch, so a failed update changes none of them.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pulumi

from infra import lean
from infra.lineage import relations as order_of
from infra.plan import Environment
from infra.recall import Artifacts, Seen, artifacts_of, assumed_role, see
from infra.settings import EnvironmentSettings
from release.adoption import Adoption, adoption_in
from release.decision import Deploy, Finish, Flip, Refuse, Requested, Verdict, decide
from release.digest import short
from release.errors import UsageError
from release.lineage import Order, Relation
from release.names import Access, Names
from release.shift import course

ROOT = Path(__file__).resolve().parent.parent

LONGEST_NAME = 32
"""Load balancers and target groups take at most 32 characters (AWS ELBv2 API reference, CreateTargetGroup)."""


def build_environment(settings: EnvironmentSettings) -> None:
    """Decide what this update does, then register exactly that. Raises `ReleaseError` before anything changes."""
    artifacts = artifacts_of(settings.artifacts)
    names = names_of(settings, artifacts.repository)
    verdict, environment = _decided(settings, names, artifacts)
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


def _decided(settings: EnvironmentSettings, names: Names, artifacts: Artifacts) -> tuple[Verdict, Environment]:
    source = settings.promotes_from if settings.image_digest else None
    watched = settings.alarms.watched(names)
    seen = see(names, settings.image_digest or "", source, watched, meanwhile=_load_graph)
    adoption = adoption_in(artifacts.adopted, settings.image_digest or "")
    commit, relations = _placed(seen, adoption, artifacts)
    requested = Requested(
        service=settings.release_service(),
        digest=settings.digest,
        rollback_from=settings.rollback_from,  # type: ignore[arg-type]  # parsed by the settings
        on_drift=settings.on_drift,
        on_alarm=settings.on_alarm,
        idle_tasks=settings.idle.tasks,
        commit=commit,
        adopted=adoption.origin if adoption else None,
        in_registry=seen.in_registry,
        promotes_from=settings.promotes_from,
        relations=relations,
        allow_older=settings.allow_older,  # type: ignore[arg-type]  # parsed by the settings
    )
    verdict = decide(seen.own, seen.observed, requested, seen.source.evidence if seen.source else ())
    return verdict, Environment(
        settings=settings,
        names=names,
        repository=artifacts.repository,
        observed=seen.observed,
        unchecked=verdict.unchecked,
    )


def _placed(seen: Seen, adoption: Adoption | None, artifacts: Artifacts) -> tuple[str, dict[str, Relation]]:
    """The commit of the image that is asked for ("" if unknown), and how it stands to those that may be live, by git.

    Where one image is of several commits, it is of one that is not older, if there is such a one.
    """
    commits = seen.commits or ((adoption.commit,) if adoption else ())
    if not commits:
        return "", {}
    releases = [seen.own.live if seen.own else None, *(side.release for side in seen.observed.sides.values())]
    others = [each.commit for each in releases if each]
    built_in = ROOT / artifacts.context
    folders = [ROOT, *([built_in] if artifacts.context and built_in.is_dir() else [])]
    found = [(commit, order_of(folders, commit, others)) for commit in commits]
    younger = (each for each in found if Order.OLDER not in {relation.order for relation in each[1].values()})
    return next(younger, found[0])


def _announce(verdict: Verdict, environment: Environment) -> None:
    """Say the decision in words, and how users will be moved; in preview and update."""
    for note in verdict.notes:
        pulumi.log.warn(note)
    decision = verdict.decision
    target = getattr(decision, "target", None)
    release = getattr(decision, "release", None)
    what = f"{short(release.digest)} on {target}: " if release and target else f"{target}: " if target else ""
    pulumi.log.info(f"Decision: {type(decision).__name__.lower()}. {what}{getattr(decision, 'reason', '')}")
    for sentence in verdict.unchecked:
        pulumi.log.warn(f"Not checked: {sentence}.")
    if isinstance(decision, Deploy | Flip | Finish):
        planned = course(decision, verdict.standing, environment.observed, environment.settings.wanted_shift)
        pulumi.log.info(f"Users: {planned.words()}.")
