"""The image digest: `sha256:` + 64 hex digits, the only name by which an image is deployed."""

from __future__ import annotations

import re
from typing import NewType

from release_lane.errors import UsageError

Digest = NewType("Digest", str)

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOW = "Take it from `pulumi stack output imageDigest --stack artifacts`, or from `release build`."


def parse_digest(text: str) -> Digest:
    """Read a digest; a tag, `latest`, an image reference or a damaged digest is a `UsageError`."""
    if _DIGEST.fullmatch(text):
        return Digest(text)
    raise UsageError(f"{text!r} is not an image digest.", why=_why(text), next_step=_HOW)


def _why(text: str) -> str:
    if "@" in text:
        return f"it is a full image reference; only the part after the @ is wanted: {text.rsplit('@', 1)[1]!r}"
    if text == "latest" or (text and ":" not in text and not re.fullmatch(r"[0-9a-fA-F]{64}", text)):
        return "it is a tag; a tag can be moved to another image, a digest cannot"
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return "the prefix sha256: is missing, or its hex digits are not in lower case"
    if text.lower().startswith("sha256:"):
        return f"sha256: must be followed by 64 lower-case hex digits, here are {len(text) - 7} characters"
    return "a digest is sha256: followed by 64 lower-case hex digits"


def short(digest: str) -> str:
    """The first 12 hex digits, for people: `sha256:0123456789ab`."""
    return digest[:19]
