"""A git commit: the only name by which the source of an image is known. Pure."""

from __future__ import annotations

import re


def is_commit(text: str) -> bool:
    """Is it the full name of a commit (SHA-1 or SHA-256, lower case)?"""
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) is not None
