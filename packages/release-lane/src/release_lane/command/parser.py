"""The command line: verbs, their options, and help that says what happens.

argparse, although typer is nicer to write: a call costs 0.01 s with it and 0.2 s with typer 0.29.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from release_lane.command.terminal import Terminal
from release_lane.command.verbs import (
    abort,
    adopt,
    build,
    deploy,
    heal,
    init,
    probe,
    promote,
    recover,
    review,
    rollback,
    smoke,
    status,
    watch,
)
from release_lane.errors import UsageError


class Verb(Protocol):
    """What a module of a verb has. One with `NEEDS_PROJECT = False` gets the terminal in the place of all tools."""

    NAME: str
    HELP: str
    DETAILS: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own arguments."""

    @property
    def run(self) -> Callable[[Any, argparse.Namespace], int]:
        """Do it, with `Tools`; the exit code."""


VERBS: tuple[Verb, ...] = (
    init,
    build,
    adopt,
    deploy,
    promote,
    rollback,
    review,
    status,
    smoke,
    probe,
    watch,
    heal,
    abort,
    recover,
)

EPILOGUE = """\
Exit codes: 0 done, 1 a check said no, 2 usage or settings, 3 the cloud or a tool failed,
4 refused (lock, evidence, intent, drift), 5 done, but the result could not be written,
130 interrupted.

`release <verb> --help` says more. Data goes to stdout, everything else to stderr.
"""


@dataclass(frozen=True)
class Chosen:
    """A verb and its arguments."""

    verb: Verb
    arguments: argparse.Namespace


class _Parser(argparse.ArgumentParser):
    """Errors of usage become a `UsageError`, so that they are told like every other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", next_step=f"see `{self.prog} --help`.")


def parse(argv: Sequence[str], terminal: Terminal) -> Chosen | None:
    """Read the command line; None where help was asked for and shown."""
    parser = _parser()
    if not argv:
        parser.print_help(terminal.err)
        raise UsageError("Give a verb.", next_step="see the list above.")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit:
        return None
    return Chosen(next(verb for verb in VERBS if arguments.verb == verb.NAME), arguments)


def _parser() -> _Parser:
    parser = _Parser(
        prog="release",
        description="Carry a finished container image to its users, by its digest.",
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs", parser_class=_Parser)
    for verb in VERBS:
        its = verbs.add_parser(
            verb.NAME,
            help=verb.HELP,
            description=f"{verb.HELP}\n\n{verb.DETAILS}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        verb.arguments(its)
        its.add_argument("--json", action="store_true", help="write the result (or the error) as JSON to stdout")
        its.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser
