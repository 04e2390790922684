"""The seal of a review: short hashes of all that an approver was shown, and when. Pure.

`s1:<environment>:<epoch second>:<hash of each part, in the order of Part>:<check>`. It is no signature: it binds an
approval to what was reviewed, and who may hand one in is up to the CI and its roles.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.errors import Refused, UsageError
from release_lane.record.decisions import DecisionKind
from release_lane.record.placement import Colour, Weights
from release_lane.record.records import Recorded
from release_lane.record.times import in_words

VERSION = "s1"
LENGTH = 10
"""Hex digits of each hash: moved parts must not look alike by chance."""


class Part(StrEnum):
    """What a seal covers. A seal has the hashes in this order; the words are for people."""

    ENVIRONMENT = "the environment"
    DIGEST = "the digest"
    PLAN = "the plan"
    STATE = "the state of the stack"
    PROGRAM = "the commit of the program"
    CONFIGURATION = "the configuration"
    WEIGHTS = "the observed weights"
    POLICIES = "the results of the policies"


DECISION = "decision"
"""The key of the plan that says what the update does: its kind, and a hash of the rest."""

Facts = Mapping[Part, Any]
"""What each part is: plain JSON values, without secrets."""


def as_dict(facts: Facts) -> dict[str, Any]:
    """For the ledger; `from_dict` is the inverse."""
    return {part.name.lower(): value for part, value in facts.items()}


def from_dict(value: Mapping[str, Any]) -> Facts:
    """Read what `as_dict` wrote; what is not known is left out."""
    return {part: value[part.name.lower()] for part in Part if part.name.lower() in value}


@dataclass(frozen=True, kw_only=True)
class Seal:
    """`at`: epoch second of the review."""

    environment: str
    at: int
    hashes: Mapping[Part, str] = field(default_factory=dict)

    def __str__(self) -> str:
        body = ":".join((VERSION, self.environment, str(self.at), "-".join(self.hashes[part] for part in Part)))
        return f"{body}:{_hash(body)}"

    @staticmethod
    def of(environment: str, at: float, facts: Facts) -> Seal:
        """Of what was reviewed."""
        return Seal(environment=environment, at=int(at), hashes={part: _hash(facts.get(part)) for part in Part})

    @staticmethod
    def parse(text: str) -> Seal:
        """Read one; `UsageError` for what is none, or was cut or mistyped."""
        if not text.strip():
            raise UsageError(
                "'' is not a whole seal: none was handed on. Nothing was changed.",
                why="a review that is refused gives no seal; else the output or file that should hand it on is empty",
                next_step="look at the review, and give --seal as it printed it.",
            )
        found = _SEAL.fullmatch(text.strip())
        hashes = found["hashes"].split("-") if found else []
        if not found or len(hashes) != len(Part) or _hash(found["body"]) != found["check"]:
            raise UsageError(
                f"{text[:40]!r} is not a whole seal. Nothing was changed.",
                next_step="give --seal as `release review` printed it.",
            )
        return Seal(environment=found["environment"], at=int(found["at"]), hashes=dict(zip(Part, hashes, strict=True)))

    def moved(self, facts: Facts) -> tuple[Part, ...]:
        """The parts that are no longer what was reviewed."""
        return tuple(part for part in Part if self.hashes[part] != _hash(facts.get(part)))


_SEAL = re.compile(
    rf"(?P<body>{VERSION}:(?P<environment>[A-Za-z0-9_.-]+):(?P<at>\d+):(?P<hashes>[0-9a-f-]+)):(?P<check>[0-9a-f]+)"
)


def _hash(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


# ---- Refusals -------------------------------------------------------------------------------------------------


def check_meant(seal: Seal, environment: str, digest: str, now: float, valid_for: float) -> None:
    """What needs no preview: raises `Refused` for a seal of another environment or digest, or one that has expired."""
    if seal.environment != environment:
        raise _void(f"This seal is of {seal.environment}, and not of {environment}.", environment)
    if seal.hashes[Part.DIGEST] != _hash(digest):
        raise _void("This seal is of another digest.", environment, f"what is released now is {digest}")
    if not seal.at - CLOCKS <= now <= seal.at + valid_for:
        when = f"it is of {in_words(seal.at)}, and approvals are valid for {valid_for:.0f} s (approval.validFor)"
        raise _void("This seal has expired." if now > seal.at else "This seal is of the future.", environment, when)


CLOCKS = 300
"""Seconds by which the clocks of two machines may differ."""


def check_unmoved(seal: Seal, facts: Facts, reviewed: Facts | None = None) -> None:
    """Raises `Refused` with a line for each part that has moved. `reviewed`: what was sealed, where that is known."""
    moved = seal.moved(facts)
    if not moved:
        return
    lines = [f"  {_moved(part, facts, reviewed)}" for part in moved]
    environment, at = seal.environment, in_words(seal.at)
    if Part.PLAN in moved and _keeps(facts):
        live = f"{environment} has this release live by now: the seal of its review at {at} is void. These have moved:"
        next_step = f"`release status {environment}` shows what is live; for another release, `release review` anew."
        raise _void("\n".join([live, *lines]), environment, next_step=next_step)
    what = f"{environment} is no longer what was reviewed at {at}. These have moved:"
    raise _void("\n".join([what, *lines]), environment)


def _keeps(facts: Facts) -> bool:
    """Is what was asked for live, so that an update would only keep it?"""
    plan = facts.get(Part.PLAN)
    decision = str(plan.get(DECISION, "")) if isinstance(plan, Mapping) else ""
    return decision.partition(" ")[0] == DecisionKind.KEEP


def _moved(part: Part, facts: Facts, reviewed: Facts | None) -> str:
    new = _shown(facts.get(part))
    if reviewed is None or part not in reviewed:
        return f"{part}: now {new}"
    return f"{part}: {_difference(reviewed[part], facts.get(part))}"


def _difference(old: Any, new: Any) -> str:
    """Old and new; of mappings only the keys that differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [key for key in sorted({*old, *new}, key=_first) if old.get(key) != new.get(key)]
        shown = [f"{key}: {_shown(old.get(key))} -> {_shown(new.get(key))}" for key in keys[:MOST]]
        return "; ".join([*shown, *([f"and {len(keys) - MOST} more"] if len(keys) > MOST else [])])
    return f"{_shown(old)} -> {_shown(new)}"


def _first(key: str) -> tuple[bool, str]:
    """The decision, then by name."""
    return key != DECISION, key


MOST = 6
"""Keys of a part that a refusal names; a first release has some fifty resources."""

LONGEST = 160


def _shown(value: Any) -> str:
    if value is None or value == [] or value == {}:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _void(what: str, environment: str, why: str = "", next_step: str = "") -> Refused:
    error = Refused(
        f"{what}\nNothing was changed." if "\n" in what else f"{what} Nothing was changed.",
        why=why,
        next_step=next_step or f"`release review {environment}`, have it approved, and give its seal.",
    )
    error.of_seal = True
    return error


# ---- What the program holds under the lock --------------------------------------------------------------------


def bound(
    kind: DecisionKind, live: Colour | None, release: str, weights: Weights | None, standing: Recorded | None
) -> str:
    """The decision of an update, as a hash: what it does, to which release (its id), from which weights and record.

    The command computes it of its preview, the program of its decision under the lock, where nothing can come between.
    """
    shares = {str(colour): share for colour, share in weights.items()} if weights is not None else None
    record = [standing.live_colour, standing.live.id] if standing else None
    return _hash([kind, live, release, shares, record])
