"""The smoke gate: the checks of `smoke/` pass against a colour's own test listener.

The checks are plain pytest and run in a process of their own (AWS never sees them), from where `pulumi up` runs.
They are repeated until all pass or the deadline is over: a load balancer may need a moment for a new target.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from functools import partial

from provider_kit import Cancelled, Context, Progress, Props

from release_lane.errors import CheckFailed
from release_lane.gates.gate import Gate
from release_lane.gates.passes import Pass, demand
from release_lane.gates.reality import where
from release_lane.record.digest import short
from release_lane.record.endpoint import Endpoint, of_colour
from release_lane.record.inputs import SmokeInputs
from release_lane.smoke.checks import Expected, Report
from release_lane.smoke.run import LEAST_LIMIT, run

PAUSE = 0.3
"""Seconds between two attempts."""


class SmokeGate(Gate):
    """Passes a colour that answers on its test listener as the release should (`SmokeInputs`)."""

    token = "release:index:SmokeGate"
    shown = SmokeInputs.SHOWN

    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Run the checks through the test listener until they pass."""
        given = SmokeInputs.from_dict(inputs)
        digest, colour = given.digest, given.colour
        passed = demand(given.pass_of_before, gate="The rollout gate", digest=digest, colour=colour)
        cloud = self.cloud_of(given.names)
        endpoint = of_colour(given.names, where(cloud, given.located).dns_name, colour)
        against = _against(given, where(cloud, given.located).dns_name) if given.compares else None
        expected = Expected(digest=digest, colour=colour, commit=given.commit, asked=given.asked, against=against)
        report = until_passed(ctx, endpoint, expected, given.deadline, _by_hand(endpoint, expected))
        for table in report.tables:
            ctx.say("\n".join(table.lines))
        passed = replace(passed, unchecked=report.unchecked, tables=report.tables)
        return passed, f"{report.checks} smoke checks passed for {short(digest)} on {colour} at {endpoint}"


def _against(given: SmokeInputs, load_balancer: str) -> Endpoint:
    """Where the live release answers by itself."""
    return of_colour(given.names, load_balancer, given.live) if given.live else Endpoint("")


FIX = "fix the image or its configuration in the stack file, and release again."


def _by_hand(endpoint: Endpoint, expected: Expected) -> str:
    """What to do about a refusal: the idle colour answers only until it is healed."""
    return (
        f"see for yourself while {expected.colour} still holds it; `release` heals it at once, unless `--no-heal` is "
        f"given: pytest smoke {shlex.join([*endpoint.options(), *expected.options()])} (where the load balancer "
        "cannot be reached from here, run the update inside its network)."
    )


def until_passed(ctx: Context, endpoint: Endpoint, expected: Expected, deadline: float, next_step: str = FIX) -> Report:
    """Repeat the checks until all pass; CheckFailed after `deadline` seconds with what failed last."""
    begun, progress = time.monotonic(), Progress(ctx)
    attempts = 0
    while True:
        attempts += 1
        report = run(endpoint, expected, limit=max(LEAST_LIMIT, deadline), keep_going=partial(_wanted, ctx))
        if not report.failures:
            return report
        spent = time.monotonic() - begun
        if spent > deadline:
            raise _refusal(endpoint, expected, report, attempts, spent, next_step)
        progress.say(f"smoke: {report.failures[0]} ({spent:.0f} of {deadline:.0f} s)", report.failures[0])
        _pause(ctx)


def _wanted(ctx: Context) -> None:
    if ctx.cancelled.is_set():
        raise Cancelled("The smoke checks were interrupted.")


def _pause(ctx: Context) -> None:
    if ctx.cancelled.wait(PAUSE):
        raise Cancelled("The smoke gate was interrupted.")


def _refusal(
    endpoint: Endpoint, expected: Expected, report: Report, attempts: int, spent: float, next_step: str
) -> CheckFailed:
    tables = [line for table in report.tables for line in table.lines]
    failed = "\n  ".join([*report.failures[:10], *tables])
    return CheckFailed(
        f"The smoke gate refused {short(expected.digest)} on {expected.colour}.\n  {failed}",
        why=f"{len(report.failures)} of {report.checks} checks still failed after {attempts} attempts "
        f"in {spent:.0f} s at {endpoint}",
        next_step=next_step,
    )
