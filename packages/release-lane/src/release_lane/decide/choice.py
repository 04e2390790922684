"""The words of a decision: what may be asked for, and the closed union of what an update may do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from release_lane.decide.foundations import Site
from release_lane.decide.lineage import NOT_ASKED, Relation, known_without_git
from release_lane.errors import ReleaseError
from release_lane.record.adoption import Adopted
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.records import Recorded


class OnDrift(StrEnum):
    """What to do about live weights or live tasks that nobody recorded: take them as they are, or go back."""

    ADOPT = "adopt"
    RESTORE = "restore"


class OnAlarm(StrEnum):
    """What to do about an alarm that rings before users are moved, besides refusing."""

    PROCEED = "proceed"


@dataclass(frozen=True, kw_only=True)
class Requested:
    """What this run asks for. `digest` None keeps what is live; `rollback_from` is the digest live now.

    `commit` is what the registry's tag says of the digest, or whoever adopted it (`adopted`); `in_registry` is False
    when the registry does not have it. `promotes_from` names the environment that has to have proven it (None: the
    first of the route). `idle_tasks` is what the idle colour keeps of the previous release (None: as many as serve
    users). `relations` say how the commit stands to others, by these; `allow_older` is the digest live now, where an
    older commit may replace it.
    `site` is what the settings want the environment to stand on (None where that was not asked), and `allow_replace`
    that it may be built anew there, because its users are elsewhere.
    """

    service: Service
    digest: Digest | None = None
    rollback_from: Digest | None = None
    on_drift: OnDrift | None = None
    on_alarm: OnAlarm | None = None
    idle_tasks: int | None = None
    commit: str = ""
    adopted: Adopted | None = None
    in_registry: bool = True
    promotes_from: str | None = None
    site: Site | None = None
    allow_replace: bool = False
    relations: Mapping[str, Relation] = field(default_factory=dict)
    allow_older: Digest | None = None

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

    reason: str = "no release yet; the production listener answers 503"


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Nothing to do but to make sure that reality is what was recorded."""

    live: Colour
    reason: str


@dataclass(frozen=True, kw_only=True)
class Heal:
    """The idle colour should hold `release` (None: nothing) and does not; users are not touched.

    `scales_in`: it runs that release well, on more tasks than it should; no task is started.
    """

    target: Colour
    release: Release | None
    tasks: int
    reason: str
    retry_of: str = ""
    scales_in: bool = False


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """Start `release` on the idle colour, pass the gates, switch.

    `tasks` is how many are wanted there; `retry_of` names the ECS deployment of the same release that must not
    be mistaken for this one; `live` is None for the first release of an environment. `rebuilds`: everything is built
    anew on other foundations, and users are served by nobody until then.
    """

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

    target: Colour
    release: Release
    reason: str
    rollback: bool = False


@dataclass(frozen=True, kw_only=True)
class Finish:
    """Users already are on `target`, by a switch whose record was lost: pass the gates again and record it."""

    target: Colour
    release: Release
    reason: str


@dataclass(frozen=True, kw_only=True)
class Refuse:
    """Nothing is changed; `error` says what, why, and the ways out."""

    error: ReleaseError


TRAFFIC_ONLY = "traffic-only"
"""The word for `TrafficOnly`; the other decisions are called by the name of their class."""

EARLIER_WORDS = {"flip": TRAFFIC_ONLY}
"""Words for decisions in states and inputs that an earlier version wrote."""


def decision_word(written: str) -> str:
    """Today's word for a decision that this version or an earlier one wrote."""
    return EARLIER_WORDS.get(written, written)


Decision = Prepare | Keep | Heal | Deploy | TrafficOnly | Finish | Refuse


def word_for(decision: Decision) -> str:
    """The word for a decision in plans, in the switch's inputs and in messages."""
    return TRAFFIC_ONLY if isinstance(decision, TrafficOnly) else type(decision).__name__.lower()


def goes_back(decision: Decision, standing: Recorded | None) -> bool:
    """Does it bring users to a release that was live before: a rollback, an undo, a restore?"""
    match decision:
        case Deploy(release=release, rollback=rollback) | TrafficOnly(release=release, rollback=rollback):
            return rollback or (standing is not None and release.id == standing.live.id)
        case Finish(release=release):
            return standing is not None and release.id == standing.live.id
    return False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision, together with the record it starts from (after an interrupted switch was accounted for)."""

    decision: Decision
    standing: Recorded | None
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    """What no gate will see of the release that users are moved to."""
