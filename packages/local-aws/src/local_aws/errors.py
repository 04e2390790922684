"""The errors of the local cloud and its toolchain.

    LocalError          a tool, a port, a disk … is missing or unfit           exit code 3
    ├── NotAllowed      this user may not do it                                 exit code 3
    └── Busy            another command holds the local cloud's lock      exit code 4

Each says what failed, why, and the next step; they are caught once, in `local_aws.__main__`.
"""

from __future__ import annotations


class LocalError(Exception):
    """What failed (one sentence), why, and what a person should do next."""

    exit_code = 3

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        self.what, self.why, self.next_step = what, why, next_step
        lines = [what, f"why:  {why}" if why else "", f"next: {next_step}" if next_step else ""]
        super().__init__("\n  ".join(line for line in lines if line))


class NotAllowed(LocalError):
    """What this user may not do, here or elsewhere on this machine."""


class Busy(LocalError):
    """Another process is doing it right now."""

    exit_code = 4
