"""`release ledger create`: the bucket of a ledger."""

from __future__ import annotations

import argparse

from release_lane.command.tools import Tools
from release_lane.errors import UsageError
from release_lane.settings.ledger import place

ORDER = 74
NAME = "ledger"
HELP = "Make the bucket of the ledger: it keeps all versions, and nothing in it can be deleted for a while."
DETAILS = """\
The bucket is the one that `ledger` in the stack files names, or --at. It gets versioning, an object
lock with a default retention, and no public access. It can be repeated: what is there stays. Give
the ledger a bucket of its own: the lock holds for everything that is written there.

It is made with the credentials of the last environment of the route, in its account and region, or
of --stack. Roles of other accounts need a bucket policy besides (docs/aws.md of release-lane).

  release ledger create
  release ledger create --at s3://shop-releases --keep-days 400
"""

LONGEST_DAYS = 36_500
"""S3's own limit of a retention period: 100 years (API_DefaultRetention.html)."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this verb."""
    parser.add_argument(
        "action", choices=("create",), metavar="create", help="make it, or bring it to what it should be"
    )
    parser.add_argument("--at", metavar="s3://BUCKET", help="which bucket (default: the one that the stack files name)")
    parser.add_argument("--stack", metavar="STACK", help="whose account and region (default: the last environment's)")
    parser.add_argument(
        "--keep-days", type=int, default=400, metavar="N", help="for so long nothing can be deleted (default: 400)"
    )
    parser.add_argument(
        "--compliance",
        action="store_true",
        help="not even by those who may bypass governance; there is no way back before the time is over",
    )


def run(tools: Tools, arguments: argparse.Namespace) -> int:
    """Make it; what was done, on stdout."""
    url = arguments.at or tools.project.ledger
    if not url:
        raise UsageError(
            "Which bucket is not said.", next_step="give --at s3://BUCKET, or `ledger` in the stack files."
        )
    if problem := place(url):
        raise UsageError(f"{url}: {problem}.")
    if not 1 <= arguments.keep_days <= LONGEST_DAYS:
        raise UsageError(f"--keep-days {arguments.keep_days}: should be 1 to {LONGEST_DAYS}.")
    if url.startswith("file://"):
        raise UsageError(
            f"{url} is a folder: it is made with the first entry.",
            why="a folder can neither keep versions nor refuse to delete, so it proves less",
            next_step="give --at s3://BUCKET for one that can.",
        )
    stack = arguments.stack or tools.project.route.environments[-1]
    if stack not in tools.project.stacks:
        tools.project.route.check(stack)
    bucket = url.removeprefix("s3://").partition("/")[0]
    access = tools.project.stacks[stack].access
    done = tools.cloud.make_ledger(access, bucket, days=arguments.keep_days, compliance=arguments.compliance)
    named = "" if tools.project.ledger else f"\nNext: give all environments `ledger: {url}` in their stack files."
    tools.terminal.emit({"ledger": url, "account": access.account, "done": done}, f"{url}: {'; '.join(done)}.{named}")
    return 0
