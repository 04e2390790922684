"""A proxy that is not there: whatever asks it for something fails."""

from __future__ import annotations

from collections.abc import Mapping

from tools.checks import DEAD_PROXY as DEAD

__all__ = ["DEAD", "without"]


def without(environ: Mapping[str, str]) -> dict[str, str]:
    """The same without any word on proxies."""
    return {name: value for name, value in environ.items() if not name.lower().endswith("_proxy")}
