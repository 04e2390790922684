"""Under Jenkins the command runs outside the tree of processes that Jenkins ends when a build is aborted.

Jenkins signals every process that has the cookie of the step in its environment, and before it all that descend from
it, leaves first (hudson.util.ProcessTree): SIGTERM to each provider, then to the engine, then to the command. Providers
that end first make the engine fail in the middle of a switch. So the process that Jenkins started stays in front: it
forwards signals, and waits. The command is detached: it descends from no process of the step, and has no cookie.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from types import FrameType

from release_lane.errors import CloudError

COOKIES = ("JENKINS_SERVER_COOKIE", "JENKINS_NODE_COOKIE")
"""By these Jenkins knows its processes."""
REPORT = "RELEASE_LANE_REPORT"
"""For the detached command: the descriptor to which it writes its exit code."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_START = """
import os, subprocess, sys
pid, report, *command = sys.argv[1:]
started = subprocess.Popen(command, pass_fds=[int(report)], start_new_session=True)
os.write(int(pid), str(started.pid).encode())
os._exit(0)
"""
"""A process in between, which ends at once: what it started then descends from no process of the step."""


def needed(environ: MutableMapping[str, str]) -> bool:
    """Was this process started by a step of Jenkins? The tree of processes is Linux's."""
    return COOKIES[0] in environ and sys.platform.startswith("linux")


def run(argv: Sequence[str], environ: MutableMapping[str, str]) -> int:
    """Run the command with these arguments, detached; its exit code, CloudError's where it was killed."""
    pid_read, pid_write = os.pipe()
    code_read, code_write = os.pipe()
    kept = {name: value for name, value in environ.items() if name not in COOKIES}
    command = [sys.executable, "-P", "-m", "release_lane.command", *argv]
    early: list[int] = []
    pids: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        with suppress(ProcessLookupError):
            os.kill(pids[0], number) if pids else early.append(number)

    for number in FORWARDED:
        signal.signal(number, forward)
    subprocess.run(
        [sys.executable, "-I", "-S", "-c", _START, str(pid_write), str(code_write), *command],
        env={**kept, REPORT: str(code_write)}, pass_fds=[pid_write, code_write], check=True,
    )  # fmt: skip
    os.close(pid_write)
    os.close(code_write)
    pids.append(int(os.read(pid_read, 32)))
    for received in early:
        forward(received, None)
    if code := os.read(code_read, 32):
        return int(code)
    print("error: release was killed; `release status` shows what is live.", file=sys.stderr)
    return CloudError.exit_code


def reporting(environ: MutableMapping[str, str]) -> int | None:
    """The descriptor for the exit code, if this is the detached command; no process that it starts gets it."""
    if (text := environ.pop(REPORT, "")) and text.isdigit():
        os.set_inheritable(int(text), False)
        return int(text)
    return None
