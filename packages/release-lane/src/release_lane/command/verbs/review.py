"""`release review`: what an approver reads before a release."""

from __future__ import annotations

import argparse
from pathlib import Path

from release_lane.command.options import (
    add_again,
    add_allow_older,
    add_allow_replace,
    add_digest,
    add_environment,
    add_through_freeze,
    again_allowed,
    digest_given,
    older_allowed,
    replace_allowed,
    through_freeze,
)
from release_lane.command.tools import Tools
from release_lane.command.verbs.deploy import built_last
from release_lane.command.verbs.promote import live_in
from release_lane.command.verbs.rollback import goal
from release_lane.engine.outcome import failure
from release_lane.engine.state import StackState
from release_lane.errors import Interrupted, ReleaseError, UsageError
from release_lane.operate.review import Program, Subject, markdown, refusal, review
from release_lane.record.digest import Digest
from release_lane.record.records import Recorded

ORDER = 60
NAME = "review"
HELP = "Preview a release and write, as Markdown, what an approver needs to know."
DETAILS = """\
It has the decision, old and new side by side, the evidence, and everything else that would
change, deletions first and in bold. It shows only the paths of properties, never their values. A
release that the program refuses is shown as refused, with exit code 4. It changes nothing.

  release review production
  release review production --digest sha256:… >> "$GITHUB_STEP_SUMMARY"
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)
    add_digest(parser, "the one that is live in the environment before, or that was built or adopted last")
    parser.add_argument(
        "--rollback",
        action="store_true",
        help="review `release rollback` instead (without --digest: back to the previous release)",
    )
    add_allow_older(parser)
    add_again(parser)
    add_through_freeze(parser)
    add_allow_replace(parser)
    parser.add_argument("--out", metavar="FILE", help="write to this file instead of stdout")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Preview, then write."""
    environment = tools.project.route.check(arguments.environment)
    given = digest_given(arguments)
    if arguments.out:
        _write_file(Path(arguments.out), "")  # an old review must not be taken for this one if this fails
    tools.engine.ready()
    before = tools.existing(environment)
    subject = _subject(tools, environment, before, rollback=arguments.rollback)
    config = {
        **_config(tools, environment, before, given, rollback=arguments.rollback),
        **older_allowed(arguments, before),
        **again_allowed(arguments, before),
        **replace_allowed(arguments),
        **through_freeze(arguments),
    }
    digest = config["imageDigest"]
    done = tools.engine.preview(environment, config)
    if done.signal is not None:
        raise Interrupted("The preview was stopped. It changes nothing.")
    if done.exit_code != 0:
        error = failure(done.log, done.stderr)
        _write(tools, arguments, refusal(subject, error), environment, digest, error)
        raise error
    _write(tools, arguments, markdown(review(subject, done.log)), environment, digest, None)
    return 0


def _default(tools: Tools, environment: str) -> Digest:
    source = tools.project.route.source_of(environment)
    return live_in(tools, source) if source else built_last(tools, environment)


def _subject(tools: Tools, environment: str, before: StackState, *, rollback: bool) -> Subject:
    source = tools.project.route.source_of(environment)
    before_it = _record(tools, source)
    return Subject(
        environment=environment,
        recorded=before.recorded,
        source=source,
        evidence=before_it.evidence if before_it else (),
        ran_there=before_it.history if before_it else (),
        rollback=rollback,
        program=_program(tools),
    )


def _program(tools: Tools) -> Program:
    root = tools.project.root
    try:
        return Program(commit=tools.git.head(root), dirty=bool(tools.git.changed(root)))
    except UsageError as error:
        return Program(unknown=error.why or error.what)


def _record(tools: Tools, source: str | None) -> Recorded | None:
    state = tools.engine.state(source) if source else None
    return state.recorded if state else None


def _config(
    tools: Tools, environment: str, before: StackState, given: Digest | None, *, rollback: bool
) -> dict[str, str]:
    """The configuration that `release rollback`, or else `deploy` and `promote`, gives the update."""
    if not rollback:
        return {"imageDigest": given or _default(tools, environment)}
    digest, leaves = goal(given, before.recorded, environment)
    confirms = "forwardFrom" if leaves.left_by_rollback(digest) else "rollbackFrom"
    return {"imageDigest": digest, confirms: leaves.live.digest}


def _write(
    tools: Tools,
    arguments: argparse.Namespace,
    text: str,
    environment: str,
    digest: str,
    error: ReleaseError | None,
) -> None:
    """To the file, else to stdout (with --json the edge alone writes an error)."""
    if arguments.out:
        _write_file(Path(arguments.out), text)
        tools.terminal.say(f"The review is in {arguments.out}.")
    if tools.terminal.json and error is None:
        tools.terminal.emit({"environment": environment, "digest": digest, "markdown": text}, "")
    elif not tools.terminal.json and not arguments.out:
        tools.terminal.emit(None, text)


def _write_file(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The review cannot be written to {path}: {error.strerror}.", next_step="name another file with --out."
        ) from error
