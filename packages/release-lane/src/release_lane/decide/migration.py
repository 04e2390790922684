"""Which update runs a migration, and which one the database's schema forbids. Pure.

Two releases serve at once while traffic moves, and a rollback takes no migration back. So the live release has to live
with the schema that a migration leads to, and a release that traffic goes back to with the one that the schema is at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from release_lane.decide.case import Case
from release_lane.decide.choice import Deploy, TrafficOnly, Verdict, goes_back
from release_lane.decide.refusals import behind_schema, contradicts, no_way_back_to, outlived
from release_lane.record.digest import short
from release_lane.record.placement import Release
from release_lane.record.records import Recorded
from release_lane.record.revisions import NEEDS, PROVIDES, Migration, Schema


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """`migration`: what the update runs, None for nothing. `unchecked`: what could not be compared."""

    migration: Migration | None = None
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


NOTHING = Ruling()


def rule_on_schema(case: Case, verdict: Verdict) -> Ruling:
    """The migration of this update; `Refused` where a release would meet a schema that it cannot live with."""
    schema, decision, standing = case.requested.schema, verdict.decision, verdict.standing
    if schema is None:
        return NOTHING
    match decision:
        case Deploy(release=release) if not goes_back(decision, standing):
            return _forward(_labelled(release, case), standing, schema)
        case Deploy(release=release) | TrafficOnly(release=release):
            return _without_migration(_labelled(release, case), standing, schema)
    return NOTHING


def _labelled(release: Release, case: Case) -> Release:
    """With what its image says now, where an earlier version did not record it."""
    said = case.requested.revisions if release.digest == case.requested.digest else None
    return replace(release, revisions=said) if said else release


def _forward(release: Release, standing: Recorded | None, schema: Schema) -> Ruling:
    """A release is started, and that is no way back."""
    image = release.revisions
    if image is None or not image.provides:
        known = f"where the migration of {short(release.digest)} leads: its image has no label {PROVIDES}"
        return Ruling(migration=Migration(before=schema.now, to=""), unchecked=(known,))
    to = image.provides
    if image.needs and to not in image.needs:
        raise contradicts(release, to, image.needs)
    if schema.left(to):
        return _behind(release, to, schema)
    migration = Migration(before=schema.now, to=to)
    if standing is None:
        return Ruling(migration=migration)
    live = standing.live.revisions
    if live is None or not live.needs:
        return Ruling(migration=migration, unchecked=(_silent(standing.live, to),))
    if to not in live.needs:
        raise outlived(release, to, standing.live, live.needs)
    return Ruling(migration=migration)


def _behind(release: Release, to: str, schema: Schema) -> Ruling:
    """Its migration leads to where the schema was before: to run it would lead back, or fail."""
    needs = release.revisions.needs if release.revisions else ()
    lacking = [each for each in schema.possible if each not in needs]
    if lacking or not schema.possible:
        raise behind_schema(release, to, lacking or [schema.begun or "an unknown revision"])
    return Ruling(notes=(f"no migration runs: it leads to {to}, and the schema is at {schema.now} since then",))


def _without_migration(release: Release, standing: Recorded | None, schema: Schema) -> Ruling:
    """Traffic goes to a release for which no migration runs. What is recorded as live is never refused."""
    recorded = standing is not None and release.id == standing.live.id
    needs = release.revisions.needs if release.revisions else ()
    if not schema.possible:
        return Ruling(unchecked=("whether the release can live with the database's schema: its revision is not known",))
    if not needs:
        return Ruling(unchecked=(_silent(release, " or ".join(schema.possible)),))
    lacking = schema.missed_by(release.revisions)
    if not lacking:
        return NOTHING
    if recorded:
        return Ruling(notes=(f"{short(release.digest)} does not name {', '.join(lacking)} in its label {NEEDS}",))
    raise no_way_back_to(release, lacking, ways_back(standing, schema))


def ways_back(standing: Recorded | None, schema: Schema) -> tuple[Release, ...]:
    """The releases of the history that can live with the schema, the newest first; without what is live."""
    history = reversed(standing.history) if standing else ()
    digests: dict[str, Release] = {}
    for past in history:
        fits = past.revisions is not None and set(schema.possible) <= set(past.revisions.needs)
        if fits and standing and past.digest != standing.live.digest:
            digests.setdefault(past.digest, past)
    return tuple(digests.values())


def _silent(release: Release, revision: str) -> str:
    return f"whether {short(release.digest)} can live with schema {revision}: its image has no label {NEEDS}"
