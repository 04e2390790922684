"""What one update does: `decide(recorded, observed, requested, proof) -> Decision`. Pure; reads no clock, no cloud.

The decision is a closed union. Everything that changes the cloud for users follows from it alone, so each rule
of docs/guarantees.md about *what* may happen is a line here and a row in `tests/release/test_decision.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from release.digest import Digest, short
from release.errors import CheckFailed, CloudError, Refused, ReleaseError
from release.evidence import Proof, proof_of
from release.journal import End, Journal, Phase
from release.placement import Colour, Release, Service, Weights, whole
from release.records import Observed, Recorded, Side


class OnDrift(StrEnum):
    """What to do about live weights or live tasks that nobody recorded: take them as they are, or go back."""

    ADOPT = "adopt"
    RESTORE = "restore"


@dataclass(frozen=True, kw_only=True)
class Requested:
    """What this run asks for. `digest` None keeps what is live; `rollback_from` is the digest live now.

    `commit` is what the registry's tag says of the digest; `in_registry` is False when the registry does not
    have it. `promotes_from` names the environment that has to have proven it (None: the first of the route).
    """

    service: Service
    digest: Digest | None = None
    rollback_from: Digest | None = None
    on_drift: OnDrift | None = None
    commit: str = ""
    in_registry: bool = True
    promotes_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Nothing is live and nothing was asked for: build the environment; its users' listener answers 503."""

    reason: str = "no release yet; the users' listener answers 503"


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Nothing to do but to make sure that reality is what was recorded."""

    live: Colour
    reason: str


@dataclass(frozen=True, kw_only=True)
class Heal:
    """The idle colour should hold `release` (None: nothing) and does not; users are not touched."""

    target: Colour
    release: Release | None
    tasks: int
    reason: str
    retry_of: str = ""


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """Start `release` on the idle colour, pass the gates, switch.

    `tasks` is how many are wanted there; `retry_of` names the ECS deployment of the same release that must not
    be mistaken for this one; `live` is None for the first release of an environment.
    """

    target: Colour
    release: Release
    tasks: int
    live: Colour | None
    reason: str
    rollback: bool = False
    retry_of: str = ""


@dataclass(frozen=True, kw_only=True)
class Flip:
    """The target already runs `release`, whole and healthy: pass the gates and move weights; no new task."""

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


Decision = Prepare | Keep | Heal | Deploy | Flip | Finish | Refuse


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision, together with the record it starts from (after an interrupted switch was accounted for)."""

    decision: Decision
    standing: Recorded | None
    notes: tuple[str, ...] = ()


def decide(
    recorded: Recorded | None, observed: Observed, requested: Requested, evidence: Iterable[Proof] = ()
) -> Verdict:
    """Choose what this update does.

    `recorded`: the stack's own outputs, None before its first release. `observed`: read live, just now.
    `evidence`: what `requested.promotes_from` recorded. Never raises: what must not happen is a `Refuse`.
    """
    try:
        return _decide(recorded, observed, requested, tuple(evidence))
    except ReleaseError as error:
        return Verdict(decision=Refuse(error=error), standing=recorded)


def _decide(
    recorded: Recorded | None, observed: Observed, requested: Requested, evidence: tuple[Proof, ...]
) -> Verdict:
    if recorded and not observed.listener:
        raise _nothing_found(recorded)
    found = _locate(recorded, observed)
    match found:
        case None:
            return Verdict(decision=_first(observed, requested, evidence), standing=None)
        case Recorded():
            return _standing(found, observed, requested, evidence)
        case Interrupted():
            return _interrupted(found, observed, requested, evidence)
        case Drift():
            return _drifted(found, recorded, observed, requested, evidence)


# ---- Where users are, and whether the record explains it ------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """A journalled switch that nobody recorded: users are at `end` (or divided), the record says `recorded`."""

    recorded: Recorded | None
    journal: Journal
    end: End | None


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Something that neither the record nor the journal explains. `at`: the one colour serving, if there is one."""

    what: str
    at: Colour | None


def _locate(recorded: Recorded | None, observed: Observed) -> Recorded | Interrupted | Drift | None:
    """Tell a settled stack from an interrupted switch, and both from drift; None: nobody was ever served."""
    weights, journal = observed.weights, observed.journal
    if weights is None:
        return Drift(what="the users' listener rule is gone: users get 503", at=None) if recorded else None
    at = whole(weights)
    if recorded and at is recorded.live_colour:
        return _live_as_recorded(recorded, observed.sides[at])
    if journal and _explains(journal, recorded, at):
        return Interrupted(recorded=recorded, journal=journal, end=_end_at(journal, at))
    return Drift(what=f"users are served {_percent(weights)}, {_should(recorded)}", at=at)


def _live_as_recorded(recorded: Recorded, side: Side) -> Recorded | Drift:
    """The live colour's tasks must be the recorded release; a stopped or sick one is no drift but a failed check."""
    if side.release_id not in ("", recorded.live.id) or (side.digest and side.digest != recorded.live.digest):
        ran = short(side.digest) or side.release_id
        return Drift(
            what=f"{recorded.live_colour} runs {ran}, recorded is {short(recorded.live.digest)}",
            at=recorded.live_colour,
        )
    return recorded


def _explains(journal: Journal, recorded: Recorded | None, at: Colour | None) -> bool:
    """Does this journal account for users being `at` (None: divided), given the record?"""
    ends = [end for end in (journal.source, journal.to) if end]
    known = (recorded is None and journal.source is None) or any(
        recorded and end.colour is recorded.live_colour and end.release_id == recorded.live.id for end in ends
    )
    match journal.phase:
        case Phase.MOVING:
            possible = {None, *(end.colour for end in ends)}
        case Phase.MOVED:
            possible = {journal.to.colour}
        case Phase.RESTORED:
            possible = {journal.source.colour if journal.source else None}
    return known and at in possible


def _end_at(journal: Journal, at: Colour | None) -> End | None:
    return next((end for end in (journal.to, journal.source) if end and end.colour is at), None)


# ---- A settled stack --------------------------------------------------------------------------------------


def _first(observed: Observed, requested: Requested, evidence: tuple[Proof, ...]) -> Decision:
    if requested.digest is None:
        return Prepare()
    release = _new_release(requested, evidence)
    return _deploy(release, Colour.BLUE, None, observed, "the first release of this environment")


def _standing(
    standing: Recorded, observed: Observed, requested: Requested, evidence: tuple[Proof, ...], note: str = ""
) -> Verdict:
    """The ordinary case: the record is true. Also reached after an interrupted switch was accounted for."""
    decision = _ordinary(standing, observed, requested, evidence)
    return Verdict(decision=decision, standing=standing, notes=(note,) if note else ())


def _ordinary(standing: Recorded, observed: Observed, requested: Requested, evidence: tuple[Proof, ...]) -> Decision:
    live, digest = standing.live, requested.digest
    if digest is None or (digest == live.digest and requested.service == live.service):
        return _keep_or_heal(standing, observed, requested)
    if digest == live.digest:
        release = replace(live, service=requested.service)
        return _to_idle(release, standing, observed, "same image, new configuration")
    past = standing.was_live(digest)
    if past:
        _refuse_silent_rollback(past, standing, requested)
        return _to_idle(past, standing, observed, f"rollback from {short(live.digest)}", rollback=True)
    return _to_idle(_new_release(requested, evidence), standing, observed, "a new image")


def _keep_or_heal(standing: Recorded, observed: Observed, requested: Requested) -> Decision:
    idle = standing.live_colour.other
    side = observed.sides[idle]
    previous = standing.previous
    if previous and not side.holds(previous):
        tasks = max(previous.service.desired_count, observed.sides[standing.live_colour].running)
        held = f"holds {short(side.digest)}" if side.digest else "is not whole"
        reason = f"{idle} {held}, but should hold the previous release {short(previous.digest)}"
        return Heal(target=idle, release=previous, tasks=tasks, reason=reason, retry_of=_same_release(side, previous))
    if not previous and not side.empty:
        return Heal(target=idle, release=None, tasks=0, reason=f"{idle} should hold nothing")
    pending = requested.service != standing.live.service
    return Keep(
        live=standing.live_colour,
        reason="the recorded release stays"
        + (
            "; its configuration in the stack file differs and waits for the next release "
            f"(to release it now: imageDigest={standing.live.digest})"
            if pending
            else ""
        ),
    )


def _to_idle(release: Release, standing: Recorded, observed: Observed, reason: str, rollback: bool = False) -> Decision:
    """Flip if the idle colour already holds the release, else deploy to it."""
    idle = standing.live_colour.other
    if observed.sides[idle].holds(release):
        return Flip(target=idle, release=release, reason=reason, rollback=rollback)
    return _deploy(release, idle, standing.live_colour, observed, reason, rollback)


def _deploy(
    release: Release,
    target: Colour,
    live: Colour | None,
    observed: Observed,
    reason: str,
    rollback: bool = False,
) -> Decision:
    if observed.weights and observed.weights[target] > 0:
        raise Refused(
            f"{target} would be deployed to while it serves users ({_percent(observed.weights)}).",
            why="a colour that serves is never changed",
            next_step="finish or undo the interrupted switch first: run the update again without imageDigest.",
        )
    running = observed.sides[live].running if live else 0
    return Deploy(
        target=target,
        release=release,
        tasks=max(release.service.desired_count, running),
        live=live,
        reason=reason,
        rollback=rollback,
        retry_of=_same_release(observed.sides[target], release),
    )


def _same_release(side: Side, release: Release) -> str:
    """The ECS deployment that already tried this very release: a retry must start a new one."""
    return side.deployment if side.release_id == release.id else ""


# ---- An interrupted switch, and drift -----------------------------------------------------------------------


def _interrupted(found: Interrupted, observed: Observed, requested: Requested, evidence: tuple[Proof, ...]) -> Verdict:
    """Finish it, undo it, or (another digest is asked for) count it as done and go on."""
    recorded, journal, end = found.recorded, found.journal, found.end
    note = f"found an interrupted switch to {journal.to.colour} ({short(journal.to.digest)}): users are " + (
        f"on {end.colour}" if end else f"divided {_percent(observed.weights or {})}"
    )
    if recorded and requested.digest == recorded.live.digest:
        decision = _back_to(recorded, observed, "undo the interrupted switch")
        return Verdict(decision=decision, standing=recorded, notes=(note,))
    if end is None:
        return _divided(found, observed, requested, note)
    release = _release_at(end, observed)
    if requested.digest in (None, end.digest):
        decision = Finish(target=end.colour, release=release, reason="finish the interrupted switch")
        return Verdict(decision=decision, standing=recorded, notes=(note,))
    return _standing(_advanced(recorded, end.colour, release), observed, requested, evidence, note)


def _divided(found: Interrupted, observed: Observed, requested: Requested, note: str) -> Verdict:
    """Users are on both colours: only the release that the switch was going to may be asked for now."""
    to = found.journal.to
    if requested.digest not in (None, to.digest):
        raise Refused(
            f"A switch to {short(to.digest)} was interrupted; users are {_percent(observed.weights or {})}.",
            why="a third release has no idle colour to go to while both serve",
            next_step="run the update without imageDigest to finish it, or with the recorded digest to undo it.",
        )
    release = _release_at(to, observed)
    if not observed.sides[to.colour].holds(release):
        raise CheckFailed(
            f"The interrupted switch to {short(to.digest)} cannot be finished: {to.colour} is not whole.",
            next_step="undo it: run the update with imageDigest set to the recorded digest.",
        )
    decision = Flip(target=to.colour, release=release, reason="finish the interrupted switch")
    return Verdict(decision=decision, standing=found.recorded, notes=(note,))


def _drifted(
    drift: Drift,
    recorded: Recorded | None,
    observed: Observed,
    requested: Requested,
    evidence: tuple[Proof, ...],
) -> Verdict:
    """Refuse, unless this run says what to do about it."""
    note = f"drift: {drift.what}"
    release = observed.sides[drift.at].release if drift.at else None
    match requested.on_drift:
        case OnDrift.ADOPT if drift.at and release and observed.sides[drift.at].holds(release):
            _refuse_unknown(release, recorded)
            decision: Decision = Finish(target=drift.at, release=release, reason=f"adopt {drift.what}")
            return Verdict(decision=decision, standing=recorded, notes=(note,))
        case OnDrift.RESTORE if recorded and drift.at is recorded.live_colour:
            wanted = requested if requested.digest else replace(requested, digest=recorded.live.digest)
            if wanted.digest == recorded.live.digest:
                decision = _deploy(recorded.live, drift.at.other, drift.at, observed, "restore the recorded release")
                return Verdict(decision=decision, standing=recorded, notes=(note,))
            return _standing(recorded, observed, wanted, evidence, note)
        case OnDrift.RESTORE if recorded:
            decision = _back_to(recorded, observed, "restore the recorded weights")
            return Verdict(decision=decision, standing=recorded, notes=(note,))
    raise Refused(
        f"Drift: {drift.what}.",
        why="nothing that this program did explains it",
        next_step="find out who did it; then run with onDrift=restore to go back to what was recorded, "
        "or with onDrift=adopt to record what is.",
    )


def _back_to(recorded: Recorded, observed: Observed, reason: str) -> Decision:
    """Users go (back) to the recorded release, by weights alone where its colour still holds it."""
    side = observed.sides[recorded.live_colour]
    if side.holds(recorded.live):
        return Flip(target=recorded.live_colour, release=recorded.live, reason=reason)
    other = recorded.live_colour.other if (observed.weights or {}).get(recorded.live_colour.other) else None
    return _deploy(recorded.live, recorded.live_colour, other, observed, reason)


def _release_at(end: End, observed: Observed) -> Release:
    release = observed.sides[end.colour].release
    if release and release.id == end.release_id:
        return release
    raise Refused(
        f"{end.colour} should run {short(end.digest)}, to which a switch was interrupted, but runs something else.",
        why="somebody changed the service after the switch was interrupted",
        next_step="run with imageDigest set to the recorded digest to undo the switch.",
    )


def _advanced(recorded: Recorded | None, colour: Colour, release: Release) -> Recorded:
    if recorded is None:
        return Recorded(live_colour=colour, live=release, history=(release,))
    return advance(recorded, colour, release)


HISTORY = 20
"""How many past releases a stack remembers; a digest older than that is no rollback but a promotion."""


def advance(recorded: Recorded | None, colour: Colour, release: Release) -> Recorded:
    """The record after users were moved to `release` on `colour`; unchanged if that is where they were."""
    if recorded is None:
        return Recorded(live_colour=colour, live=release, history=(release,))
    if recorded.live.id == release.id and recorded.live_colour is colour:
        return recorded
    same = recorded.live.id == release.id
    return replace(
        recorded,
        live_colour=colour,
        live=release,
        previous=recorded.previous if same else recorded.live,
        history=recorded.history if same else (*recorded.history, release)[-HISTORY:],
    )


# ---- What is refused ------------------------------------------------------------------------------------------


def _new_release(requested: Requested, evidence: tuple[Proof, ...]) -> Release:
    digest = requested.digest
    assert digest is not None
    if not requested.in_registry:
        raise Refused(
            f"{digest} is not in the registry.",
            why="no image with this digest was pushed there, or it was deleted since",
            next_step="build it (`release build`), or take a digest that `release status` knows.",
        )
    source = requested.promotes_from
    if source and proof_of(digest, evidence) is None:
        raise Refused(
            f"{short(digest)} was never proven on {source}.",
            why=f"an image gets here only after it passed every gate of {source} ({len(evidence)} have)",
            next_step=f"release it there first: `release deploy {source} --digest {digest}`.",
        )
    return Release(digest=digest, service=requested.service, commit=requested.commit)


def _refuse_silent_rollback(past: Release, standing: Recorded, requested: Requested) -> None:
    live = standing.live.digest
    if requested.rollback_from == live:
        return
    said = f"rollbackFrom says {short(requested.rollback_from)}" if requested.rollback_from else "nothing says so"
    raise Refused(
        f"{short(past.digest)} was live here before: going back to it is a rollback, and {said}.",
        why=f"live now is {short(live)}; a stale file or an old job must never roll back by itself",
        next_step=f"if it is meant: `release rollback`, or give rollbackFrom={live} as well.",
    )


def _refuse_unknown(release: Release, recorded: Recorded | None) -> None:
    if recorded and (recorded.was_live(release.digest) or proof_of(release.digest, recorded.evidence)):
        return
    raise Refused(
        f"{short(release.digest)} cannot be adopted: it never passed the gates here.",
        next_step="go back with onDrift=restore, then release it the ordinary way.",
    )


def _nothing_found(recorded: Recorded) -> CloudError:
    return CloudError(
        "Nothing of this environment is found in the cloud, although a release is recorded.",
        why=f"recorded is {short(recorded.live.digest)} on {recorded.live_colour}; the load balancer or its "
        "listener is missing, or region or account are not those of the last update",
        next_step="check region, account and credentials; if it was deleted: `pulumi refresh`, then update.",
    )


def _percent(weights: Weights) -> str:
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)


def _should(recorded: Recorded | None) -> str:
    return f"recorded is {recorded.live_colour}" if recorded else "and no release was ever recorded"
