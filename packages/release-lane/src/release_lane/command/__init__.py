"""The command `release <verb> [ENVIRONMENT]`: a verb a file, one `except` at the edge.

Data goes to stdout, progress and the engine's own display to stderr. Exit codes: 0 done, 1 a check said no,
2 usage or settings, 3 the cloud or a tool failed, 4 refused, 5 done but the result could not be written,
130 interrupted.
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

from provider_kit.streams import conclude, outlive_readers

from release_lane.command.adapters import detached
from release_lane.command.parser import Chosen, parse
from release_lane.command.recording import recorded
from release_lane.command.terminal import Terminal
from release_lane.command.tools import Tools, real_tools
from release_lane.errors import CloudError, Interrupted, ReleaseError
from release_lane.proxies import direct


def main() -> int:
    """Entry point of the installed command; returns its exit code."""
    if detached.needed(os.environ):
        return detached.run(sys.argv[1:], os.environ)
    report = detached.reporting(os.environ)
    code = _main()
    if report is not None:
        os.write(report, str(code).encode())
    return code


def _main() -> int:
    outlive_readers()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` leaves it
        signal.signal(signal.SIGHUP, _interrupt)
    os.environ.update(direct(os.environ))
    return conclude(run(sys.argv[1:], Terminal.real()))


def run(argv: Sequence[str], terminal: Terminal, make: Callable[[Terminal], Tools] = real_tools) -> int:
    """Run one command line; the exit code. Every error ends here, as a message."""
    terminal = replace(terminal, json="--json" in argv)
    try:
        chosen = parse(argv, terminal)
        if chosen is None:
            return 0
        if not getattr(chosen.verb, "NEEDS_PROJECT", True):
            return chosen.verb.run(terminal, chosen.arguments)
        return _run(make(terminal), chosen)
    except ReleaseError as error:
        return _failed(terminal, error, argv)
    except KeyboardInterrupt as stopped:
        interrupted = Interrupted("Stopped.", next_step="`release status` shows what is live.")
        return _failed(terminal, _with_notes(interrupted, stopped), argv)
    except Exception as bug:
        return _failed(terminal, _own_mistake(bug), argv)


def _run(tools: Tools, chosen: Chosen) -> int:
    """A verb that changes something leaves an entry in the ledger, whatever comes of it."""
    verb, arguments = chosen.verb, chosen.arguments
    if getattr(verb, "IN_LEDGER", False):
        return recorded(tools, verb.NAME, arguments, lambda acting: verb.run(acting, arguments))
    return verb.run(tools, arguments)


def _with_notes(error: ReleaseError, of: BaseException) -> ReleaseError:
    """The error with what was noted on its way."""
    for note in getattr(of, "__notes__", ()):
        error.add_note(note)
    return error


def _own_mistake(bug: Exception) -> ReleaseError:
    error = CloudError(
        f"release itself failed: {type(bug).__name__}: {bug}",
        why="this is a bug in the command, not a mistake of yours",
        next_step="run it again with --debug and report the traceback; `release status` shows what is live.",
    )
    error.__cause__ = bug
    return _with_notes(error, bug)


def _failed(terminal: Terminal, error: ReleaseError, argv: Sequence[str]) -> int:
    if "--debug" in argv:
        terminal.say("".join(traceback.format_exception(error)))
    terminal.fail(error)
    return error.exit_code


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt
