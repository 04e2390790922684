"""Evidence: what a stack recorded when a digest passed there, and whether the next environment may rely on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.record.digest import Digest

KEPT = 50
"""How many digests a stack remembers as proven; the oldest are forgotten first."""

NAMED = 50
"""How many checks of a digest are kept by name."""

NOT_RECORDED = "an earlier version of the lane did not record what it could not check"
"""All that can be said of a proof that is older than the field `unchecked`."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One digest that passed every gate of an environment. `at` is UTC, ISO 8601; `smoke` says what was checked.

    `checks` are the names of the smoke checks that passed; `unchecked` are short sentences of what no gate could see.
    """

    digest: Digest
    commit: str
    release_id: str
    at: str
    smoke: str = ""
    unchecked: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as kept in stack outputs."""
        return {
            "digest": self.digest,
            "commit": self.commit,
            "releaseId": self.release_id,
            "at": self.at,
            "smoke": self.smoke,
            "unchecked": list(self.unchecked),
            **({"checks": list(self.checks)} if self.checks else {}),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Proof:
        """Read what `as_dict` wrote."""
        return Proof(
            digest=Digest(value["digest"]),
            commit=str(value.get("commit") or ""),
            release_id=str(value.get("releaseId") or ""),
            at=str(value.get("at") or ""),
            smoke=str(value.get("smoke") or ""),
            unchecked=tuple(str(sentence) for sentence in value.get("unchecked", [NOT_RECORDED])),
            checks=tuple(str(name) for name in value.get("checks") or ()),
        )


def proof_of(digest: str, evidence: Iterable[Proof]) -> Proof | None:
    """The latest proof of this digest, or None."""
    return next((proof for proof in reversed(list(evidence)) if proof.digest == digest), None)


def with_proof(evidence: Iterable[Proof], proof: Proof) -> tuple[Proof, ...]:
    """Evidence with one more proof: one entry a digest, oldest first, at most `KEPT`."""
    others = [old for old in evidence if old.digest != proof.digest]
    return (*others, proof)[-KEPT:]
