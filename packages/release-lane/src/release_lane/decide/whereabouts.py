"""Where users are, and whether the record explains it: settled, an interrupted switch, or drift. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from release_lane.decide.difference import image_named, release_named
from release_lane.record.digest import short
from release_lane.record.hold import Hold
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour, Release, Weights, whole
from release_lane.record.records import Observed, Recorded, Side


@dataclass(frozen=True, kw_only=True)
class Interrupted:
    """A switch in the journal that was not recorded. `end`: the one where all traffic is now, None if neither."""

    journal: Journal
    end: End | None


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What neither the record nor the journal explains. `at`: the colour with all traffic, if there is one."""

    what: str
    at: Colour | None


def locate(recorded: Recorded | None, observed: Observed) -> Recorded | Interrupted | Drift | None:
    """The record where it is true, else an interrupted switch or drift; None before the first release."""
    weights, journal = observed.weights, observed.journal
    if weights is None:
        return Drift(what="the production rule is gone: users get 503", at=None) if recorded else None
    at = whole(weights)
    settled = recorded is not None and recorded.are(weights)
    others = _others(recorded, observed) if recorded else {}
    if settled and not others:
        return recorded
    if journal and _explains(journal, recorded, at, observed):
        return Interrupted(journal=journal, end=_end_at(journal, at, observed))
    if recorded and settled:
        should = {colour: short(release.digest) for colour, release in recorded.serves.items()}
        runs = (f"{colour} runs {other}, recorded is {should[colour]}" for colour, other in others.items())
        return Drift(what="; ".join(runs), at=at)
    return Drift(what=f"users are served {percent(weights)}, {_should(recorded)}", at=at)


def _others(recorded: Recorded, observed: Observed) -> dict[Colour, str]:
    """What colours that serve run in place of what is recorded."""
    found = {colour: _something_else(observed.sides[colour], release) for colour, release in recorded.serves.items()}
    return {colour: other for colour, other in found.items() if other}


def _something_else(side: Side, live: Release) -> str:
    """What a colour runs in place of a release ("" if nothing). Stopped or unhealthy tasks are no drift."""
    if side.digest and side.digest != live.digest:
        return image_named(side.digest)
    if side.release and side.release.id != live.id:
        return release_named(side.release, live)
    if side.task_definition and not side.release:
        return "a task definition that this program did not write"
    return ""


def _explains(journal: Journal, recorded: Recorded | None, at: Colour | None, observed: Observed) -> bool:
    """Does this journal explain that all traffic is `at` (None: divided), given the record?

    One of its ends is the recorded release, unless several switches in a row were not recorded: then the journal is
    newer than the record, and counts.
    """
    ends = [end for end in (journal.source, journal.to) if end]
    if _returns(journal) and journal.phase is Phase.MOVING:
        return True
    live_runs_another = recorded is not None and _something_else(observed.sides[recorded.live_colour], recorded.live)
    if recorded and at is recorded.live_colour and live_runs_another and any(_is_live(end, recorded) for end in ends):
        # That of the switch's end, or an unknown one.
        return _came_to(journal, at, observed)
    match journal.phase:
        case Phase.HELD if recorded and recorded.hold and _begins(journal, recorded.hold):
            return False  # it explains the weights of the recorded hold, and no others
        case Phase.MOVING | Phase.HELD:
            return at in {None, *(end.colour for end in ends)}
        case Phase.MOVED:
            return at is journal.to.colour
        case Phase.RESTORED:
            return journal.source is not None and at is journal.source.colour


def _came_to(journal: Journal, at: Colour, observed: Observed) -> bool:
    """A switch that was not rolled back ended at this colour, which still runs the release it brought."""
    arrived = journal.phase is not Phase.RESTORED and journal.to.colour is at
    return arrived and journal.to.release_id == observed.sides[at].release_id


def _returns(journal: Journal) -> bool:
    """Is it a switch back to the recorded release, from wherever traffic was?"""
    return journal.source is not None and journal.source.release_id == journal.to.release_id


def _begins(journal: Journal, hold: Hold) -> bool:
    return (journal.to.colour, journal.to.release_id) == (hold.colour, hold.release.id)


def _is_live(end: End, recorded: Recorded) -> bool:
    return end.colour is recorded.live_colour and end.release_id == recorded.live.id


def _end_at(journal: Journal, at: Colour | None, observed: Observed) -> End | None:
    if at and _returns(journal) and observed.sides[at].release_id != journal.to.release_id:
        return None  # such a journal does not say where traffic came from
    return next((end for end in (journal.to, journal.source) if end and end.colour is at), None)


def found_interrupted(found: Interrupted, observed: Observed) -> str:
    """The note about it."""
    to = found.journal.to
    where = f"on {found.end.colour}" if found.end else f"served {percent(observed.weights or {})}"
    return f"found an interrupted switch to {to.colour} ({short(to.digest)}): users are {where}"


def percent(weights: Weights) -> str:
    """`blue 50%, green 50%`."""
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)


def _should(recorded: Recorded | None) -> str:
    if recorded and recorded.hold:
        return f"recorded is a hold: {recorded.hold.words()}"
    return f"recorded is {recorded.live_colour}" if recorded else "and no release was ever recorded"
