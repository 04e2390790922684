"""How two releases differ, in words. Pure.

Configuration is named by its keys in the stack file: sizes with both values, variables and secrets without any.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from release_lane.record.digest import short
from release_lane.record.placement import Release, Service


def settings_apart(found: Service, meant: Service) -> str:
    """The settings in which two services differ: `env.LOG_LEVEL, service.cpu 512 (not 256)`; "" for none."""
    here, there = _with_defaults(found), _with_defaults(meant)
    named: list[str] = []
    for key in sorted({*here, *there}):
        ours, theirs = here.get(key), there.get(key)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            names = sorted({*ours, *theirs})
            named += [f"{key}.{name}" for name in names if ours.get(name) != theirs.get(name)]
        elif ours != theirs:
            section = "smoke" if key == "identify" else "service"
            named.append(f"{section}.{key} {ours or 'none'} (not {theirs or 'none'})")
    return ", ".join(named)


def _with_defaults(service: Service) -> Mapping[str, Any]:
    """Its settings as recorded, with the defaults that the record leaves out."""
    return {**service.asked.as_dict(), **service.as_dict()}


def release_named(found: Release, meant: Release) -> str:
    """`found` in words that distinguish it from `meant`: its digest; where that is the same, the other settings."""
    settings = settings_apart(found.service, meant.service) if found.digest == meant.digest else ""
    return short(found.digest) + (f" with other settings: {settings}" if settings else "")


def image_named(digest: str) -> str:
    """What a colour's tasks run, by `Side.digest`: one digest, or `several images`."""
    return short(digest) if digest.startswith("sha256:") else f"{digest} images"
