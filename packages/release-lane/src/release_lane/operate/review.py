"""What an approver has to know before an update, as facts: the decision, its kind, evidence, placement, what changes.

Pure: from a preview's event log, the records, and what was read of git and AWS. `review_page` puts it into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.decide import whereabouts
from release_lane.engine.events import EngineLog, Message, Step
from release_lane.operate.changes import changed, destroys
from release_lane.operate.planned import Planned, planned_in
from release_lane.operate.scanning import Scan
from release_lane.operate.spoiled import Spoiled, ways_back
from release_lane.record.commit import Commits
from release_lane.record.container import MIGRATION
from release_lane.record.evidence import Proof, proof_of
from release_lane.record.halts import why
from release_lane.record.placement import Release
from release_lane.record.records import Observed, Recorded


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program's commit. `dirty`: something in the checkout differs from it; `edited`: files of the commit that do.

    `unknown` is git's reason why there is no commit.
    """

    commit: str = ""
    dirty: bool = False
    edited: tuple[str, ...] = ()
    unknown: str = ""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is reviewed. `evidence` is from `source`, the environment promoted from (None: first of a route).

    `ran_there` are the releases that `source` remembers, with the configuration they ran with; `live_there` is live
    there now. `asked`: who asks, `run`: the URL of the CI run. `at`: epoch second of the review. `observed` is None
    where AWS could not be asked, `unseen` says why. `rollbacks`: seconds that traffic-only rollbacks took here.
    `drills`: what the ledger says of drills of this digest, in words. `unrecorded`: no ledger is named. `scan`: what
    the registry found in the image; None where it could not be asked, `unscanned` says why.
    """

    environment: str
    recorded: Recorded | None = None
    source: str | None = None
    evidence: tuple[Proof, ...] = ()
    ran_there: tuple[Release, ...] = ()
    live_there: Release | None = None
    rollback: bool = False
    digest_only: bool = False
    """A rollback of the image alone."""
    program: Program = Program()
    asked: str = ""
    run: str = ""
    at: float = 0.0
    commits: Commits | None = None
    observed: Observed | None = None
    unseen: str = ""
    rollbacks: tuple[float, ...] = ()
    drills: tuple[str, ...] = ()
    unrecorded: bool = False
    scan: Scan | None = None
    unscanned: str = ""
    given: Mapping[str, str] = field(default_factory=dict)
    """Keys for this run; those that override a rule are shown first."""
    frozen: str = ""
    """The freeze window that holds, and until when; "" for none."""
    spoiled: Spoiled = field(default_factory=dict)
    """Of the live release and its history: what is in quarantine."""
    pardoned: str = ""
    """Of the image: the quarantine that it was in and the pardon, in words."""

    @property
    def no_way_back(self) -> str:
        """Why the live release is in quarantine, so that no rollback can go to it; "" where one can."""
        entry = self.spoiled.get(self.recorded.live.digest) if self.recorded else None
        return why(entry) if entry else ""


OVERRIDING = frozenset({"throughFreeze", "forwardFrom", "allowOlder", "onAlarm", "allowReplace"})
"""Keys for one run that override a rule."""


class Kind(StrEnum):
    """What kind of change it is; the gravest counts."""

    NOTHING = "nothing changes for users"
    IMAGE = "image only"
    CONFIGURATION = "configuration"
    INFRASTRUCTURE = "infrastructure"
    DESTRUCTIVE = "destructive"


class Way(StrEnum):
    """What a rollback is after this update."""

    NONE = "none"  # there is no release to go back to
    SETTINGS = "settings"  # same image: the old configuration is in the history of the stack file
    TRAFFIC_ONLY = "traffic-only"
    THEN_DEPLOY = "traffic-only while it is watched, then a deployment"
    DEPLOY = "deploy"


@dataclass(frozen=True, kw_only=True)
class Review:
    """Everything that an approver is shown. `seal` binds it to what was reviewed ("" without one)."""

    subject: Subject
    planned: Planned
    others: tuple[Step, ...] = ()
    warnings: tuple[Message, ...] = ()
    policies: tuple[Message, ...] = ()
    seal: str = ""

    @property
    def changes_users(self) -> bool:
        """Does the traffic move, or what serves it change?"""
        return self.planned.decision.moves_users

    @property
    def kind(self) -> Kind:
        """By what the update does besides, then by what the release changes."""
        old, new = self.subject.recorded, self.planned.release
        if any(destroys(step) for step in self.others):
            return Kind.DESTRUCTIVE
        if any(step.custom for step in self.others):
            return Kind.INFRASTRUCTURE
        if not self.changes_users or new is None:
            return Kind.NOTHING
        if old is not None and old.live.service != new.service:
            return Kind.CONFIGURATION
        return Kind.IMAGE

    @property
    def proof(self) -> Proof | None:
        """Of this digest, by the environment before."""
        release = self.planned.release
        return proof_of(release.digest, self.subject.evidence) if release else None

    @property
    def was_live(self) -> bool:
        """Has this digest been live here before?"""
        recorded, release = self.subject.recorded, self.planned.release
        return bool(recorded and release and recorded.was_live(release.digest))

    @property
    def drift(self) -> str:
        """What neither record nor journal explains of the placement that was observed; "" for nothing."""
        observed = self.subject.observed
        found = whereabouts.locate(self.subject.recorded, observed) if observed else None
        return found.what if isinstance(found, whereabouts.Drift) else ""

    @property
    def created(self) -> tuple[Step, ...]:
        """What a first update creates. It is folded into one line: there is nothing yet that it could break."""
        return tuple(step for step in self.others if step.op == "create") if self.subject.recorded is None else ()

    @property
    def left_to_go_back_to(self) -> tuple[Release, ...]:
        """Releases of the history that a rollback with `--to` can go to afterwards: none that is in quarantine."""
        recorded, release = self.subject.recorded, self.planned.release
        if recorded is None or release is None:
            return ()
        return tuple(each for each in ways_back(recorded, self.subject.spoiled) if each.digest != release.digest)

    @property
    def loses_way_back(self) -> bool:
        """Does it leave a release in quarantine, to which neither a rollback nor a way forward leads?"""
        recorded, release = self.subject.recorded, self.planned.release
        leaves = bool(recorded and release and recorded.live.digest != release.digest)
        return self.changes_users and leaves and bool(self.subject.no_way_back)

    @property
    def way_back(self) -> Way:
        """What a rollback costs after this update."""
        planned, recorded = self.planned, self.subject.recorded
        if recorded is None or planned.release is None:
            return Way.NONE
        if planned.release.digest == recorded.live.digest:
            return Way.SETTINGS if planned.release.id != recorded.live.id else Way.NONE
        if planned.before is None:  # everything is built anew
            return Way.DEPLOY
        if planned.idle_tasks is None or planned.idle_tasks >= recorded.live.service.desired_count:
            return Way.TRAFFIC_ONLY
        return Way.THEN_DEPLOY


def review(subject: Subject, log: EngineLog) -> Review:
    """Read a preview that succeeded."""
    planned = planned_in(log)
    return Review(
        subject=subject,
        planned=planned,
        others=tuple(step for step in log.steps if step.changes and not _expected(step, planned)),
        warnings=log.warnings,
        policies=log.policies,
    )


def _expected(step: Step, planned: Planned) -> bool:
    """Part of the decision itself: the gates, and the release on the colour it goes to."""
    if not step.custom or step.type.startswith(("release:index:", "pulumi:providers:release")):
        return step.op in ("create", "update")
    on_target = planned.target is not None and step.name.endswith(f"-{planned.target}")
    match step.type:
        case "aws:ecs/taskDefinition:TaskDefinition":
            migrates = planned.migration is not None and step.name.endswith(f"-{MIGRATION}")
            return (migrates or (on_target and planned.starts)) and step.op in ("create", "update", "replace")
        case "aws:ecs/service:Service":
            return on_target and step.op in ("create", "update")
    return False


# ---- As data --------------------------------------------------------------------------------------------------


def as_dict(review: Review) -> dict[str, Any]:
    """For `--json`: plain values, null where there is none."""
    subject, planned, proof = review.subject, review.planned, review.proof
    live, release = subject.recorded.live if subject.recorded else None, planned.release
    return {
        "kind": str(review.kind),
        "decision": str(planned.decision),
        "reason": planned.reason,
        "old": _release(live),
        "new": _release(release),
        "commits": _commits(subject.commits),
        "asked": {"who": subject.asked or None, "run": subject.run or None},
        "evidence": {"from": subject.source, **proof.as_dict()} if proof else None,
        "scan": {"status": subject.scan.status, "counts": subject.scan.counts} if subject.scan else None,
        "weights": {"now": _weights(planned.before), "after": _weights(planned.after)},
        "steps": list(planned.course.steps),
        **({"hold": planned.course.hold} if planned.course.hold else {}),
        "alarms": list(planned.alarms.names),
        "migration": {"command": planned.migrates_by, "from": planned.migration.before, "to": planned.migration.to}
        if planned.migration
        else None,
        "drift": review.drift or None,
        "overrides": {key: subject.given[key] for key in sorted(OVERRIDING & subject.given.keys())},
        "pardoned": subject.pardoned or None,
        "rollback": {
            "costs": str(review.way_back),
            "seconds": list(subject.rollbacks),
            **_lost(review),
        },
        "changes": [
            {
                "operation": step.op,
                "type": step.type,
                "name": step.name,
                "properties": [p.words() for p in changed(step)],
            }
            for step in review.others
        ],
        "warnings": [message.text for message in review.warnings],
        "policies": [message.text for message in review.policies],
        "program": subject.program.commit or None,
        "seal": review.seal or None,
    }


def _lost(review: Review) -> dict[str, Any]:
    """Where no rollback leads to what is live now."""
    if not review.loses_way_back:
        return {}
    return {"inQuarantine": review.subject.no_way_back, "instead": [each.digest for each in review.left_to_go_back_to]}


def _release(release: Release | None) -> dict[str, str] | None:
    return {"digest": release.digest, "commit": release.commit, "releaseId": release.id} if release else None


def _commits(commits: Commits | None) -> dict[str, Any] | None:
    if commits is None or commits.unknown:
        return None
    return {"added": [each.sha for each in commits.added], "removed": [each.sha for each in commits.removed]}


def _weights(weights: Mapping[Any, int] | None) -> dict[str, int] | None:
    return {str(colour): share for colour, share in weights.items()} if weights is not None else None
