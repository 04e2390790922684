"""How the commit that is asked for stands to the one that is live, as far as git knows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from release_lane.record.commit import is_commit


class Order(StrEnum):
    """A commit against another one, by what each contains."""

    SAME = "same"
    NEWER = "newer"  # contains the other one
    OLDER = "older"  # is contained in the other one
    APART = "apart"  # neither contains the other
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Relation:
    """How one commit stands to another. `why` says why that is unknown ("" where it is known)."""

    order: Order
    why: str = ""


NOT_ASKED = Relation(order=Order.UNKNOWN, why="git was not asked")


def known_without_git(commit: str, other: str) -> Relation | None:
    """What needs no history: the same commit, and commits that are not known. None where git has to be asked."""
    if not (is_commit(commit) and is_commit(other)):
        which = "of this image" if not is_commit(commit) else "that is live"
        return Relation(order=Order.UNKNOWN, why=f"the commit {which} is unknown")
    return Relation(order=Order.SAME) if commit == other else None


# ---- What evidence keeps of it

OLDER = "an older commit than"
NOT_KNOWN = "the order of commits is not known"


def said_of_order(relation: Relation, live: str) -> tuple[str, ...]:
    """The sentence about an order that is no proof of progress; none for any other order. `live`: the live commit."""
    match relation.order:
        case Order.OLDER:
            return (f"{OLDER} {live[:12]}, which it replaces (allowOlder)",)
        case Order.UNKNOWN:
            return (f"{NOT_KNOWN}: {relation.why}",)
    return ()


def is_about_order(sentence: str) -> bool:
    """Is it such a sentence? It is true of one switch only, not of the image that was switched to."""
    return sentence.startswith((OLDER, NOT_KNOWN))
