"""`release plan`: the route of a release, and the checklist before it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace

from release_lane.command.files import write_into
from release_lane.command.looking import ledger_if_any, quarantine, situations
from release_lane.command.tools import Tools
from release_lane.command.verbs.deploy import built_last
from release_lane.errors import ReleaseError, UsageError
from release_lane.operate.page_html import html
from release_lane.operate.page_text import text
from release_lane.operate.plan import Leg, plan_data, plan_page, tally
from release_lane.operate.situation import Situation, Wanted
from release_lane.record.contract import Labels
from release_lane.record.course import Course
from release_lane.record.digest import Digest, parse_digest
from release_lane.record.evidence import proof_of
from release_lane.settings.model import EnvironmentSettings

ORDER = 58
NAME = "plan"
HELP = "Show the route of a release, who does what, what usually breaks, and the checklist before it."
DETAILS = """\
For one image (by default the one that was built or adopted last), each environment that does not
have it live gets a checklist: quarantine, stopped line, freeze window, evidence, drill, what the
image declares, order of commits, review, approval, updates under way, placement, idle colour, alarms,
the way back. What cannot be read is said to be unknown. It changes nothing.

  release plan
  release plan sha256:… --out public     # plan.html and plan.json
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument(
        "digest", metavar="DIGEST", nargs="?", help="the image (default: the one that was built or adopted last)"
    )
    parser.add_argument("--out", metavar="FOLDER", help="write plan.html and plan.json there")


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Read everything, then write."""
    route = tools.project.route.environments
    digest = parse_digest(arguments.digest) if arguments.digest else built_last(tools, route[0])
    entries, why, _ = ledger_if_any(tools)
    if why:
        tools.terminal.say(f"Without the ledger: {why}.")
    at = situations(tools, entries)
    commit = _commit(tools, digest, at)
    halted = quarantine(entries or (), digest)
    labels = _labels(tools, digest)
    wanted = [replace(_wanted(tools, digest, commit, each), halted=halted, labels=labels) for each in at]
    legs = [_leg(tools, each) for each in route]
    tallies = [tally(entries or (), each) for each in route]
    page, data = plan_page(tools.project.name, legs, tallies, wanted, at), plan_data(legs, tallies, wanted, at)
    if arguments.out:
        write_into(arguments.out, {"plan.html": html(page, wide=True), "plan.json": json.dumps(data, indent=2)})
        tools.terminal.say(f"The plan is in {arguments.out}: plan.html, plan.json.")
    tools.terminal.emit(data, text(page))
    return 0


def _leg(tools: Tools, environment: str) -> Leg:
    file, route = tools.project.stacks[environment], tools.project.route
    names = tools.project.names(environment)
    return Leg(
        environment=environment,
        source=route.source_of(environment),
        course=Course(steps=file.shift.steps, bake=file.shift.bake_seconds),
        rollout=file.rollout.deadline_seconds,
        migration=file.migration.deadline_seconds if file.migration.command else None,
        smoke=file.smoke.deadline_seconds,
        alarms=file.alarms.watched(names).names,
        people=tuple(_people(tools, environment)),
        domain=file.domain,
    )


def _people(tools: Tools, environment: str) -> Iterator[str]:
    """What a person has to do for a release there."""
    if not tools.project.route.guarded(environment):
        return
    approval = tools.project.stacks[environment].approval
    if approval.required:
        other = "somebody who neither asked nor wrote it " if approval.distinct else ""
        yield f"{other}approves the review: its seal is required, and valid for {approval.valid_for}"
    else:
        yield "confirms at the terminal, or the pipeline says --yes; approval.required is off"


def _commit(tools: Tools, digest: Digest, at: tuple[Situation, ...]) -> str:
    """Of the image, as far as an environment or the artifacts stack knows it; "" else."""
    records = [each.recorded for each in at if each.recorded]
    lived = [past.commit for each in records for past in each.history if past.digest == digest]
    proved = [proof.commit for each in records if (proof := proof_of(digest, each.evidence))]
    if found := next(filter(None, (*lived, *proved)), ""):
        return found
    built = tools.engine.state(tools.project.artifacts_of(at[0].environment))
    outputs = built.outputs if built else {}
    return str(outputs.get("commit") or "") if outputs.get("imageDigest") == digest else ""


def _wanted(tools: Tools, digest: Digest, commit: str, at: Situation) -> Wanted:
    live = at.recorded.live.commit if at.recorded else ""
    between = tools.git.commits(tools.project.root, live, commit) if commit and live and commit != live else None
    settings = _settings(tools, at.environment)
    return Wanted(
        digest=digest,
        commit=commit,
        commits=between,
        service=settings.release_service() if settings else None,
        given=settings.all_given if settings else (),
    )


def _settings(tools: Tools, environment: str) -> EnvironmentSettings | None:
    """What its stack file gives an image; None where a key of it is wrong, which the update says."""
    try:
        return tools.project.stacks[environment].settings
    except UsageError:
        return None


def _labels(tools: Tools, digest: Digest) -> Labels:
    """What the image declares, as far as the registry says it."""
    stack = tools.project.stacks[tools.project.builds]
    try:
        return tools.cloud.labels(stack.access, stack.repository, digest)
    except ReleaseError as error:
        return Labels(unread=error.what_and_why)
