"""`release review`: what an approver reads before a release."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release_lane.command.options import (
    add_again,
    add_allow_older,
    add_allow_replace,
    add_digest,
    add_digest_only,
    add_environment,
    add_exceptions_forward,
    add_on_alarm,
    add_through_freeze,
    again_allowed,
    alarm_accepted,
    digest_given,
    named_in_ledger,
    older_allowed,
    replace_allowed,
    through_freeze,
)
from release_lane.command.reviewing import Given, held_to_parity, reviewed, subject_of, write_review
from release_lane.command.tools import Tools
from release_lane.command.verbs.deploy import built_last
from release_lane.command.verbs.promote import live_in
from release_lane.command.verbs.rollback import goal, going_to
from release_lane.engine.state import StackState
from release_lane.errors import Interrupted, ReleaseError, UsageError
from release_lane.operate.page import Page
from release_lane.operate.page_html import html
from release_lane.operate.page_markdown import markdown
from release_lane.operate.review import as_dict
from release_lane.operate.review_page import page, refusal
from release_lane.record.digest import Digest

ORDER = 60
NAME = "review"
IN_LEDGER = True
HELP = "Preview a release and write what an approver needs to know."
DETAILS = """\
It begins with what overrides a rule, the kind of change (image only, configuration, infrastructure,
destructive) and what must not be missed, then has old and new side by side with the commits in
between, the evidence, the traffic, what a rollback costs afterwards, and everything else that would
change. Secrets are never shown. A release that the program refuses is shown as refused, with exit
code 4. It changes nothing.

  release review production
  release review production --digest sha256:… >> "$GITHUB_STEP_SUMMARY"
  release review production --out review.md --out review.html --out review.seal

The seal covers everything that the review shows. `release promote production --seal …` refuses if
anything of it has moved since, and says what.
"""

FORMATS = ("markdown", "html", "json", "seal")
SUFFIXES = {".md": "markdown", ".html": "html", ".json": "json", ".seal": "seal"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    add_digest(parser, "the one that is live in the environment before, or that was built or adopted last")
    parser.add_argument(
        "--rollback",
        action="store_true",
        help="review `release rollback` instead (without --digest: back to the previous release)",
    )
    add_digest_only(parser, "with --rollback: ")
    add_allow_older(parser)
    add_again(parser)
    add_through_freeze(parser)
    add_exceptions_forward(parser)
    add_on_alarm(parser)
    add_allow_replace(parser)
    parser.add_argument("--format", choices=FORMATS, help="default: by the suffix of FILE, else markdown")
    parser.add_argument(
        "--out",
        metavar="FILE",
        action="append",
        default=[],
        help="write to this file instead of stdout (.md, .html, .json; .seal: the seal alone); several are possible",
    )


@dataclass(frozen=True)
class Written:
    """A review in all its forms."""

    page: Page
    data: Mapping[str, Any]
    seal: str = ""

    def as_(self, form: str) -> str:
        """As text."""
        match form:
            case "html":
                return html(self.page)
            case "json":
                return json.dumps(self.data, indent=2) + "\n"
            case "seal":
                return f"{self.seal}\n" if self.seal else ""
        return markdown(self.page)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Preview, then write."""
    environment = tools.project.route.check(arguments.environment)
    asked_for = digest_given(arguments)
    for file in arguments.out:
        _write_file(Path(file), "")  # an old review must not be taken for this one if this fails
    tools.engine.ready()
    before = tools.existing(environment)
    config = {
        **_config(tools, environment, before, asked_for, arguments),
        **older_allowed(arguments, before),
        **again_allowed(arguments, before),
        **alarm_accepted(arguments),
        **replace_allowed(arguments),
        **through_freeze(arguments),
    }
    given = Given(environment=environment, config=config, before=before)
    named_in_ledger(arguments, given.digest)
    about = {"environment": environment, "digest": given.digest}
    alone = arguments.rollback and arguments.digest_only
    subject = subject_of(tools, environment, before, rollback=arguments.rollback, digest_only=alone)
    try:
        if alone or not arguments.rollback:
            held_to_parity(tools, environment)
        found, covered = reviewed(tools, given, subject)
    except Interrupted:
        raise
    except ReleaseError as error:
        _write(tools, arguments, Written(refusal(subject, error), {**about, **error.as_dict()}), error)
        raise
    write_review(tools, found, covered)
    text = page(found)
    _write(tools, arguments, Written(text, {**about, "markdown": markdown(text), **as_dict(found)}, found.seal), None)
    return 0


def _default(tools: Tools, environment: str) -> Digest:
    source = tools.project.route.source_of(environment)
    return live_in(tools, source) if source else built_last(tools, environment)


def _config(
    tools: Tools, environment: str, before: StackState, given: Digest | None, arguments: argparse.Namespace
) -> dict[str, str]:
    """The configuration that `release rollback`, or else `deploy` and `promote`, gives the update."""
    if arguments.digest_only and not arguments.rollback:
        raise UsageError("--digest-only is of a rollback.", next_step="give --rollback as well.")
    if not arguments.rollback:
        return {"imageDigest": given or _default(tools, environment)}
    digest, leaves = goal(given, before.recorded, environment)
    return going_to(digest, leaves, digest_only=arguments.digest_only)


def _write(tools: Tools, arguments: argparse.Namespace, written: Written, error: ReleaseError | None) -> None:
    """To the files, else to stdout (with --json the edge alone writes an error)."""
    for file in arguments.out:
        form = arguments.format or SUFFIXES.get(Path(file).suffix, "markdown")
        text = written.as_(form)
        _write_file(Path(file), text)
        none = f"There is no seal, since the review is a refusal: {file} is empty."
        tools.terminal.say(f"The review is in {file}." if text else none)
    if tools.terminal.json and error is None:
        tools.terminal.emit(written.data, "")
    elif not tools.terminal.json and not arguments.out:
        tools.terminal.emit(None, written.as_(arguments.format or "markdown"))


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The review cannot be written to {path}: {error.strerror}.", next_step="name another file with --out."
        ) from error
