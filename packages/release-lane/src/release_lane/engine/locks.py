"""Who holds a stack's lock, where that was started, and how it is reported. Pure.

The engine's lock names user, host, process and time, nothing else. So `release` leaves a note in the backend while
an update that it started runs; a lock that an update by bare `pulumi` holds has none, and its CI run is unknown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from release_lane.engine.texts import HOLDER, LOCKED
from release_lane.errors import Refused

_FRACTION = re.compile(r"\.\d+")

_RUNS = ("PULUMI_CI_BUILD_URL", "CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL")
"""Where CI systems say how to find a run: any, GitLab, Buildkite, CircleCI, Jenkins (GitHub: in three parts)."""
_PEOPLE = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILDKITE_BUILD_CREATOR", "CIRCLE_USERNAME", "BUILD_USER_ID")


class Owner(StrEnum):
    """What is known of the process that took a lock. Another program may have got its number since."""

    RUNS = "runs"
    GONE = "gone"
    REPLACED = "replaced"
    UNKNOWN = "unknown"

    @property
    def dead(self) -> bool:
        """For sure."""
        return self in (Owner.GONE, Owner.REPLACED)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where this command runs: who started it, the URL of the CI run ("" each, if unknown)."""

    who: str = ""
    run: str = ""

    @staticmethod
    def read(environ: Mapping[str, str]) -> Origin:
        """By what CI systems say in the environment."""
        github = [environ.get(f"GITHUB_{part}", "") for part in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
        url = f"{github[0]}/{github[1]}/actions/runs/{github[2]}" if all(github) else ""
        return Origin(
            who=next((environ[name] for name in _PEOPLE if environ.get(name)), ""),
            run=url or next((environ[name] for name in _RUNS if environ.get(name)), ""),
        )


@dataclass(frozen=True, kw_only=True)
class Note:
    """What `release` leaves in the backend for as long as an engine that it started runs.

    `at`: when it was started (ISO 8601). `doing`: the update in words. `place` tells apart machines (and containers)
    that share a host name: their process ids mean nothing to each other.
    """

    host: str
    pid: int
    at: str
    doing: str
    who: str = ""
    run: str = ""
    place: str = ""

    def text(self) -> str:
        """As it is stored: a JSON object."""
        return json.dumps(asdict(self))

    @staticmethod
    def parse(text: str) -> Note | None:
        """Read one; None for what is not one."""
        try:
            raw = json.loads(text)
            known = {field.name: raw[field.name] for field in fields(Note) if field.name in raw}
            return Note(**{**known, "pid": int(known["pid"])})
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who holds a stack's lock. `since` is ISO 8601, as the engine writes it."""

    user: str
    host: str
    pid: int
    since: str
    note: Note | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}) since {_FRACTION.sub('', self.since)}, {self.origin}"

    @property
    def origin(self) -> str:
        """What it does, and in which CI run, in words."""
        if self.note is None:
            return "CI run unknown (not started by `release`)"
        by = f" by {self.note.who}" if self.note.who else ""
        return f"`{self.note.doing}`{by}" + (f" in {self.note.run}" if self.note.run else ", outside CI")

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        note = self.note
        return {
            "user": self.user,
            "host": self.host,
            "process": self.pid,
            "since": self.since,
            "doing": note.doing if note else None,
            "who": note.who or None if note else None,
            "run": note.run or None if note else None,
        }


SOMEBODY = Holder(user="somebody", host="an unknown host", pid=0, since="an unknown time")


def lock_holders(stderr: str) -> tuple[Holder, ...]:
    """Who holds the lock, if that is why the engine gave up; else none."""
    if not any(words in stderr for words in LOCKED):
        return ()
    found = tuple(
        Holder(user=each["user"], host=each["host"], pid=int(each["pid"]), since=each["since"])
        for each in HOLDER.finditer(stderr)
    )
    return found or (SOMEBODY,)


def read_lock(text: str) -> Holder:
    """Read the engine's own lock object (lock.go, lockContent); for a damaged one, by `SOMEBODY`."""
    try:
        raw = json.loads(text)
        return Holder(
            user=str(raw["username"]), host=str(raw["hostname"]), pid=int(raw["pid"]), since=str(raw["timestamp"])
        )
    except (ValueError, KeyError, TypeError):
        return SOMEBODY


def locked(stack: str, holders: Iterable[Holder], gone: bool = False) -> Refused:
    """The refusal for a held lock. `gone`: the holder is a process of this machine that no longer runs."""
    who = "; ".join(map(str, holders))
    why = "two updates of one stack never run at once"
    if gone:
        why = "that process is gone: it was killed and left its lock behind"
    return Refused(
        f"{stack} is being updated by {who}. Nothing was changed.",
        why=why,
        next_step=f"`release recover {stack}` removes the lock and says what else was left, then run it again."
        if gone
        else f"wait for it (--lock-wait 10m); if it is dead for sure: `release recover {stack}`.",
    )
