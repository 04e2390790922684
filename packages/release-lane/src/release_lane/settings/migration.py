"""`migration`: what changes the database's schema before tasks of a new release start."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from release_lane.settings.secrecy import holds_secret
from release_lane.settings.section import Section, sound

LONGEST = 4096
"""Characters of the command in all. Together with the variables it has to fit into a task definition of 64 KiB
(AWS: Amazon ECS service quotas, task definition size limit)."""


def command_problem(words: tuple[str, ...]) -> str:
    """A program and its arguments, as a container gets them."""
    if not all(words) or any("\0" in word for word in words):
        return "should have no empty word, and no NUL"
    if sum(map(len, words)) > LONGEST:
        return f"should have at most {LONGEST} characters in all; put more into a script of the image"
    if holds_secret(words):
        return (
            "looks as if it held a secret (not shown; change it if it was one), and stands in clear in state, task "
            "definition and ledger. Give it by `secrets`, and let the program read it from its variable, or a shell: "
            '[sh, -c, "migrate --password=$DB_PASSWORD"]'
        )
    return ""


class MigrationSettings(Section):
    """`migration`: the command that a task of the new image runs, and how long that may take. Empty: none runs."""

    command: Annotated[tuple[str, ...], Field(strict=False), sound(command_problem)] = ()
    deadline_seconds: int = Field(default=600, ge=10, le=3600)
