"""The command `release <verb> [ENVIRONMENT]`: a verb a file, one `except` at the edge.

Data goes to stdout, progress and the engine's own display to stderr. Exit codes: 0 done, 1 a check said no,
2 usage or settings, 3 the cloud or a tool failed, 4 refused, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import NoReturn

from release.cli.parser import parse
from release.cli.terminal import Terminal
from release.cli.tools import Tools, real_tools
from release.errors import CloudError, Interrupted, ReleaseError

BROKEN_PIPE = 141
"""What a shell shows for a program whose reader went away (128 + SIGPIPE)."""


def main() -> int:
    """Entry point of the installed command; returns its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    return run(sys.argv[1:], Terminal.real())


def run(argv: Sequence[str], terminal: Terminal, make: Callable[[Terminal], Tools] = real_tools) -> int:
    """Run one command line; the exit code. Every error ends here, as words."""
    terminal = replace(terminal, json="--json" in argv)
    try:
        chosen = parse(argv, terminal)
        return chosen.verb.run(make(terminal), chosen.arguments) if chosen else 0
    except ReleaseError as error:
        return _failed(terminal, error, argv)
    except KeyboardInterrupt:
        return _failed(terminal, Interrupted("Stopped.", next_step="`release status` shows where things stand."), argv)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as bug:
        return _failed(terminal, _own_mistake(bug), argv)


def _own_mistake(bug: Exception) -> CloudError:
    error = CloudError(
        f"release itself failed: {type(bug).__name__}: {bug}",
        why="this is a mistake in the command, not in what you asked for",
        next_step="run it again with --debug and report the traceback; `release status` shows where things stand.",
    )
    error.__cause__ = bug
    return error


def _failed(terminal: Terminal, error: ReleaseError, argv: Sequence[str]) -> int:
    if "--debug" in argv:
        terminal.say("".join(traceback.format_exception(error)))
    terminal.fail(error)
    return error.exit_code


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt
