"""The transition journal: tags on the production rule that say which switch was last begun and how far it came.

Only `TrafficSwitch` writes these tags, before it moves a weight and after. They let the next run tell a switch
that was killed from weights that were moved by hand. Tag values are limited by ELBv2 to 256 characters of
letters, digits, spaces and `+ - = . _ : / @` (AWS: "Tag naming limits and requirements").

One more tag is written by others and read by the switch: a person's abort request (`Abort`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from release_lane.record.placement import Colour
from release_lane.record.schema import schema_of

PREFIX = "release-lane:"
SCHEMA = 1
"""The layout of the tags. The first carries no number; a later one is named in a tag of its own."""
PHASE = f"{PREFIX}phase"
JOURNAL = (f"{PREFIX}from", f"{PREFIX}to", PHASE)


class Phase(StrEnum):
    """How far a switch came: weights may be anywhere (moving), on the new side (moved), back (restored), or divided, as
    a hold keeps them (held)."""

    MOVING = "moving"
    MOVED = "moved"
    RESTORED = "restored"
    HELD = "held"


@dataclass(frozen=True)
class End:
    """One end of a switch: a colour and the release it held, by digest and release id."""

    colour: Colour
    digest: str
    release_id: str

    def text(self) -> str:
        """As one tag value: `blue/sha256:…/0123456789ab`."""
        return f"{self.colour}/{self.digest}/{self.release_id}"

    @staticmethod
    def parse(text: str) -> End | None:
        """Read a tag value; None for `none` (no user was served) or for what is not ours."""
        parts = text.split("/")
        if len(parts) != 3 or parts[0] not in list(Colour):
            return None
        return End(Colour(parts[0]), parts[1], parts[2])


@dataclass(frozen=True, kw_only=True)
class Journal:
    """The last switch: from one end (None at the first release) to the other, and its phase."""

    source: End | None
    to: End
    phase: Phase

    def as_tags(self) -> dict[str, str]:
        """Tags to be written on the rule; always all of them in one call."""
        return {
            f"{PREFIX}from": self.source.text() if self.source else "none",
            f"{PREFIX}to": self.to.text(),
            PHASE: str(self.phase),
        }

    @staticmethod
    def tags_in(tags: Mapping[str, str]) -> dict[str, str]:
        """Of a rule's tags those that are a journal, intact or damaged, just as they are."""
        return {key: tags[key] for key in JOURNAL if key in tags}

    @staticmethod
    def from_tags(tags: Mapping[str, str]) -> Journal | None:
        """Read the rule's tags; None where there is no journal, or a damaged one."""
        schema_of(tags, SCHEMA, "The journal on the production rule", f"{PREFIX}schema")
        to = End.parse(tags.get(f"{PREFIX}to", ""))
        phase = tags.get(PHASE, "")
        if to is None or phase not in list(Phase):
            return None
        return Journal(source=End.parse(tags.get(f"{PREFIX}from", "")), to=to, phase=Phase(phase))


OPENING = f"{PREFIX}opening"
"""A tag of the switch's: this rule is new, of HTTPS, and the one of plain HTTP still serves users as well."""

ABORT = f"{PREFIX}abort"
LONGEST_TAG = 256


@dataclass(frozen=True)
class Abort:
    """An abort request: the switch to the release `release_id` is to roll back the traffic. `by` is for people.

    The switch reads it at each look, honours it only if it names its own release, and removes it after it has rolled
    back the traffic. It stands until the switch ended, even over a kill; the next switch removes an old one.
    """

    release_id: str
    by: str

    def words(self) -> str:
        """For people."""
        return f"{self.by or 'Somebody'} asked to abort this switch."

    def stands(self, journal: Journal | None, release_id: str) -> bool:
        """Is it for a switch to this release that was begun and, by the journal, neither done nor rolled back?"""
        begun = journal is not None and journal.phase is Phase.MOVING and journal.to.release_id == release_id
        return begun and self.release_id == release_id

    def as_tags(self) -> dict[str, str]:
        """The one tag to write on the production rule; characters that a tag cannot hold become `-`."""
        return {ABORT: re.sub(r"[^\w +\-=.:/@]", "-", f"{self.release_id}/{self.by}", flags=re.ASCII)[:LONGEST_TAG]}

    @staticmethod
    def from_tags(tags: Mapping[str, str]) -> Abort | None:
        """Read the rule's tags; None where there is no abort request."""
        release_id, slash, by = tags.get(ABORT, "").partition("/")
        return Abort(release_id, by) if slash and release_id else None
