"""`make aws-check ACCOUNT=123456789012`: try every contract in a real account, and leave nothing there.

Exit code: 0 all that was tried holds; 1 something does not; 2 usage; 3 AWS or a tool failed, or something could not
be removed; 4 refused; 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_aws.project import ACCOUNT as LOCAL_ACCOUNT
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError
from tests.contract.account import refusing
from tests.contract.account.prices import estimate
from tests.contract.account.report import document, findings, lines
from tests.contract.account.world import World
from tests.contract.aws import PREFIX, Where, new_mark
from tests.contract.contracts import ROOT, Contract, all_contracts
from tests.contract.leftovers import Left

REPORTS = ROOT / ".local/aws-check"


def main(argv: Sequence[str], environ: Mapping[str, str], world: World, reports: Path = REPORTS) -> int:
    """The command; its exit code."""
    wish = parser().parse_args(argv)
    try:
        where = checked(wish, environ, world)
        if wish.leftovers:
            return show(world.leftovers(where, ""))
        if wish.remove:
            return tidied(world, where, wish.remove)
        return check(wish, where, world, reports)
    except ReleaseError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("Interrupted before anything was made.")
        return Interrupted.exit_code


def parser() -> argparse.ArgumentParser:
    """What `make aws-check` passes on; the rest goes by OPTIONS='…'."""
    made = argparse.ArgumentParser(prog="make aws-check", description=(__doc__ or "").splitlines()[0])
    made.add_argument("--account", default="", help="12 digits: the account to use")
    made.add_argument("--region", default="", help="instead of AWS_REGION")
    made.add_argument("--only", default="", help="only contracts whose test matches (pytest -k)")
    made.add_argument("--visitors", default="", help="addresses that may reach the load balancer; this machine's alone")
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.add_argument("--leftovers", action="store_true", help="list what runs left in the account; change nothing")
    made.add_argument("--remove", default="", metavar="MARK", help="remove what the run with this mark left")
    # The whole path against the local cloud, so that a test tries what it does to an account.
    made.add_argument("--rehearse-at", default="", help=argparse.SUPPRESS)
    return made


def say(text: str) -> None:
    """To a person."""
    print(text, file=sys.stderr, flush=True)


# ---- before anything is made


def checked(wish: argparse.Namespace, environ: Mapping[str, str], world: World) -> Where:
    """Where to go, if everything is as it must be."""
    region = wish.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    refusing.check_target(wish.account, region)
    if wish.rehearse_at:
        return rehearsal(wish, region, environ)
    refusing.check_shell(environ)
    refusing.check_endpoints(world.endpoints(region))
    refusing.check_identity(world.identity(region), wish.account, estimate(chosen(wish.only)).minutes)
    visitors = "" if wish.leftovers or wish.remove else refusing.check_visitors(wish.visitors, world.address())
    return Where(account=wish.account, region=region, mark=new_mark(), visitors=visitors)


def rehearsal(wish: argparse.Namespace, region: str, environ: Mapping[str, str]) -> Where:
    """The local cloud in the place of an account; nothing else can be named."""
    if wish.account != LOCAL_ACCOUNT or not wish.rehearse_at.startswith("http://127.0.0.1:"):
        raise Refused("A rehearsal is for the local cloud alone.")
    scale = float(environ.get("LOCAL_TIME_SCALE", "0.1"))
    return Where(account=LOCAL_ACCOUNT, region=region, mark=new_mark(), endpoint=wish.rehearse_at, time_scale=scale)


def chosen(only: str) -> list[Contract]:
    """The contracts to be tried. pytest's -k understands more than this, so an estimate may be too high."""
    every = list(all_contracts())
    return [each for each in every if only in each.test] or every


def tell(contracts: Sequence[Contract], where: Where) -> None:
    """What will happen, before it does."""
    say(f"{len(contracts)} contracts will be tried in account {where.account}, region {where.region}.")
    say(
        f"Made there: a VPC with a load balancer that {where.visitors} can reach, an ECS cluster with small tasks, a "
        f"registry, roles, secrets, alarms, a topic, a queue, a bucket; all named {PREFIX}{where.mark}-… or tagged so, "
        "and removed at the end, also after a failure or Ctrl-C."
    )
    for line in estimate(contracts).lines():
        say(line)
    say(f"If this is killed: {by_hand(where, where.mark)}")


def by_hand(where: Where, mark: str) -> str:
    """The command that cleans up after a run."""
    return f"make aws-check ACCOUNT={where.account} REGION={where.region} OPTIONS='--remove {mark}'"


# ---- the run


def check(wish: argparse.Namespace, where: Where, world: World, reports: Path) -> int:
    """Tell, ask, try, clean up, report."""
    contracts = chosen(wish.only)
    refusing.check_docker(world.docker())
    tell(contracts, where)
    if not wish.yes:
        refusing.check_answer(world.answer(f"Type the account's number to begin ({where.account}): "), where.account)
    with tempfile.TemporaryDirectory() as folder:
        junit = Path(folder, "junit.xml")
        interrupted = run(world, where, wish.only, junit)
        tidy(world, where, where.mark)
        text = junit.read_text() if junit.exists() else ""
    if interrupted:
        raise Interrupted("Interrupted. All that had been made was removed.")
    return conclude(contracts, text, where, reports)


def run(world: World, where: Where, only: str, junit: Path) -> bool:
    """Was it interrupted? Whatever became of it, cleaning up comes next."""
    try:
        world.suite(where, only, junit)
    except KeyboardInterrupt:
        say("Interrupted; cleaning up, which may take some minutes.")
        return True
    return False


def tidy(world: World, where: Where, mark: str) -> None:
    """Remove what the run made; CloudError naming what is left."""
    say("Cleaning up …")
    try:
        left = world.remove(where, mark, say)
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted while cleaning up: things that cost money are left.", next_step=by_hand(where, mark)
        ) from None
    if left:
        named = "\n".join(f"  {each.kind} {each.id}" for each in left)
        raise CloudError(f"{len(left)} things could not be removed:\n{named}", next_step=by_hand(where, mark))
    say("Nothing is left.")


def conclude(contracts: Sequence[Contract], junit: str, where: Where, reports: Path) -> int:
    """Report; CheckFailed if something does not hold."""
    if not junit:
        raise CloudError("The suite ended without a report.", next_step="see what it printed above.")
    found = findings(contracts, junit)
    write(reports, document(found, where, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")))
    for line in lines(found, where):
        say(line)
    if bad := [each for each in found if each.bad]:
        raise CheckFailed(
            f"{len(bad)} contracts do not hold, or could not be tried.",
            next_step="docs/contract.md says who relies on them; correct those, or the local cloud.",
        )
    return 0


def write(reports: Path, report: Mapping[str, object]) -> None:
    """Keep the report, to be compared with another account's or another day's."""
    reports.mkdir(parents=True, exist_ok=True)
    file = reports / f"{report['account']}-{report['mark']}.json"
    file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    say(f"Report: {file}")


# ---- what earlier runs left


def tidied(world: World, where: Where, mark: str) -> int:
    """`--remove`."""
    if not world.leftovers(where, mark):
        raise Refused(f"There is nothing of a run {mark!r} in account {where.account}, {where.region}.")
    tidy(world, where, mark)
    return 0


def show(left: Sequence[Left]) -> int:
    """`--leftovers`: on stdout, a line each."""
    for each in left:
        print(f"{each.mark}  {each.kind}  {each.id}")
    say(f"{len(left)} things are left." if left else "Nothing is left.")
    return 0
