"""Everything this project refuses or fails with, as one tree.

    ReleaseError           what happened, why, and the next step; carries the command's exit code
    ├── CheckFailed    1   a gate or check said no; users were not touched
    ├── UsageError     2   the settings or the command line are wrong; nothing was changed
    ├── CloudError     3   AWS, Docker, the engine or another tool failed
    ├── Refused        4   lock, evidence, intent or drift: it could be done, but must not
    └── Interrupted  130   somebody pressed Ctrl-C or asked for an abort

Exit codes are those of docs/guides/command.md. A traceback is shown only with `--debug`.
"""

from __future__ import annotations

from typing import ClassVar


class ReleaseError(Exception):
    """A failure told in three sentences: `what` happened, `why`, and the `next_step` that helps."""

    exit_code: ClassVar[int] = 3
    told: bool = False
    """The engine's display has shown it in full already."""

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        """All parts on their own lines; parts that were not given are left out.

        The last line names the kind of error: this text is all that crosses from a gate, through the engine's
        display, to the command, which ends with the exit code of that kind.
        """
        lines = [self.what]
        if self.why:
            lines.append(f"Why: {self.why}")
        if self.next_step:
            lines.append(f"Next: {self.next_step}")
        lines.append(f"Kind: {type(self).__name__}")
        return "\n".join(lines)

    def in_short(self) -> str:
        """The first line and the next step: for the end, where the whole of it stands further up."""
        head, *rest = self.what.splitlines() or [""]
        head = f"{head.rstrip(':')} (in full above)" if rest or self.why else head
        return "\n".join([head, *([f"Next: {self.next_step}"] if self.next_step else [])])

    def as_dict(self) -> dict[str, str | int]:
        """The same for `--json`: keys error, what, why, next_step, exit_code."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "why": self.why,
            "next_step": self.next_step,
            "exit_code": self.exit_code,
        }


class CheckFailed(ReleaseError):
    """A gate or check said no; what users see did not change."""

    exit_code = 1


class UsageError(ReleaseError):
    """Settings or command line are wrong; nothing was changed."""

    exit_code = 2


class CloudError(ReleaseError):
    """AWS, Docker, the engine or another tool failed. `unclear`: what was asked for may have been done all the same."""

    exit_code = 3
    unclear: bool = False


class Refused(ReleaseError):
    """Lock, evidence, intent or drift: it could be done, but must not."""

    exit_code = 4


class Interrupted(ReleaseError):
    """Stopped by a person or by a signal."""

    exit_code = 130
