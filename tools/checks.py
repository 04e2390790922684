"""All checks, run side by side, with one summary at the end.

python -m tools.checks           lint, types and all rings of tests (the local cloud runs for its ring)
python -m tools.checks --fast    lint, types and the rings without the cloud
python -m tools.checks NAME …    only these: lint format types pure rings cloud stories
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from local_aws import cloud, processes
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from provider_kit.streams import outliving

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv/bin"
PYTEST_NO_TESTS = 5


DEAD_PROXY = {
    name: "http://127.0.0.1:9" for word in ("http_proxy", "https_proxy", "all_proxy") for name in (word, word.upper())
}
"""No process listens there: a request to this machine that goes through a proxy fails."""


@dataclass(frozen=True)
class Check:
    """A command that passes with exit code 0. `show`: its output is shown only if it fails, in one block when it has
    ended, or as it comes."""

    name: str
    command: tuple[str, ...]
    show: Literal["on failure", "at the end", "as it comes"] = "on failure"
    proxied: bool = False
    """Behind a dead proxy: none of it may need one."""


@dataclass(frozen=True)
class Outcome:
    """`code` 0 is a pass; `left_out` says why a check did not run at all."""

    name: str
    code: int
    seconds: float
    left_out: str = ""

    @property
    def ok(self) -> bool:
        return self.code == 0 and not self.left_out

    def describe(self) -> str:
        if self.left_out:
            return f"LEFT OUT  {self.name}: {self.left_out}"
        return f"{'ok' if self.ok else 'FAILED':8}  {self.name} ({self.seconds:.1f} s)"


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def pytest(*arguments: str) -> tuple[str, ...]:
    return tool("python", "-m", "pytest", "-q", "--tb=short", *arguments)


LINT = Check("lint", tool("ruff", "check", "--quiet", "."))
FORMAT = Check("format", tool("ruff", "format", "--check", "--quiet", "."))
TYPES = Check("types", tool("mypy", "--no-error-summary"))
PURE = Check("pure", pytest("-m", "pure"), show="at the end")
RINGS = Check(
    "rings", pytest("-m", "not pure and not cloud", "--numprocesses=3", "--dist=loadfile"), show="as it comes",
    proxied=True,
)  # fmt: skip
CLOUD = Check("cloud", pytest("-m", "cloud and not pure and not story", "--durations=10"), show="at the end")
STORIES = Check("stories", pytest("-m", "cloud and not pure and story", "--durations=10"), show="as it comes")
EVERY = {check.name: check for check in (LINT, FORMAT, TYPES, PURE, RINGS, CLOUD, STORIES)}
ON_A_CLOUD = (CLOUD, STORIES)
PROCESSORS = 2
"""From so many on the two run side by side: with one, starved containers would be taken for sick ones."""


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print(__doc__)
        return 0
    names = [name for name in argv if name != "--fast"]
    if unknown := [name for name in names if name not in EVERY]:
        print(f"no such check: {', '.join(unknown)}; there are {', '.join(EVERY)}, and --fast", file=sys.stderr)
        return 2
    wanted = [EVERY[name] for name in names] or [
        check for check in EVERY.values() if check not in ON_A_CLOUD or "--fast" not in argv
    ]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return conclude(run(wanted))
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    finally:
        processes.end_children()


def run(wanted: Sequence[Check]) -> list[Outcome]:
    """All checks without a cloud at once; then those on one, each on its own cloud, which came up meanwhile."""
    on_a_cloud = [check for check in wanted if check in ON_A_CLOUD]
    others = [_starter(check) for check in wanted if check not in ON_A_CLOUD]
    if not on_a_cloud:
        return side_by_side(others)
    if why_not := cloud_cannot_run():
        return [*side_by_side(others), *left_out(on_a_cloud, why_not)]
    clouds = {check: places_of(check) for check in on_a_cloud}
    with ExitStack() as held:
        for places in clouds.values():
            held.enter_context(alone(places.lock, "test"))
            held.enter_context(_as_it_was(places))
        outcomes = side_by_side([*others, lambda: _bring_up(clouds.values())])
        if not outcomes[-1].ok:
            return [*outcomes, *left_out(on_a_cloud, "the local cloud did not come up")]
        if (os.cpu_count() or 1) >= PROCESSORS:
            return [*outcomes, *side_by_side([_starter(check, environment_of(at)) for check, at in clouds.items()])]
        return [*outcomes, *(perform(shown(check), environment_of(at)) for check, at in clouds.items())]


def shown(check: Check) -> Check:
    """The same, as the only one that runs: its output is shown as it comes."""
    return replace(check, show="as it comes")


def left_out(checks: Sequence[Check], why: str) -> list[Outcome]:
    return [Outcome(check.name, 0, 0.0, why) for check in checks]


def places_of(check: Check) -> Places:
    """Stories have a local cloud of their own and run next to the rest: both wait more than they compute."""
    places = Places.read()
    if check is not STORIES:
        return places
    return Places.read({**os.environ, "LOCAL_RUNTIME": str(places.runtime / STORIES.name)})


def environment_of(places: Places) -> dict[str, str]:
    """What tests need to find and use that cloud."""
    found = cloud.current(places)
    return {**(found.environment if found else os.environ), "LOCAL_RUNTIME": str(places.runtime)}


@contextmanager
def _as_it_was(places: Places) -> Iterator[None]:
    """A cloud that ran before still runs afterwards; one that did not is brought down."""
    ran = cloud.current(places) is not None
    try:
        yield
    finally:
        if not ran:
            processes.end_children()
            cloud.down(places, print)


def cloud_cannot_run() -> str:
    """Why the ring that needs containers cannot run on this machine; "" when it can."""
    if sys.platform != "linux":
        return "the local cloud needs Linux"
    if not shutil.which("docker"):
        return "there is no docker on this machine (./bootstrap)"
    return ""


def _starter(check: Check, environment: Mapping[str, str] = os.environ) -> Callable[[], Outcome]:
    return lambda: perform(check, environment)


def _bring_up(clouds: Iterable[Places]) -> Outcome:
    begin = time.monotonic()
    try:
        for places in clouds:
            with Progress() as progress:
                cloud.up(places, progress)
    except LocalError as error:
        print(error, file=sys.stderr, flush=True)
        return Outcome("local cloud", error.exit_code, time.monotonic() - begin)
    return Outcome("local cloud", 0, time.monotonic() - begin)


def side_by_side(jobs: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """Run all jobs at once; their outcomes in the order given."""
    outcomes: dict[int, Outcome] = {}

    def keep(number: int, job: Callable[[], Outcome]) -> None:
        outcomes[number] = job()

    threads = [threading.Thread(target=keep, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(len(jobs))]


def perform(check: Check, environment: Mapping[str, str]) -> Outcome:
    begin = time.monotonic()
    live = check.show == "as it comes"
    done = subprocess.run(
        check.command, cwd=ROOT, env={**environment, **(DEAD_PROXY if check.proxied else {})}, stdin=subprocess.DEVNULL,
        stdout=None if live else subprocess.PIPE, stderr=None if live else subprocess.STDOUT, text=True,
    )  # fmt: skip
    seconds = time.monotonic() - begin
    if not live and (done.returncode or check.show == "at the end"):
        print(f"\n--- {check.name}\n{done.stdout}", flush=True)
    if check.show != "on failure" and done.returncode == PYTEST_NO_TESTS:
        print(f"--- {check.name}: no test was found", flush=True)
    return Outcome(check.name, done.returncode, seconds)


def conclude(outcomes: Sequence[Outcome]) -> int:
    """Print the summary; 0 only if every check passed, or was left out for a stated reason."""
    print("\nsummary")
    for outcome in outcomes:
        print(f"  {outcome.describe()}")
    failed = [outcome for outcome in outcomes if outcome.code]
    print(f"{len(outcomes) - len(failed)} of {len(outcomes)} in order", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
