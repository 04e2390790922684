"""What an update may be asked for, and the closed union of what it may do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from release_lane.decide.foundations import Site
from release_lane.decide.freeze import Freeze
from release_lane.decide.lineage import NOT_ASKED, Relation, known_without_git
from release_lane.decide.parity import Parity
from release_lane.errors import ReleaseError
from release_lane.record.adoption import Adopted
from release_lane.record.contract import Contract, Labels
from release_lane.record.decisions import DecisionKind
from release_lane.record.digest import Digest
from release_lane.record.evidence import Drill
from release_lane.record.halts import Halts
from release_lane.record.hold import Winner as Winner
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.records import Recorded
from release_lane.record.revisions import Migration, Revisions, Schema


class OnDrift(StrEnum):
    """What to do about weights or live tasks that are not as recorded: record them as they are, or go back."""

    ADOPT = "adopt"
    RESTORE = "restore"


class OnAlarm(StrEnum):
    """What to do, other than refuse, about an alarm that is firing before users are moved."""

    PROCEED = "proceed"


@dataclass(frozen=True, kw_only=True)
class Requested:
    """What this run asks for. `digest` None keeps what is live; `rollback_from` is the digest live now, and so are
    `forward_from`, where users go forward again to a release that they were rolled back from, and `redeploy_from`,
    where an earlier image is deployed with the configuration of now.

    `commit` is the digest's tag in the registry, or what was given when it was adopted (`adopted`); `in_registry` is
    False when the registry does not have it. `promotes_from` names the environment whose gates it must have passed
    (None: this is the first of the route). `idle_tasks` is how many tasks the idle colour keeps (None: as many as the
    live one). `relations`: another commit to how this one stands to it; `allow_older` is the digest live now, where an
    older commit may replace it.
    `site` is what the settings want the environment to stand on (None where that was not asked); `allow_replace` says
    that it may be built anew, because it has no users, and that no user comes by a name whose certificate would go.
    `alarm_memory`: for so many seconds an alarm may fire about something that is over.
    `drill` is the half of a drill that this update is; `requires_drill`: a new image must have had one where it is
    promoted from.
    `freeze`: the windows in which nothing goes forward at `now` (epoch seconds), unless `through_freeze` says why.
    `halts`: what the ledger says against the digest, and of the environment's line.
    """

    service: Service
    environment: str = "…"
    """Its name, for the next steps that refusals give."""
    digest: Digest | None = None
    rollback_from: Digest | None = None
    forward_from: Digest | None = None
    redeploy_from: Digest | None = None
    on_drift: OnDrift | None = None
    on_alarm: OnAlarm | None = None
    hold_end: Winner | None = None
    """Which release wins the hold that stands."""
    hold_of: str | None = None
    """The digest that is held, by who decided that it wins."""
    alarm_memory: float = 0.0
    idle_tasks: int | None = None
    commit: str = ""
    adopted: Adopted | None = None
    in_registry: bool = True
    promotes_from: str | None = None
    site: Site | None = None
    allow_replace: bool = False
    as_it_stands: bool = False
    """What both colours share is left as it is: the update follows on a way back."""
    relations: Mapping[str, Relation] = field(default_factory=dict)
    allow_older: Digest | None = None
    drill: Drill | None = None
    requires_drill: bool = False
    freeze: Freeze = field(default_factory=Freeze)
    now: float = 0.0
    through_freeze: str = ""
    halts: Halts = field(default_factory=Halts)
    sealed: str = ""
    """The decision that was reviewed, as a hash (`record.seal.bound`)."""
    needs_seal: bool = False
    """Of an update, where the stack demands it. A preview needs none: the review that a seal is made of is one."""
    parity: Parity | None = None
    """What a release that goes forward is held to; None where that is not required."""
    labels: Labels | None = None
    """What the image declares, by its labels; None where the registry was not asked."""
    schema: Schema | None = None
    """The database's schema; None where the stack runs no migrations."""
    given: tuple[str, ...] = ()
    """Names of the variables that the environment gives to every release."""

    @property
    def revisions(self) -> Revisions | None:
        """What the image declares of the schema; None for nothing, and where its labels are not understood."""
        try:
            return Revisions.of(Contract.of(self.labels.found, self.digest or "")) if self.labels else None
        except ReleaseError:  # decide/contract.py says so of what goes forward
            return None

    def relation_to(self, commit: str) -> Relation:
        """How the commit that is asked for stands to this one."""
        return known_without_git(self.commit, commit) or self.relations.get(commit, NOT_ASKED)


def order_matters(recorded: Recorded | None, digest: str | None) -> bool:
    """Is the order of commits looked at? Only for an image that was never live here: going back to one that was is a
    rollback, which has to be asked for as one."""
    if digest is None or recorded is None:
        return digest is not None
    return digest != recorded.live.digest and recorded.was_live(digest) is None


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Nothing is live and nothing was asked for: build the environment; its production listener answers 503."""

    kind: ClassVar[DecisionKind] = DecisionKind.PREPARE
    reason: str = "no release yet; the production listener answers 503"


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Change nothing; only check that reality is what was recorded."""

    kind: ClassVar[DecisionKind] = DecisionKind.KEEP
    live: Colour
    reason: str


@dataclass(frozen=True, kw_only=True)
class Heal:
    """Restore the standby: the idle colour should run `release` (None: nothing) and does not. Users are not touched.

    `scales_in`: it runs that release, fully healthy, on more tasks than it should; no task is started.
    """

    kind: ClassVar[DecisionKind] = DecisionKind.HEAL
    target: Colour
    release: Release | None
    tasks: int
    reason: str
    retry_of: str = ""
    scales_in: bool = False


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """Start `release` on the idle colour, pass the gates, switch.

    `tasks` is how many are wanted there; `retry_of` names an earlier ECS deployment of the same release, which must not
    be mistaken for this one; `live` is None for the first release of an environment. `rebuilds`: everything is built
    anew on other foundations, and users get 503 until then.
    """

    kind: ClassVar[DecisionKind] = DecisionKind.DEPLOY
    target: Colour
    release: Release
    tasks: int
    live: Colour | None
    reason: str
    rollback: bool = False
    retry_of: str = ""
    rebuilds: bool = False


@dataclass(frozen=True, kw_only=True)
class TrafficOnly:
    """The target already runs `release` and is fully healthy: pass the gates and move weights; no task starts."""

    kind: ClassVar[DecisionKind] = DecisionKind.TRAFFIC_ONLY
    target: Colour
    release: Release
    reason: str
    rollback: bool = False


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Users already are on `target`, by a switch that was not recorded: pass the gates again and record it."""

    kind: ClassVar[DecisionKind] = DecisionKind.FINISH
    target: Colour
    release: Release
    reason: str


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Nothing is changed; `error` says what, why, and what to do next."""

    kind: ClassVar[DecisionKind] = DecisionKind.REFUSE
    error: ReleaseError


Decision = Prepare | Keep | Heal | Deploy | TrafficOnly | Finish | Refuse


def goes_back(decision: Decision, standing: Recorded | None) -> bool:
    """Does it bring users back to a release that was live before, by a rollback, an undo or a restore? One that was
    interrupted after it had moved them still does."""
    match decision:
        case Deploy(release=release, rollback=rollback) | TrafficOnly(release=release, rollback=rollback):
            return rollback or (standing is not None and release.id == standing.live.id)
        case Finish(release=release):
            return standing is not None and (release.id == standing.live.id or _came_before(release, standing))
    return False


def takes_up_nothing(decision: Decision, standing: Recorded | None, *, follows: bool) -> bool:
    """Does all that both colours share stay as it is, whatever the stack file asks for by now? On a way back, and in
    the update that `follows` on one by itself; not where an environment is built anew, which has no users who wait."""
    anew = isinstance(decision, Deploy) and decision.live is None
    return not anew and (follows or goes_back(decision, standing))


def _came_before(release: Release, standing: Recorded) -> bool:
    """Was it live before what is recorded? Then only a rollback can have gone there."""
    past = standing.was_live(release.digest)
    return past is not None and past.id == release.id and not standing.left_by_rollback(release.digest)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision, and the record that it starts from (which already counts an interrupted switch as done or not)."""

    decision: Decision
    standing: Recorded | None
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """What no gate can check of the release that users are moved to."""
    migration: Migration | None = None
    """What runs before tasks are started."""
