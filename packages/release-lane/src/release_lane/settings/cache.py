"""`cache`: Valkey of ElastiCache, which both colours share."""

from __future__ import annotations

import re
from typing import Annotated

from release_lane.settings.section import Section, sound

_TYPE = re.compile(r"cache(\.[a-z0-9-]+){2}")
_VERSION = re.compile(r"7\.2|([89]|[1-9][0-9])\.[0-9]")


def type_problem(text: str) -> str:
    """A type of nodes, as ElastiCache names them (AWS/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html); ""
    for no cache."""
    return "" if not text or _TYPE.fullmatch(text) else "should be a type of ElastiCache nodes, like cache.t4g.micro"


def version_problem(text: str) -> str:
    """A version of Valkey (AWS/AmazonElastiCache/latest/dg/engine-versions.html)."""
    return "" if _VERSION.fullmatch(text) else 'should be a version of Valkey from 7.2 on, like "8.1"'


class CacheSettings(Section):
    """`cache`: one node, or with `multiZone` a second one in another zone that takes over. Without `nodeType` there is
    none."""

    node_type: Annotated[str, sound(type_problem)] = ""
    engine_version: Annotated[str, sound(version_problem)] = "8.1"
    multi_zone: bool = False


def cache_problems(given: CacheSettings, *, asked: bool) -> list[str]:
    """What several keys together get wrong."""
    return ["cache.nodeType: is missing"] if asked and not given.node_type else []
