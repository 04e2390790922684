"""`database`: PostgreSQL of RDS, which both colours share."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from release_lane.settings.section import Section, sound

_CLASS = re.compile(r"db(\.[a-z0-9-]+){2,3}")
_MAJOR = re.compile(r"1[5-9]|[2-9][0-9]")


def class_problem(text: str) -> str:
    """A class of instances, as RDS names them (AWS/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.html); "" for no
    database."""
    return "" if not text or _CLASS.fullmatch(text) else "should be a class of RDS instances, like db.t4g.micro"


def version_problem(text: str) -> str:
    """A major version of PostgreSQL. From 15 on RDS takes encrypted connections only, by default
    (AWS/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html)."""
    if _MAJOR.fullmatch(text):
        return ""
    return 'should be a major version of PostgreSQL from 15 on, like "17"; RDS keeps the minor one up to date'


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
