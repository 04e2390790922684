"""`database`: PostgreSQL of RDS, which both colours share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from release_lane.settings.section import Section, sound

_CLASS = re.compile(r"db\.([a-z0-9-]+)\.[a-z0-9]+")
_MAJOR = re.compile(r"[0-9]{2}")

CLOSED = frozenset({"t1", "t2", "m1", "m2", "m3", "m4", "r3", "r4"})
"""Earlier generations of instances, none of which takes a PostgreSQL of today
(AWS/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Support.html). No other class is refused by name: there are new
ones each year, and RDS says at once which of them a region has not."""

OLDEST = 15
"""From it on RDS takes encrypted connections only, by default
(AWS/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html)."""

NEWEST = 19 + 5
"""RDS named versions up to 19 when this was written
(AWS/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html). PostgreSQL has one major version a year: five
more keep this rule from refusing, for years, what RDS has by then; beyond them is a slip such as 71. One that RDS does
not have yet it refuses itself, while it makes or changes the database: no traffic has moved by then."""


def class_problem(text: str) -> str:
    """A class of instances, as RDS names them (AWS/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.html); "" for no
    database."""
    if not text:
        return ""
    if not (found := _CLASS.fullmatch(text)):
        return "should be a class of RDS instances, like db.t4g.micro"
    if found[1] in CLOSED:
        return f"is of a generation that takes no PostgreSQL from {OLDEST} on: db.t4g.micro does"
    return ""


def version_problem(text: str) -> str:
    """A major version of PostgreSQL; RDS takes the newest minor one of it
    (AWS/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-versions.html)."""
    if _MAJOR.fullmatch(text) and OLDEST <= int(text) <= NEWEST:
        return ""
    known = f"from {OLDEST} to {NEWEST}"
    return f'should be a major version of PostgreSQL {known}, like "17"; RDS keeps the minor one up to date'


class DatabaseSettings(Section):
    """`database`: one instance. Without `instanceClass` there is none.

    Storage and backups: AWS/AmazonRDS/latest/APIReference/API_CreateDBInstance.html (AllocatedStorage of gp3,
    BackupRetentionPeriod; 0 would be none). `deletionProtection`: by default as the load balancer's.
    """

    instance_class: Annotated[str, sound(class_problem)] = ""
    storage_gb: int = Field(default=20, ge=20, le=65536)
    engine_version: Annotated[str, sound(version_problem)] = "17"
    backup_days: int = Field(default=7, ge=1, le=35)
    multi_zone: bool = False
    deletion_protection: bool | None = None


def database_problems(given: DatabaseSettings, *, asked: bool) -> list[str]:
    """What several keys together get wrong."""
    return ["database.instanceClass: is missing"] if asked and not given.instance_class else []
