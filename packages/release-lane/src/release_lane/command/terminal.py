"""Output and input: data on stdout, everything else on stderr, colour never the only signal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from release_lane.errors import Interrupted, ReleaseError, UsageError

RED, BOLD, PLAIN = "\x1b[31m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True, kw_only=True)
class Terminal:
    """`interactive`: a person can answer questions. `json`: data is written as JSON."""

    out: TextIO
    err: TextIO
    source: TextIO
    interactive: bool = False
    colour: bool = False
    json: bool = False

    @staticmethod
    def real(environ: Mapping[str, str] = os.environ) -> Terminal:
        """This process's own. Colour only on a terminal, and never with NO_COLOR (no-color.org) or TERM=dumb."""
        on_terminal = sys.stderr.isatty()
        return Terminal(
            out=sys.stdout,
            err=sys.stderr,
            source=sys.stdin,
            interactive=on_terminal and sys.stdin.isatty(),
            colour=on_terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb",
        )

    def say(self, text: str) -> None:
        """Progress, for people."""
        print(text, file=self.err, flush=True)

    def emit(self, data: Any, text: str) -> None:
        """The result: `data` with --json, else `text`."""
        print(json.dumps(data, indent=2) if self.json else text, file=self.out, flush=True)

    def ask(self, question: str) -> bool:
        """Yes or no; anything but y or yes is a no."""
        print(f"{question} [y/N] ", end="", file=self.err, flush=True)
        return self.source.readline().strip().lower() in ("y", "yes")

    def confirm(
        self, question: str, *, yes: bool, what: str = "This", why: str = "", next_step: str, instead: str = ""
    ) -> None:
        """Return only with a yes: given as --yes (`yes`), or by a person.

        `what` needs it, for the reason `why`. `UsageError` where there is no terminal (`next_step`), `Interrupted`
        after a no (`instead`: what to do then).
        """
        if yes:
            return
        if not self.interactive:
            raise UsageError(
                f"{what} needs a confirmation, and there is no terminal to ask on. Nothing was changed.",
                why=why,
                next_step=next_step,
            )
        if not self.ask(question):
            raise Interrupted("Not confirmed. Nothing was changed.", next_step=instead)

    def choose(self, question: str, options: Sequence[str]) -> str:
        """One of the options, by its first letters; anything else is the last one."""
        print(f"{question} [{'/'.join(options)}] ", end="", file=self.err, flush=True)
        answer = self.source.readline().strip().lower()
        return next((each for each in options if answer and each.startswith(answer)), options[-1])

    def fail(self, error: ReleaseError) -> None:
        """One error on stderr, in short where the engine has shown it above; with --json also as JSON on stdout."""
        notes: Sequence[str] = getattr(error, "__notes__", ())
        if self.json:
            print(json.dumps({**error.as_dict(), "notes": list(notes)}, indent=2), file=self.out, flush=True)
        head, *rest = (error.in_short() if error.shown else str(error)).splitlines()
        label = "Interrupted" if error.exit_code == 130 else "Refused" if error.exit_code == 4 else "Error"
        mark = f"{RED}{label}:{PLAIN} {BOLD}{head}{PLAIN}" if self.colour else f"{label}: {head}"
        self.say("\n".join([mark, *rest, *notes]))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell, two spaces between them."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [headings, *rows])
    return "\n".join(line.rstrip() for line in lines)
