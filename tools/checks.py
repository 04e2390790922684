"""All checks, run side by side, with one summary at the end.

python -m tools.checks           what the lane guarantees: lint, types, its rings without a cloud, command and stories
python -m tools.checks --fast    lint, types and the ring of pure tests
python -m tools.checks --rest    what the first one leaves out: the pipelines, the long stories, the local cloud's own
                                 suite, and locks, crashes and recovery once more, with states in S3
python -m tools.checks --all     both
python -m tools.checks NAME …    only these: lint format types pure rings command stories pipelines
                                 long long-command local-rings local states
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal, TypeVar

from local_aws import cloud, dockercli, emulator_process, processes
from local_aws.alone import alone
from local_aws.errors import LocalError
from local_aws.places import Places
from local_aws.progress import Progress
from provider_kit.streams import outliving

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv/bin"
PYTEST_NO_TESTS = 5
T = TypeVar("T")


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
    aside: bool = False
    """Next to clouds it gets what they leave of the processors, and its output is shown when it has ended."""


@dataclass(frozen=True)
class Outcome:
    """`code` 0 is a pass; `left_out` says why a check did not run at all, `red` which of its tests failed, and how."""

    name: str
    code: int
    seconds: float
    left_out: str = ""
    red: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return self.code == 0 and not self.left_out

    def describe(self) -> str:
        if self.left_out:
            return f"LEFT OUT  {self.name}: {self.left_out}"
        lines = [f"{'ok' if self.ok else 'FAILED':8}  {self.name} ({self.seconds:.1f} s)", *self.red]
        return "\n            ".join(lines)


def tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def pytest(*arguments: str) -> tuple[str, ...]:
    return tool("python", "-m", "pytest", "-q", "--tb=short", *arguments)


FOLDERS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
OF_THE_CLOUD = "packages/local-aws/tests"
OURS = tuple(folder for folder in FOLDERS if folder != OF_THE_CLOUD)
LINT = Check("lint", tool("ruff", "check", "--quiet", "."))
FORMAT = Check("format", tool("ruff", "format", "--check", "--quiet", "."))
TYPES = Check("types", tool("mypy", "--no-error-summary"))
NO_CLOUD = ("-m", "not cloud and not pipeline", "--numprocesses=3", "--dist=loadfile")
RINGS = Check("rings", pytest(*NO_CLOUD, *OURS), show="as it comes", proxied=True, aside=True)
LOCAL_RINGS = replace(RINGS, name="local-rings", command=pytest(*NO_CLOUD, OF_THE_CLOUD), show="at the end")
"""Those of the local cloud's own suite."""
PURE = Check("pure", pytest("-m", "pure", "--numprocesses=2", "--dist=loadfile"), show="as it comes")
"""The part of the rings that starts no process and opens no connection."""
STORIES = Check("stories", pytest("-m", "cloud and story and not long", *OURS, "--durations=10"), show="as it comes")
COMMAND = Check("command", pytest("-m", "cloud and not story and not long", *OURS, "--durations=10"), show="at the end")
LONG = Check("long", pytest("-m", "cloud and story and long", *OURS, "--durations=10"), show="as it comes")
LONG_COMMAND = Check(
    "long-command", pytest("-m", "cloud and not story and long", *OURS, "--durations=10"), show="at the end"
)  # fmt: skip
LOCAL = Check("local", pytest("-m", "cloud", OF_THE_CLOUD, "--durations=10"), show="as it comes")
STATES = Check(
    "states", ("env", "STATE=s3", *pytest("-m", "states", *OURS, "--durations=10")), show="at the end"
)  # fmt: skip
PIPELINES = Check(
    "pipelines",
    pytest("-m", "pipeline", *FOLDERS, "--numprocesses=3", "--dist=loadfile", "--durations=5"),
    show="at the end",
)
"""Not among the rings: its tools are fetched, perhaps by a proxy, when they are asked for first."""
LANES = ((STORIES, LOCAL, LONG), (COMMAND, LONG_COMMAND, STATES))
"""What needs a local cloud. Each lane has one of its own, new for each check, so that the two run side by side: one
works while the other one waits; what needs no cloud runs next to them, with what they leave of the processors. Of the
first lane the output is shown as it comes."""
FAST = (LINT, FORMAT, TYPES, PURE)
OF_THE_LANE = (LINT, FORMAT, TYPES, RINGS, COMMAND, STORIES)
REST = (PIPELINES, LOCAL_RINGS, *LANES[0][1:], *LANES[1][1:])
EVERY = {check.name: check for check in (*FAST, *OF_THE_LANE, *REST)}
SETS = {
    "": OF_THE_LANE,
    "--fast": FAST,
    "--rest": REST,
    "--all": (*OF_THE_LANE, *REST),
}
DOTS = re.compile(r"^[.sx]+(?: +\[ *\d+%\])?\n", re.MULTILINE)
"""Progress of pytest, which says nothing once it is over."""
GOES = {"LOCAL_CLOUD_GOES": "1"}
"""Tells tests that their cloud is brought down after them, so that they need not take down what they made."""
PROCESSORS = 2
"""From this number on both lanes run side by side; with one processor, containers starve and look broken."""


def main(argv: list[str]) -> int:
    if {"-h", "--help"} & set(argv):
        print(__doc__)
        return 0
    if unknown := [name for name in argv if name not in {**EVERY, **SETS}]:
        known = ", ".join([*EVERY, *filter(None, SETS)])
        print(f"no such check: {', '.join(unknown)}; there are {known}", file=sys.stderr)
        return 2
    wanted = chosen(argv)
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


def chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names and sets, each once, in the order of `EVERY`; without any, those of `make test`."""
    wanted = {check.name for name in names or [""] for check in SETS.get(name) or [EVERY[name]]}
    return [check for name, check in EVERY.items() if name in wanted]


def run(wanted: Sequence[Check]) -> list[Outcome]:
    """What needs no cloud next to both lanes; with one processor before them."""
    lanes = [kept for lane in LANES if (kept := [check for check in lane if check in wanted])]
    others = [check for check in wanted if not any(check in lane for lane in lanes)]
    why_not = cloud_cannot_run() if lanes else ""
    if not lanes or why_not:
        return [*side_by_side([_starter(check) for check in others]), *left_out(list(chain(*lanes)), why_not)]
    clouds = [places_of(lane[0]) for lane in lanes]
    at_once = (os.cpu_count() or 1) >= PROCESSORS
    with ExitStack() as held:
        for places in clouds:
            held.enter_context(alone(places.lock, "test"))
        goes = [held.enter_context(as_it_was(places)) for places in clouds]
        if not at_once:
            first = side_by_side([_starter(check) for check in others])
            alike = [[replace(check, show="as it comes") for check in lane] for lane in lanes]
            return [*first, *in_lanes(alike, clouds, goes, at_once=False)]
        aside = partial(side_by_side, [_starter(set_aside(check)) for check in others])
        return list(chain(*side_by_side([aside, partial(in_lanes, lanes, clouds, goes, at_once=True)])))


def set_aside(check: Check) -> Check:
    """The same next to clouds, whose containers would starve, and whose output would be torn apart."""
    return replace(check, command=("nice", "-n", "19", *check.command), show="at the end") if check.aside else check


def in_lanes(
    lanes: Sequence[Sequence[Check]], clouds: Sequence[Places], goes: Sequence[bool], *, at_once: bool
) -> list[Outcome]:
    """The clouds come up, and each lane's checks run in its own; what it gives begins with the clouds."""
    up = bring_up(clouds)
    if not up.ok:
        return [up, *left_out(list(chain(*lanes)), "the local cloud did not come up")]
    each = [partial(run_lane, *of) for of in zip(lanes, clouds, goes, strict=True)]
    return [up, *chain(*(side_by_side(each) if at_once else (one() for one in each)))]


def run_lane(checks: Sequence[Check], places: Places, goes: bool) -> list[Outcome]:
    """One after the other. A cloud that goes afterwards is renewed between them: none meets what another one left."""
    outcomes: list[Outcome] = []
    for number, check in enumerate(checks):
        if number and goes:
            up = renew(places)
            if not up.ok:
                return [*outcomes, up, *left_out(checks[number:], "the local cloud did not come up again")]
        outcomes.append(perform(check, {**environment_of(places), **(GOES if goes else {})}))
    return outcomes


def left_out(checks: Sequence[Check], why: str) -> list[Outcome]:
    return [Outcome(check.name, 0, 0.0, why) for check in checks]


def places_of(check: Check) -> Places:
    """The first lane uses the cloud of `make up`; the second one that lies in a folder of it."""
    places = Places.read()
    if check in LANES[0]:
        return places
    return Places.read({**os.environ, "LOCAL_RUNTIME": str(places.runtime / "second")})


def environment_of(places: Places) -> dict[str, str]:
    """What tests need to find and use that cloud."""
    found = cloud.current(places)
    return {**(found.environment if found else os.environ), "LOCAL_RUNTIME": str(places.runtime)}


@contextmanager
def as_it_was(places: Places) -> Iterator[bool]:
    """A cloud that ran before still runs afterwards; one that did not is brought down. Gives whether it will be."""
    goes = cloud.current(places) is None
    try:
        yield goes
    finally:
        if goes:
            processes.end_children()
            remove(places)


def remove(places: Places, *, inner: bool = True) -> None:
    """Bring this cloud down, with what tests built for it. `inner`: and what lies in its folder."""
    _forget_images(places)
    cloud.down(places, print, inner=inner)


def _forget_images(places: Places) -> None:
    """Remove what tests built and pushed to this cloud's registry: `cloud.down` keeps images with a tag."""
    if not (up := cloud.current(places)):
        return
    emulator_process.stop(places)  # it would start the containers that use them again
    dockercli.remove_containers(places)
    named = f"reference={up.environment['AWS_ENDPOINT_URL'].removeprefix('http://')}/lane-*/*"
    command = ["docker", "image", "ls", "--filter", named, "--format", "{{.Repository}}:{{.Tag}}"]
    if images := subprocess.run(command, capture_output=True, text=True).stdout.split():
        subprocess.run(["docker", "image", "rm", "--force", *images], capture_output=True)


def cloud_cannot_run() -> str:
    """Why the checks that need containers cannot run on this machine; "" when they can."""
    if sys.platform != "linux":
        return "the local cloud needs Linux"
    if not shutil.which("docker"):
        return "there is no docker on this machine (./bootstrap)"
    return ""


def _starter(check: Check, environment: Mapping[str, str] = os.environ) -> Callable[[], Outcome]:
    return lambda: perform(check, environment)


def bring_up(clouds: Iterable[Places], provider: str = "") -> Outcome:
    begin = time.monotonic()
    try:
        for places in clouds:
            with Progress() as progress:
                cloud.up(places, progress, provider)
    except LocalError as error:
        print(error, file=sys.stderr, flush=True)
        return Outcome("local cloud", error.exit_code, time.monotonic() - begin)
    return Outcome("local cloud", 0, time.monotonic() - begin)


def renew(places: Places) -> Outcome:
    """A new cloud in place of this one; the other lane's, in its folder, is at work and stays."""
    try:
        remove(places, inner=False)
    except LocalError as error:
        print(error, file=sys.stderr, flush=True)
        return Outcome("local cloud", error.exit_code, 0.0)
    return bring_up([places])


def side_by_side(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """Run all jobs at once; what they give, in the order of the jobs."""
    given: dict[int, T] = {}

    def keep(number: int, job: Callable[[], T]) -> None:
        given[number] = job()

    threads = [threading.Thread(target=keep, args=pair, daemon=True) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [given[number] for number in range(len(jobs))]


def perform(check: Check, environment: Mapping[str, str]) -> Outcome:
    begin = time.monotonic()
    live = check.show == "as it comes"
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        done = subprocess.run(
            (*check.command, *((f"--junitxml={report}",) if "pytest" in check.command else ())),
            cwd=ROOT, env={**environment, **(DEAD_PROXY if check.proxied else {})}, stdin=subprocess.DEVNULL,
            stdout=None if live else subprocess.PIPE, stderr=None if live else subprocess.STDOUT, text=True,
        )  # fmt: skip
        red = red_of(report.read_text()) if report.exists() else ()
    seconds = time.monotonic() - begin
    if not live and (done.returncode or check.show == "at the end"):
        print(f"\n--- {check.name}\n{DOTS.sub('', done.stdout)}", flush=True)
    if check.show != "on failure" and done.returncode == PYTEST_NO_TESTS:
        print(f"--- {check.name}: no test was found", flush=True)
    return Outcome(check.name, done.returncode, seconds, red=red)


def red_of(report: str) -> tuple[str, ...]:
    """Of a JUnit report: each test that failed or broke, with the first line of why. Output may be cut, the summary
    comes last."""
    return tuple(
        f"{case.get('classname')}::{case.get('name')}: {(ill.get('message') or '').partition(chr(10))[0][:200]}"
        for case in ElementTree.fromstring(report).iter("testcase")
        for ill in (*case.iterfind("failure"), *case.iterfind("error"))
    )


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
