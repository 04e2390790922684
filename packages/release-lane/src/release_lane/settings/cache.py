"""`cache`: Valkey of ElastiCache, which both colours share."""

from __future__ import annotations

import re
from typing import Annotated

from release_lane.settings.section import Section, sound

_TYPE = re.compile(r"cache\.([a-z0-9-]+)\.[a-z0-9]+")
_VERSION = re.compile(r"([1-9][0-9]?)\.[0-9]")

CLOSED = frozenset({"t1", "t2", "m1", "m2", "m3", "c1", "r3"})
"""Earlier generations of nodes, of which ElastiCache makes no new ones
(AWS/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html)."""

TIERED = "r6gd"
"""Its nodes need data tiering, which this program does not ask for
(AWS/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html)."""

OLDEST, NEWEST = "7.2", 9 + 5
"""ElastiCache named 7.2, and majors from 8 to 9, when this was written
(AWS/AmazonElastiCache/latest/dg/engine-versions.html). Five more majors are taken, as of the database (database.py)."""


def type_problem(text: str) -> str:
    """A type of nodes, as ElastiCache names them (AWS/AmazonElastiCache/latest/dg/CacheNodes.SupportedTypes.html); ""
    for no cache."""
    if not text:
        return ""
    if not (found := _TYPE.fullmatch(text)):
        return "should be a type of ElastiCache nodes, like cache.t4g.micro"
    if found[1] in CLOSED:
        return "is of a generation of which ElastiCache makes no new nodes: cache.t4g.micro is of one that it does"
    if found[1] == TIERED:
        return "needs data tiering, which is not offered here: cache.r7g.large does not"
    return ""


def version_problem(text: str) -> str:
    """A version of Valkey, without its patch (AWS/AmazonElastiCache/latest/dg/engine-versions.html)."""
    found = _VERSION.fullmatch(text)
    if text == OLDEST or (found and 8 <= int(found[1]) <= NEWEST):
        return ""
    return f'should be {OLDEST} or a version of Valkey from 8.0 to {NEWEST}.9, like "8.1"'


class CacheSettings(Section):
    """`cache`: one node, or with `multiZone` a second one in another zone that takes over. Without `nodeType` there is
    none."""

    node_type: Annotated[str, sound(type_problem)] = ""
    engine_version: Annotated[str, sound(version_problem)] = "8.1"
    multi_zone: bool = False


def cache_problems(given: CacheSettings, *, asked: bool) -> list[str]:
    """What several keys together get wrong."""
    return ["cache.nodeType: is missing"] if asked and not given.node_type else []
