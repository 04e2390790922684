"""The command line: verbs, their options, and help.

argparse, although typer is nicer to write: a call costs 0.01 s with it and 0.2 s with typer 0.29.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, NoReturn, Protocol, cast

from release_lane.command import verbs
from release_lane.command.terminal import Terminal
from release_lane.errors import UsageError


class Verb(Protocol):
    """A module of release_lane.command.verbs. With `NEEDS_PROJECT = False` it gets the terminal, not all tools.

    With `IN_LEDGER = True` each call leaves an entry in the ledger (`release_lane.command.recording`).
    """

    ORDER: int
    """Where help lists it: along the route of a release, lowest first."""
    NAME: str
    HELP: str
    DETAILS: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the verb's own arguments."""

    @property
    def run(self) -> Callable[[Any, argparse.Namespace], int]:
        """Do it, with `Tools`; the exit code."""


def every_verb() -> tuple[Verb, ...]:
    """Every module of release_lane.command.verbs, in the order in which help lists them."""
    found = [import_module(f"{verbs.__name__}.{each.name}") for each in iter_modules(verbs.__path__)]
    return cast("tuple[Verb, ...]", tuple(sorted(found, key=lambda verb: (verb.ORDER, verb.NAME))))


VERBS = every_verb()

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
    """Usage errors become a `UsageError`, so that they are shown like every other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", next_step=f"see `{self.prog} --help`.")


def parse(argv: Sequence[str], terminal: Terminal) -> Chosen | None:
    """Read the command line; None after --help."""
    parser = _parser()
    if not argv:
        parser.print_help(terminal.err)
        raise UsageError("No verb was given.", next_step="choose one of the list above.")
    try:
        arguments = parser.parse_args(argv)
    except SystemExit:
        return None
    return Chosen(next(verb for verb in VERBS if arguments.verb == verb.NAME), arguments)


def _parser() -> _Parser:
    parser = _Parser(
        prog="release",
        description="Release a finished container image to users, by its digest: build it once, deploy it, promote it,"
        " roll it back.",
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
