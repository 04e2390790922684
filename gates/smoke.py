"""The smoke gate: the checks of `smoke/` pass against a colour's own test listener.

The checks are plain pytest and run in a process of their own (AWS never sees them), from where `pulumi up` runs.
They are repeated until all pass or the deadline is over: a load balancer may need a moment for a new target.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from gates.gate import Gate, cloud_of, pass_input
from gates.kit import Cancelled, Context, Props
from gates.passes import Pass, demand
from release.digest import short
from release.errors import CheckFailed, CloudError

ROOT = Path(__file__).resolve().parent.parent
"""The repository: `smoke/` lies there."""

PAUSE = 0.3
"""Seconds between two attempts."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What the answers must name: digest, colour, and commit ("" leaves the commit out)."""

    digest: str
    colour: str
    commit: str = ""

    def options(self) -> list[str]:
        """As options of `pytest smoke`."""
        commit = ["--expect-commit", self.commit] if self.commit else []
        return ["--expect-digest", self.digest, "--expect-colour", self.colour, *commit]


@dataclass(frozen=True, kw_only=True)
class Report:
    """One run of the checks: how many there were, and a line for each that failed."""

    checks: int
    failures: tuple[str, ...]


class SmokeGate(Gate):
    """Inputs: digest, commit, colour, deadlineSeconds, passOfBefore (Rollout's), environment."""

    token = "release:index:SmokeGate"

    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Run the checks through the test listener until they pass."""
        digest, colour = str(inputs["digest"]), str(inputs["colour"])
        passed = demand(pass_input(inputs), gate="The rollout gate", digest=digest, colour=colour)
        cloud = cloud_of(inputs)
        port = next(port for side, port in cloud.names.test_ports.items() if side == colour)
        url = f"http://{cloud.balancer().dns_name}:{port}"
        expected = Expected(digest=digest, colour=colour, commit=str(inputs.get("commit") or ""))
        report = until_passed(ctx, url, expected, float(inputs["deadlineSeconds"]))
        return passed, f"{report.checks} smoke checks passed for {short(digest)} on {colour} at {url}"


def until_passed(ctx: Context, url: str, expected: Expected, deadline: float) -> Report:
    """Repeat the checks until all pass; CheckFailed after `deadline` seconds with what failed last."""
    begun = time.monotonic()
    attempts = 0
    while True:
        attempts += 1
        report = run_checks(ctx, url, expected)
        if not report.failures:
            return report
        spent = time.monotonic() - begun
        if spent > deadline:
            raise _refusal(url, expected, report, attempts, spent)
        ctx.say(f"smoke: {report.failures[0]} ({spent:.0f} of {deadline:.0f} s)")
        _pause(ctx)


def _pause(ctx: Context) -> None:
    if ctx.cancelled.wait(PAUSE):
        raise Cancelled("The smoke gate was interrupted. Users were not touched.")


def run_checks(ctx: Context, url: str, expected: Expected) -> Report:
    """One run of `pytest smoke`; CloudError where pytest itself could not do it."""
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        junit = Path(folder, "report.xml")
        command = [
            sys.executable,
            *("-m", "pytest", "smoke", "-q", "-c", os.devnull, "--rootdir", "smoke", "-p", "no:cacheprovider"),
            *("--url", url, *expected.options(), f"--junitxml={junit}"),
        ]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            # Plugins of this project's own test suite are none of the checks' business, and slow to load.
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        output = _until_done(ctx, process)
        if not junit.exists() or process.returncode not in (0, 1):
            raise CloudError(
                f"The smoke checks could not be run (pytest exited with {process.returncode}).",
                why="\n".join(output.splitlines()[-15:]),
                next_step=f"try them by hand: pytest smoke --url {url}",
            )
        return read_report(junit.read_text())


def _until_done(ctx: Context, process: subprocess.Popen[str]) -> str:
    while True:
        try:
            return process.communicate(timeout=0.2)[0]
        except subprocess.TimeoutExpired:
            if ctx.cancelled.is_set():
                process.kill()
                process.wait()
                raise Cancelled("The smoke gate was interrupted. Users were not touched.") from None


def read_report(text: str) -> Report:
    """Read pytest's JUnit XML. A run without a single check counts as a failure."""
    root = ElementTree.fromstring(text)
    cases = list(root.iter("testcase"))
    failures = [
        f"{case.get('name')}: {_first_line(problem.get('message') or '')}"
        for case in cases
        for problem in case
        if problem.tag in ("failure", "error")
    ]
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    if len(cases) - skipped <= 0:
        failures.append("smoke: not a single check was run")
    return Report(checks=len(cases) - skipped, failures=tuple(failures))


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["failed"])[0]


def _refusal(url: str, expected: Expected, report: Report, attempts: int, spent: float) -> CheckFailed:
    failed = "\n  ".join(report.failures[:10])
    return CheckFailed(
        f"The smoke gate refused {short(expected.digest)} on {expected.colour}. Users were not touched.\n  {failed}",
        why=f"{len(report.failures)} of {report.checks} checks still failed after {attempts} attempts "
        f"in {spent:.0f} s at {url}",
        next_step=f"see for yourself: pytest smoke --url {url} {' '.join(expected.options())} "
        "(where the load balancer cannot be reached from here, run the update inside its network).",
    )
