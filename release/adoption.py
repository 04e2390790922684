"""An image that was built elsewhere and adopted: what is known of it, and what nobody here could check. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """`image` is the reference that it was adopted by, `source` where its code is ("" if unknown).

    `commit_by` says who named its commit: `label`, `person`, or "" where nobody did.
    """

    image: str
    source: str = ""
    commit_by: str = ""

    def as_dict(self) -> dict[str, str]:
        """Plain JSON value; the inverse is `from_dict`."""
        return {"image": self.image, "source": self.source, "commitBy": self.commit_by}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Adopted:
        """Read what `as_dict` wrote."""
        return Adopted(
            image=str(value.get("image") or ""),
            source=str(value.get("source") or ""),
            commit_by=str(value.get("commitBy") or ""),
        )


COMMIT_UNKNOWN = "the commit is unknown: nobody can say what is in it"


def unseen(commit: str, adopted: Adopted | None) -> tuple[str, ...]:
    """What no gate can see of an image: what it was built from, unless it was built here."""
    sentences = [] if commit else [COMMIT_UNKNOWN]
    if adopted:
        said = {"label": "its own label", "person": "whoever adopted it"}.get(adopted.commit_by)
        word = f"that it is commit {commit[:12]} is what {said} says" if commit and said else ""
        sentences.append(f"it was built elsewhere ({', '.join(filter(None, (adopted.image.split('@')[0], word)))})")
        sentences += [] if adopted.source else ["where its source is, is unknown"]
    return tuple(sentences)
