"""What a user would pick instead: ecs-deploy, which rolls a service over without a gate, measured in the same run.

Both release the same images to environments of the same shape, by their commands, at the local cloud's own speed and
with AWS farther away. Its users see both releases for a while; they count as moved once no answer is the old one's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import requests
from local_aws.toolchain.uv import uv

from tools.bench import measure
from tools.bench.slow import AWAY, farther_away
from tools.lane import EDITIONS, PROJECT, ROOT, SLOW, STARTS_AFTER, Lane, Stack

LOCKED = Path(__file__).with_name("peers.lock")
NAME = "ecs-deploy"
RUNS = 3
PAUSE = 0.02  # seconds between a user's requests
USERS_AIM, ROLLBACK_AIM, END_AIM = 3.0, 1.5, 2.0
"""Users at most so many seconds after the peer's; a rollback at most so many times the peer's; the command's end at
most so many seconds after the peer's."""


@dataclass(frozen=True)
class Took:
    """Seconds from the command's start until no user got the old release any more, and until the command's end."""

    users: float
    end: float


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The same thing done by the lane and by the peer; `away` are seconds added to each answer of AWS, and `starts`
    seconds that a container does nothing before its service starts."""

    what: str
    away: float
    starts: float = 0.0
    lane: tuple[Took, ...]
    peer: tuple[Took, ...]

    def medians(self, of: Callable[[Took], float]) -> tuple[float, float]:
        """The lane's, the peer's."""
        return statistics.median(map(of, self.lane)), statistics.median(map(of, self.peer))

    @property
    def users(self) -> tuple[float, float]:
        """Seconds until users were moved."""
        return self.medians(lambda took: took.users)

    @property
    def end(self) -> tuple[float, float]:
        """Seconds until the command's end."""
        return self.medians(lambda took: took.end)

    @property
    def met(self) -> bool:
        """Are users moved soon enough, and does the command end soon enough?"""
        (ours, theirs), (our_end, their_end) = self.users, self.end
        soon = ours <= ROLLBACK_AIM * theirs if self.what == "rollback" else ours <= theirs + USERS_AIM
        return soon and our_end <= their_end + END_AIM


@dataclass(frozen=True)
class Sample:
    """One answer: when it was asked for (monotonic seconds), and the digest that it names."""

    asked: float
    digest: str


def moved_after(samples: Sequence[Sample], begun: float, digest: str) -> float:
    """Seconds from `begun` until the last request was sent that another release than `digest` answered."""
    if not samples or samples[-1].digest != digest:
        raise RuntimeError(f"users did not get {digest}")
    return max((each.asked - begun for each in samples if each.digest not in ("", digest)), default=0.0)


@dataclass
class User:
    """Asks again and again, and remembers who answered."""

    url: str
    samples: list[Sample] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the block runs, and once after it."""
        end = threading.Event()
        thread = threading.Thread(target=self._ask, args=(end,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def _ask(self, end: threading.Event) -> None:
        with requests.Session() as session:
            last = False
            while not last:
                last, asked, digest = end.wait(PAUSE), time.monotonic(), ""
                with suppress(requests.RequestException, ValueError):
                    digest = str(session.get(self.url + "/api/v1/status", timeout=5).json().get("digest"))
                self.samples.append(Sample(asked, digest))


def took(url: str, digest: str, command: Sequence[str], variables: Mapping[str, str]) -> Took:
    """Run it while a user asks."""
    user, begun = User(url), time.monotonic()
    with user.asking():
        done = subprocess.run(
            command, cwd=ROOT, env=dict(variables), capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        ended = time.monotonic() - begun
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return Took(moved_after(user.samples, begun, digest), ended)


def installed(folder: Path) -> Path:
    """The peer's own command, in an environment of its own, as locked."""
    venv = folder / "peers"
    for arguments in (("venv", str(venv)), ("pip", "sync", "--python", str(venv / "bin/python"), str(LOCKED))):
        done = uv("-q", *arguments)
        if done.returncode != 0:
            raise RuntimeError(f"{NAME} could not be installed: {done.stderr.strip()}")
    return venv / "bin/ecs"


@dataclass(frozen=True)
class Ours:
    """The lane, by its command."""

    stack: Stack

    def deploy(self, digest: str) -> Took:
        """To the idle colour, through all gates."""
        return self._release(digest, "deploy", "--digest", digest)

    def back(self) -> Took:
        """To the previous release, which the idle colour still runs."""
        return self._release(str(self.stack.outputs["previousDigest"]), "rollback")

    def _release(self, digest: str, verb: str, *more: str) -> Took:
        lane = self.stack.lane
        command = [sys.executable, "-m", "release_lane.command", verb, self.stack.name, "--yes", *more]
        return took(self.stack.url, digest, command, {**lane.variables, "RELEASE_LANE_STACKS": str(lane.folder)})


@dataclass
class Theirs:
    """The peer, on the live colour's service of an environment that the lane has made for it."""

    stack: Stack
    command: Path
    released: list[tuple[str, str]] = field(default_factory=list)
    """Digest and task definition, the live one last."""

    def deploy(self, digest: str) -> Took:
        """Roll the service over to a new task definition."""
        image = f"{self.stack.lane.repository}@{digest}"
        spent = self._ecs(digest, "--image", "app", image, "--env", "app", "RELEASE_DIGEST", digest)
        ecs = self.stack.lane.aws("ecs")
        found = ecs.list_task_definitions(familyPrefix=self._service, sort="DESC", maxResults=1)
        self.released.append((digest, str(found["taskDefinitionArns"][0])))
        return spent

    def back(self) -> Took:
        """Roll it over to the task definition of the release before."""
        digest, task_definition = self.released[-2]
        self.released.append(self.released[-2])
        return self._ecs(digest, "--task", task_definition)

    @property
    def _service(self) -> str:
        return f"{PROJECT}-{self.stack.name}-{self.stack.outputs['liveColour']}"

    def _ecs(self, digest: str, *what: str) -> Took:
        cluster, variables = f"{PROJECT}-{self.stack.name}", self.stack.lane.variables
        given = {**variables, "AWS_DEFAULT_REGION": "us-east-1", "PATH": os.environ["PATH"]}
        command = [str(self.command), "deploy", cluster, self._service, *what, "--no-deregister", "--timeout", "300"]
        return took(self.stack.url, digest, command, given)


def compared(lane: Lane, good: str, folder: Path, say: measure.Say) -> list[Compared]:
    """Promotions and rollbacks of both: near, far, and far with tasks that take long to start, as on Fargate."""
    say(f"{NAME}: installing it")
    command = installed(folder)
    ours, theirs = (measure.environment(lane, name) for name in ("ours", "theirs"))
    for stack in (ours, theirs):
        measure.ran(stack.up(imageDigest=good))
    peer = Theirs(theirs, command)
    near = _both(good, Ours(ours), peer, EDITIONS[-2 * RUNS : -RUNS], say)
    with farther_away(ours) as far_ours, farther_away(theirs) as far_theirs:
        both = Ours(far_ours), replace(peer, stack=far_theirs)
        far = _both(good, *both, EDITIONS[-RUNS:], say, away=AWAY)
        late = _both(good, *both, SLOW[:RUNS], say, away=AWAY, starts=STARTS_AFTER)
    return [*near, *far, *late]


def _both(
    good: str,
    ours: Ours,
    theirs: Theirs,
    images: Sequence[str],
    say: measure.Say,
    *,
    away: float = 0.0,
    starts: float = 0.0,
) -> list[Compared]:
    lane = ours.stack.lane
    say(f"promotions and rollbacks by the lane and by {NAME}, {1000 * away:.0f} ms away, started after {starts:.0f} s")
    promoted: tuple[list[Took], list[Took]] = ([], [])
    back: tuple[list[Took], list[Took]] = ([], [])
    for name in images:
        digest = lane.derive(name, good)
        promoted[0].append(ours.deploy(digest))
        promoted[1].append(theirs.deploy(digest))
    for _ in range(RUNS):
        back[0].append(ours.back())
        back[1].append(theirs.back())
    return [
        Compared(what=what, away=away, starts=starts, lane=tuple(found[0]), peer=tuple(found[1]))
        for what, found in (("promotion", promoted), ("rollback", back))
    ]
