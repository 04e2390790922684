"""`release drift`: what was changed outside the lane, and by whom."""

from __future__ import annotations

import argparse

from release_lane.command.looking import need_quiet
from release_lane.command.options import add_environment
from release_lane.command.tools import Tools
from release_lane.engine.outcome import failure
from release_lane.engine.state import StackState
from release_lane.errors import CheckFailed, Interrupted, Refused, ReleaseError
from release_lane.operate.drift import Finding, attributed, calls_about, notes, of_resources, of_traffic
from release_lane.record.names import Names

ORDER = 75
NAME = "drift"
HELP = "Show what was changed outside the lane, and by whom where CloudTrail says so."
DETAILS = """\
Weights and live tasks are compared with the record, everything else in the stack's state with
AWS, by a refresh that is only previewed: what was added next to it (a further rule in a security
group) is not seen. Of properties only the paths are shown. It changes nothing and takes no lock.
Exit code 1 if anything was changed.

  release drift production
  release drift production --json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    add_environment(parser)


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Observe, refresh in a preview, ask CloudTrail; 1 if there is drift."""
    environment = tools.project.route.check(arguments.environment)
    tools.engine.ready()
    need_quiet(tools, environment)
    state = tools.existing(environment)
    names, recorded = tools.project.names(environment), state.recorded
    observed = tools.cloud.observed(names)
    done = tools.engine.refresh_preview(environment)
    if done.signal is not None:
        raise Interrupted(f"The comparison of {environment} was stopped by {done.signal.name}. Nothing was changed.")
    if done.exit_code != 0:
        raise failure(done.log, done.stderr)
    _need_unchanged(tools, environment, state)
    found = (
        *of_traffic(recorded, observed, names),
        *of_resources(done.log.refreshed, observed, names, state),
    )
    found, unknown = _with_who(tools, names, found)
    said = notes(recorded, observed, state, tools.project.stacks[environment].idle_tasks)
    data = {
        "environment": environment,
        "drift": [each.as_dict() for each in found],
        "compared": len(done.log.refreshed),
        "notes": list(said),
        "unchecked": [unknown] if unknown else [],
    }
    tools.terminal.emit(data, _text(environment, found, said, unknown))
    return CheckFailed.exit_code if found else 0


def _need_unchanged(tools: Tools, environment: str, state: StackState) -> None:
    """No lock was held meanwhile, so an update may have come."""
    need_quiet(tools, environment)
    if tools.existing(environment) != state:
        raise Refused(
            f"{environment} was updated while it was compared.",
            why="what an update changes would look like drift",
            next_step=f"`release drift {environment}` again.",
        )


def _with_who(tools: Tools, names: Names, found: tuple[Finding, ...]) -> tuple[tuple[Finding, ...], str]:
    """With who did it, as far as CloudTrail says so; and why it was not asked."""
    calls = calls_about(found)
    if not calls:
        return found, ""
    try:
        return attributed(found, tools.cloud.calls(names, calls)), ""
    except ReleaseError as error:  # what was found counts without it
        return found, f"who did it: CloudTrail could not be asked ({error.what_and_why})"


def _text(environment: str, found: tuple[Finding, ...], said: tuple[str, ...], unknown: str) -> str:
    things = "1 thing was" if len(found) == 1 else f"{len(found)} things were"
    head = f"{environment}: {things} changed outside the lane." if found else f"{environment}: no drift."
    return "\n".join(
        [
            head,
            *(each.words() for each in found),
            *(f"  note: {each}; `release heal {environment}`, or `release recover {environment}`." for each in said),
            *([f"  not checked: {unknown}."] if unknown else []),
            *_next(environment, found),
        ]
    )


def _next(environment: str, found: tuple[Finding, ...]) -> list[str]:
    steps = []
    if any(each.of_users for each in found):
        steps.append(
            f"`release heal {environment} --on-drift restore` goes back to the record, adopt records what is live"
        )
    if not all(each.of_users for each in found):
        steps.append(
            f"`pulumi up --refresh --stack {environment}` restores what both colours stand on; parts of a colour come "
            "anew with its next release"
        )
    return [f"Next: {'; '.join(steps)}."] if steps else []
