"""Releases of an environment that are in quarantine: what must be said of them, and the ways back that are left. Pure.

`spoiled` is, by digest, the entry of the ledger that put it into quarantine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from release_lane.record.digest import short
from release_lane.record.halts import State, subject_of, why
from release_lane.record.ledger import Entry
from release_lane.record.placement import Release
from release_lane.record.records import Recorded

Spoiled = Mapping[str, Entry]


def ways_back(recorded: Recorded, spoiled: Spoiled) -> tuple[Release, ...]:
    """The releases that `release rollback` can go to, newest first: live before, not left by a rollback, not in
    quarantine."""
    return tuple(each for each in recorded.earlier if each.digest not in spoiled)


def way_back(environment: str, left: tuple[Release, ...]) -> str:
    """The command that goes to the newest of these, or why there is none."""
    if not left:
        return "no other release of the history is left for `--to`: release an image without the fault"
    return f"`release rollback {environment} --to {left[0].digest}`" + (
        f" (or to {', '.join(short(each.digest) for each in left[1:4])})" if left[1:] else ""
    )


def said_of_pardon(digest: str, entries: Sequence[Entry]) -> str:
    """The quarantine that an image was in, and its pardon; "" where its newest mark among these is no pardon."""
    about = [(each, mark.state) for each in entries for mark in each.marks if mark.subject == subject_of(digest)]
    if not about or about[-1][1] != State.PARDONED:
        return ""
    faults = [why(each) for each, state in about if state == State.QUARANTINED]
    return (
        f"it was in quarantine: {faults[-1] if faults else 'an earlier entry says why'}; pardoned: {why(about[-1][0])}"
    )


def said_of_live(environment: str, recorded: Recorded | None, spoiled: Spoiled) -> str:
    """A live release in quarantine, and what to do about it; "" where it is not."""
    entry = spoiled.get(recorded.live.digest) if recorded else None
    if recorded is None or entry is None:
        return ""
    to = way_back(environment, ways_back(recorded, spoiled))
    pardon = f"`release pardon {recorded.live.digest} --reason …`"
    return (
        f"the live release {short(recorded.live.digest)} is in quarantine: {why(entry)}. Next: {to}; if the fault is "
        f"not its own: {pardon}"
    )
