"""`release scan`: what the registry's scan of an image found."""

from __future__ import annotations

import argparse

from release_lane.command.tools import Tools
from release_lane.errors import CheckFailed, UsageError
from release_lane.operate.duration import parse_duration, spoken
from release_lane.operate.scanning import LIMITS, NOT_FOUND, UNSCANNED, Judged, Scan, as_data, as_text, judged
from release_lane.record.digest import Digest, parse_digest

ORDER = 27
NAME = "scan"
HELP = "Read what the registry's scan found in an image; refuse it for findings of a severity."
DETAILS = """\
The repository of the artifacts stack scans images on push. It waits while a scan is under way.
An image that was not scanned is refused: the registry scans operating systems that it knows, and
no image without one. Exit code 1 for a finding that stops a release, and for no scan.

  release scan
  release scan sha256:… --fail-on high
  release scan sha256:… --accept CVE-2026-1234 --accept unscanned
"""

EVERY = 5.0
"""Seconds between two looks."""
BEGINS_WITHIN = 60.0
"""Seconds in which the scan of an image that was just pushed is known to the registry."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument(
        "digest", metavar="sha256:…", nargs="?", help="the image (default: the one that was built or adopted last)"
    )
    parser.add_argument(
        "--fail-on",
        choices=LIMITS,
        default=LIMITS[0],
        help="the least severity that stops a release (default: critical)",
    )
    parser.add_argument(
        "--accept",
        metavar="NAME",
        action="append",
        default=[],
        help=f"a finding that stops no release, such as CVE-2026-1234; or {UNSCANNED}. May be given several times",
    )
    parser.add_argument(
        "--wait", type=parse_duration, default=300.0, metavar="DURATION", help="for a scan to end (default: 5m)"
    )
    parser.add_argument(
        "--hotfix",
        metavar="REASON",
        default="",
        help="findings are shown, and stop nothing; empty: it is no hotfix",
    )


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Wait for the scan, show it, and judge it."""
    digest = parse_digest(arguments.digest) if arguments.digest else _built_last(tools)
    scan = _awaited(tools, digest, arguments.wait)
    found = judged(scan, arguments.fail_on, arguments.accept)
    through = _let_through(found, digest, arguments)
    tools.terminal.emit(as_data(digest, found, through), as_text(digest, found, through))
    if (against := found.why(digest)) and not through:
        raise CheckFailed(against, why="" if scan.done else scan.why, next_step=_next(found))
    return 0


def _built_last(tools: Tools) -> Digest:
    stack = tools.project.builds
    if found := tools.existing(stack).outputs.get("imageDigest"):
        return parse_digest(str(found))
    raise UsageError(f"The stack {stack} has no image yet.", next_step="`release build`, then scan again.")


def _awaited(tools: Tools, digest: Digest, wait: float) -> Scan:
    """The scan once it has ended, or as it is after `wait` seconds."""
    stack = tools.project.stacks[tools.project.builds]
    began, reported = tools.machine.now(), False
    while True:
        scan = tools.cloud.scan(stack.access, stack.repository, digest)
        so_far = tools.machine.now() - began
        limit = min(wait, BEGINS_WITHIN) if scan.status == NOT_FOUND else wait if scan.waits else 0.0
        if so_far >= limit:
            return scan
        if not reported:
            tools.terminal.say(f"Waiting for the registry's scan, {spoken(limit)} at most.")
            reported = True
        tools.machine.sleep(EVERY)


def _let_through(found: Judged, digest: str, arguments: argparse.Namespace) -> str:
    """Why the image passes in spite of its scan; empty where the scan is good, or the image does not pass."""
    if not found.why(digest):
        return ""
    if reason := arguments.hotfix.strip():
        return f"hotfix: {reason}"
    return "that it is not scanned is accepted" if not found.scan.done and UNSCANNED in arguments.accept else ""


def _next(found: Judged) -> str:
    if not found.scan.done:
        return f"scan it, or say that this image cannot be scanned: `--accept {UNSCANNED}`."
    return (
        "update the base image or the package and build again; `--accept` names a finding that does not concern "
        "this service."
    )
