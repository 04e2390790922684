"""Evidence: what a stack recorded when a digest passed there, and whether the next environment may rely on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from release_lane.record.digest import Digest
from release_lane.record.table import Table

KEPT = 50
"""How many digests a stack remembers as proven; the oldest are forgotten first."""

NAMED = 50
"""How many checks of a digest are kept by name."""

NOT_RECORDED = "an earlier version of the lane did not record what it could not check"
"""All that can be said of a proof that is older than the field `unchecked`."""


class Drill(StrEnum):
    """The updates of a drill: traffic goes back to the previous release, then forward again; and once it was counted
    that no request failed, the proof says so."""

    BACK = "back"
    FORWARD = "forward"
    PASSED = "passed"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One digest that passed every gate of an environment. `at` is UTC, ISO 8601; `smoke` says what was checked.

    `checks` are the names of the smoke checks that passed; `unchecked` are short sentences of what no gate could see.
    `tables` are what the checks reported: answers of this release compared with those of the one that was live.
    `drilled`: when a drill of this release began in which traffic went back from it and forward again without a failed
    request ("" if none did). `drilling`: when one began that has no result yet.
    `migrated`: what its migration did to the database's schema (`from r1 to r2`), "" where none ran.
    """

    digest: Digest
    commit: str
    release_id: str
    at: str
    smoke: str = ""
    unchecked: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    drilled: str = ""
    drilling: str = ""
    tables: tuple[Table, ...] = ()
    migrated: str = ""

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
            **({"tables": [table.as_dict() for table in self.tables]} if self.tables else {}),
            **{key: value for key, value in self._newer.items() if value},
        }

    @property
    def _newer(self) -> dict[str, str]:
        return {"drilled": self.drilled, "drilling": self.drilling, "migrated": self.migrated}

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
            drilled=str(value.get("drilled") or ""),
            drilling=str(value.get("drilling") or ""),
            tables=tuple(Table.from_dict(table) for table in value.get("tables") or ()),
            migrated=str(value.get("migrated") or ""),
        )


def proof_of(digest: str, evidence: Iterable[Proof]) -> Proof | None:
    """The latest proof of this digest, or None."""
    return next((proof for proof in reversed(list(evidence)) if proof.digest == digest), None)


def with_proof(
    evidence: Iterable[Proof], proof: Proof, drill: Drill | None = None, left: str = ""
) -> tuple[Proof, ...]:
    """Evidence with one more proof: one entry a digest, oldest first, at most `KEPT`.

    `drill` says which half of a drill the switch was, `left` which digest the traffic came from. A drill that began
    ends without a result at any switch that is not its other half. An earlier drill of the same release stays.
    """
    known = [*evidence]
    earlier = proof_of(proof.digest, known)
    if earlier and earlier.release_id == proof.release_id:
        goes_on = earlier.drilling if drill is Drill.FORWARD else ""
        migrated = proof.migrated or earlier.migrated
        proof = replace(proof, drilled=earlier.drilled, drilling=goes_on, migrated=migrated)
    begun = left if drill is Drill.BACK else ""
    others = [replace(old, drilling=proof.at if old.digest == begun else "") for old in known]
    return (*(old for old in others if old.digest != proof.digest), proof)[-KEPT:]


def with_passed_drill(evidence: Iterable[Proof], digest: str) -> tuple[Proof, ...]:
    """Evidence after a drill of this digest in which no request failed."""
    return tuple(
        replace(proof, drilled=proof.drilling, drilling="") if proof.digest == digest and proof.drilling else proof
        for proof in evidence
    )
