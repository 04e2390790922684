"""Everything this project refuses or fails with, as one tree.

    ReleaseError           what happened, why, and the next step; carries the command's exit code
    ├── CheckFailed    1   a gate or check said no
    ├── UsageError     2   the settings or the command line are wrong; nothing was changed
    ├── CloudError     3   AWS, Docker, the engine or another tool failed
    ├── Refused        4   lock, evidence, intent or drift: it could be done, but must not
    └── Interrupted  130   Ctrl-C, or an abort request

Exit codes are those of docs/guides/command.md. A traceback is shown only with `--debug`.

From a gate or the program to the command an error crosses the engine as text. This module is that text's one writer
(`str`) and its one reader (`read`, `parse`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Users(StrEnum):
    """What a failed update did to the users' traffic."""

    UNTOUCHED = "untouched"
    """No weight was changed."""
    RESTORED = "restored"
    """Weights were changed, and the traffic was rolled back."""
    UNSURE = "unsure"
    """The traffic is not where it should be, or that could not be checked: a person must look first."""


class ReleaseError(Exception):
    """A failure in three sentences: `what` happened, `why`, and the `next_step` that helps.

    `users` is what it did to their traffic, None where that was not reported.
    """

    exit_code: ClassVar[int] = 3
    shown: bool = False
    """The engine's display has shown it in full already."""

    def __init__(self, what: str, *, why: str = "", next_step: str = "", users: Users | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step
        self.users = users

    def __str__(self) -> str:
        """Each part on its own lines, as `read` takes it; parts that were not given are left out."""
        parts = {"Why": self.why, "Next": self.next_step, "Kind": type(self).__name__, "Users": self.users}
        return "\n".join([self.what, *(f"{label}: {part}" for label, part in parts.items() if part)])

    @property
    def what_and_why(self) -> str:
        """Both, where no room is for the next step."""
        return " ".join(filter(None, (self.what, self.why)))

    def in_short(self) -> str:
        """The first line, the users and the next step: for the end, where all of it stands further up."""
        head, *rest = self.what.splitlines() or [""]
        head = f"{head.rstrip(':')} (in full above)" if rest or self.why else head
        parts = {"Users": self.users, "Next": self.next_step}
        return "\n".join([head, *(f"{label}: {part}" for label, part in parts.items() if part)])

    def as_dict(self) -> dict[str, str | int | None]:
        """The same for `--json`: keys error, what, why, next_step, users, exit_code."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "why": self.why,
            "next_step": self.next_step,
            "users": str(self.users) if self.users else None,
            "exit_code": self.exit_code,
        }


class CheckFailed(ReleaseError):
    """A gate or check said no. `users` says whether it said so before or after their traffic was moved. `foreign`: it
    speaks of another writer of the weights or of the service, and not of the release."""

    exit_code = 1
    foreign: bool = False


class UsageError(ReleaseError):
    """Settings or command line are wrong; nothing was changed."""

    exit_code = 2


class CloudError(ReleaseError):
    """AWS, Docker, the engine or another tool failed. `unclear`: what was asked for may have been done all the same."""

    exit_code = 3
    unclear: bool = False


class Refused(ReleaseError):
    """Lock, evidence, intent or drift: it could be done, but must not. `of_seal`: it speaks of an approval that is
    missing or no longer holds, and not of the release."""

    exit_code = 4
    of_seal: bool = False


class Interrupted(ReleaseError):
    """Stopped by a person or by a signal."""

    exit_code = 130


KINDS: Mapping[str, type[ReleaseError]] = {
    kind.__name__: kind for kind in (CheckFailed, UsageError, CloudError, Refused, Interrupted)
}
"""Kinds by the name on the line `Kind:`."""

_LABELS = ("Why", "Next", "Kind", "Users")


@dataclass(frozen=True)
class Parts:
    """A message taken apart. `kind` is None where it names none that is known, and so is `users`."""

    what: str
    why: str
    next_step: str
    kind: type[ReleaseError] | None
    users: Users | None

    def as_error(self, kind: type[ReleaseError]) -> ReleaseError:
        """The error that it reports, of this kind."""
        return kind(self.what, why=self.why, next_step=self.next_step, users=self.users)


def read(text: str) -> Parts:
    """Take a message apart: what `ReleaseError.__str__` wrote, in this version or an earlier one, or anything else."""
    what: list[str] = []
    parts: dict[str, str] = {}
    for line in text.splitlines():
        label, colon, rest = line.partition(": ")
        if colon and label in _LABELS:
            parts[label] = rest.strip()
        elif parts and line.strip():
            parts[list(parts)[-1]] += "\n" + line
        else:
            what.append(line)
    users = parts.get("Users", "")
    return Parts(
        what="\n".join(what),
        why=parts.get("Why", ""),
        next_step=parts.get("Next", ""),
        kind=KINDS.get(parts.get("Kind", "")),
        users=Users(users) if users in list(Users) else None,
    )


def parse(text: str) -> ReleaseError | None:
    """The error that a gate or the program wrote as text; None where it names no kind."""
    parts = read(text)
    return parts.as_error(parts.kind) if parts.kind else None
