"""One step of the demo: a `release` command with the exit code that it must have, and what users got meanwhile."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.errors import LocalError
from release_lane.probe import Counts, Probe
from release_lane.record.endpoint import Endpoint

RATE = 50.0
"""Requests a second to each environment."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a `release` command ended: its exit code, its JSON, and what it said on the way."""

    code: int
    data: Mapping[str, Any]
    said: str
    seconds: float


@dataclass(kw_only=True)
class Step:
    """A line of the summary. `digest` and `live` are what the step left live."""

    name: str
    seconds: float = 0.0
    digest: str = ""
    live: str = ""
    note: str = ""


@dataclass
class Stage:
    """Runs commands, watches both environments, keeps the steps."""

    variables: Mapping[str, str]
    root: Path
    log: Path
    steps: list[Step] = field(default_factory=list)
    probes: dict[str, Probe] = field(default_factory=dict)

    def release(self, *arguments: str, expect: int = 0) -> Ended:
        """Run `release`; a LocalError unless it ends with the expected exit code."""
        begun = time.monotonic()
        command = ["release", *arguments, "--json"]
        with self.log.open("a") as log:
            print(f"$ {' '.join(command)}", file=log, flush=True)
            done = subprocess.run(
                command, cwd=self.root, env=dict(self.variables), stdout=subprocess.PIPE, stderr=log, text=True
            )
            print(done.stdout, file=log)
        if done.returncode != expect:
            raise LocalError(
                f"`{' '.join(command)}` ended with exit code {done.returncode}, not {expect}.",
                why=_last_lines(self.log),
                next_step=f"read {self.log}",
            )
        data = json.loads(done.stdout) if done.stdout.strip() else {}
        return Ended(code=done.returncode, data=data, said=done.stdout, seconds=time.monotonic() - begun)

    def begin(self, name: str) -> Step:
        """A new step; requests from now on are counted for it."""
        step = Step(name=name)
        self.steps.append(step)
        for probe in self.probes.values():
            probe.mark(name)
        return step

    def watch(self, environment: str, at: Endpoint) -> None:
        """Send requests to this environment from now on."""
        probe = Probe(f"{at.url}/api/v1/status", RATE, connect_to=at.connect_to, environ=self.variables).start()
        probe.mark(self.steps[-1].name)
        self.probes[environment] = probe

    def counts(self) -> dict[str, dict[str, Counts]]:
        """Stop watching; what users of each environment got, by step."""
        reports = {environment: probe.stop() for environment, probe in self.probes.items()}
        return {environment: {each.name: each for each in report.steps} for environment, report in reports.items()}


def _last_lines(log: Path, number: int = 25) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-number:])


def totals(counts: Mapping[str, Mapping[str, Counts]], name: str) -> list[tuple[str, int, int]]:
    """(environment, failed, sent) of one step."""
    return [
        (environment, steps[name].failed, steps[name].sent) for environment, steps in counts.items() if name in steps
    ]


def served(counts: Mapping[str, Mapping[str, Counts]]) -> set[str]:
    """All digests that ever answered a user."""
    each: Sequence[Counts] = [step for steps in counts.values() for step in steps.values()]
    return {release.digest for step in each for release in step.releases}
