"""The engine's own words that are read, because it says these things in no other way. Pure.

Sources: its packages of the pinned version (pkg, sdk/python). docs/adr/0017 says why there are any.
"""

from __future__ import annotations

import re

LOCKED = ("the stack is currently locked by", "Another update is currently in progress")
"""A held lock, by a backend of files or objects (pkg/backend/diy/lock.go, checkForLock) or by a service."""

HOLDER = re.compile(r"created by (?P<user>[^@\s]*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
"""Who holds it: a line for each lock, below the words above."""

NOT_LOCKED = "not currently locked"
"""`pulumi cancel` of a stack without a lock, by backends that fail for it; that of files and objects does not."""

STACK_EXISTS = "already exists"
"""`pulumi stack init` of a stack that is there (pkg/backend/backenderr)."""

UNKNOWN_STACK = "unknown stack"
"""The program asks for the outputs of a stack that is not there (pkg/backend/backend.go)."""

PROGRAM_FAILED = "Program failed with an unhandled exception"
"""A mistake in the program (sdk/python/cmd/pulumi-language-python-exec)."""


def without_wrapping(token: str, text: str) -> str:
    """What a provider's function said, without the words of SDK (runtime/invoke.py) and engine (source_eval.go)."""
    said = text.removeprefix(f"invoke of {token} failed: ").removeprefix(f"invocation of {token} returned an error: ")
    return said.strip()
