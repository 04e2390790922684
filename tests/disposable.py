"""Whether the local cloud is brought down after the tests, so that environments may be left in it."""

from __future__ import annotations

import os


def cloud_goes() -> bool:
    """Set by tools/checks.py for a cloud that it started itself. Removing environments one by one takes minutes."""
    return os.environ.get("LOCAL_CLOUD_GOES") == "1"
