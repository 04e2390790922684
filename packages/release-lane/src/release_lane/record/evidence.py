"""Evidence: what a stack recorded when a digest passed there, and whether the next environment may rely on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from release_lane.record.digest import Digest

KEPT = 50
"""How many digests a stack remembers as proven; the oldest are forgotten first."""

NOT_RECORDED = "an earlier version of the lane did not record what it could not check"
"""All that can be said of a proof that is older than the field `unchecked`."""


class Drill(StrEnum):
    """The two updates of a drill: traffic goes back to the previous release, then forward again."""

    BACK = "back"
    FORWARD = "forward"


@dataclass(frozen=True, kw_only=True)
class Proof:
    """One digest that passed every gate of an environment. `at` is UTC, ISO 8601; `smoke` says what was checked.

    `unchecked` are short sentences of what no gate could see. `drilled`: when a drill of this release ended, traffic
    having gone back from it and forward again ("" if none did). `drilling`: when one began that has not ended.
    """

    digest: Digest
    commit: str
    release_id: str
    at: str
    smoke: str = ""
    unchecked: tuple[str, ...] = ()
    drilled: str = ""
    drilling: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as kept in stack outputs."""
        return {
            "digest": self.digest,
            "commit": self.commit,
            "releaseId": self.release_id,
            "at": self.at,
            "smoke": self.smoke,
            "unchecked": list(self.unchecked),
            **{key: at for key, at in (("drilled", self.drilled), ("drilling", self.drilling)) if at},
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
            drilled=str(value.get("drilled") or ""),
            drilling=str(value.get("drilling") or ""),
        )


def proof_of(digest: str, evidence: Iterable[Proof]) -> Proof | None:
    """The latest proof of this digest, or None."""
    return next((proof for proof in reversed(list(evidence)) if proof.digest == digest), None)


def with_proof(
    evidence: Iterable[Proof], proof: Proof, drill: Drill | None = None, left: str = ""
) -> tuple[Proof, ...]:
    """Evidence with one more proof: one entry a digest, oldest first, at most `KEPT`.

    `drill` says which half of a drill the switch was, `left` which digest the traffic came from. A drill that began
    ends with the next switch: well if that is its other half, and without a result if it is anything else. An earlier
    drill of the same release stays.
    """
    known = [*evidence]
    earlier = proof_of(proof.digest, known)
    if earlier and earlier.release_id == proof.release_id:
        ended = proof.at if drill is Drill.FORWARD and earlier.drilling else ""
        proof = replace(proof, drilled=ended or earlier.drilled)
    begun = left if drill is Drill.BACK else ""
    others = [replace(old, drilling=proof.at if old.digest == begun else "") for old in known]
    return (*(old for old in others if old.digest != proof.digest), proof)[-KEPT:]
