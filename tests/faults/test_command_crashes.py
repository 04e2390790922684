"""Kill -9 and Ctrl-C of the `release` command at each boundary of its update: `release recover`, then release again.

One of them in an ordinary run; all in `make soak`.
"""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from release_lane.probe import Probe
from tests.command.checkout import Checkout, on_the_local_cloud

from tests.faults.crash import children, command_line, end, follow
from tests.faults.matrix import how_many
from tests.faults.points import Point
from tests.faults.record import boundaries
from tests.patience import PATIENCE
from tests.stories.cloud import eventually
from tools.lane import VARIANTS, Lane

EVENT_LOG = re.compile(r"--event-log /dev/fd/(\d+)")
NUMBER = itertools.count(1)
CASES = [
    pytest.param(point, how, id=f"{how.name} release at {point}")
    for point in boundaries()
    if point.when not in ("asked", "done")
    for how in (signal.SIGKILL, signal.SIGINT)
]
FEW = 1


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """Staging with a release on each colour."""
    with on_the_local_cloud(tmp_path_factory.mktemp("killed") / "checkout") as made:
        first = made.release("build").ok().out.strip()
        made.release("deploy", "staging", "--digest", first).ok()
        made.release("deploy", "staging", "--digest", another(made, first)).ok()
        yield made


@pytest.fixture(scope="module")
def probe(checkout: Checkout) -> Iterator[Probe]:
    url = checkout.status("staging")["url"]
    with Probe(f"{url}/api/v1/status", 50, timeout=20) as running:
        yield running


def another(made: Checkout, good: str) -> str:
    """A new good image in this checkout's registry; its digest."""
    name = f"killed-{next(NUMBER)}"
    VARIANTS[name] = (f"LABEL edition={name}",)
    return Lane(made.folder, made.variables, repository=f"registry/{made.project}/app").derive(name, good)


def engine_of(command: subprocess.Popen[str]) -> tuple[int, Path]:
    """The engine that the command started, and its event log (a file without a name, which only they hold).

    What the command starts becomes the engine after a moment.
    """

    def look() -> tuple[int, Path] | None:
        for pid in children(command.pid):
            words = command_line(pid)
            if "pulumi" in words.split(" ")[0] and (found := EVENT_LOG.search(words)):
                return pid, Path(f"/proc/{pid}/fd/{found[1]}")
        assert command.poll() is None, "the command ended before it started an update"
        return None

    found: tuple[int, Path] = eventually("the update begins", look, every=0.01)
    return found


def step_of(number: int) -> int:
    """Which of all cases is the number-th of a sample."""
    return number * 7 % len(CASES)


@pytest.mark.cloud
@pytest.mark.story
@pytest.mark.long
@pytest.mark.real
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("point", "how"),
    CASES if how_many(CASES, FEW) == len(CASES) else [CASES[step_of(n + 4)] for n in range(how_many(CASES, FEW))],
)
@pytest.mark.states
def test_users_stay_served_recover_clears_it_and_the_next_release_gets_there(
    point: Point, how: signal.Signals, checkout: Checkout, probe: Probe
) -> None:
    live = checkout.status("staging")["digest"]
    digest = another(checkout, live)
    probe.mark(f"{how} {point}")
    struck = False
    with checkout.started("deploy", "staging", "--digest", digest) as running:
        _, log = engine_of(running)
        for passed in follow(log, lambda: not checkout.engines()):
            if passed == point and not struck:
                end(running.pid, how)
                struck = True
        _, err = running.communicate(timeout=PATIENCE)
    assert struck, f"never came to {point}\n{err}"
    eventually("no engine is left", lambda: not checkout.engines())
    assert "Traceback" not in err
    assert checkout.status("staging")["digest"] in (live, digest)
    recovered = checkout.release("recover", "staging", "--yes", "--json").ok().data
    assert recovered["left"] == [], recovered
    checkout.release("deploy", "staging", "--digest", digest).ok()
    status = checkout.status("staging")
    assert (status["digest"], status["previousDigest"]) == (digest, live)
    counts = probe.snapshot().step(f"{how} {point}")
    assert (counts.failed, counts.mixed) == (0, 0), counts
