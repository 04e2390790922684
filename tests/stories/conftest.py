"""The local cloud for a session of rehearsals, a registry with images that behave well or badly, and a prober."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_aws import cloud as local_cloud
from local_aws.places import Places
from local_aws.progress import Progress
from release_lane.probe import Probe

from tests.disposable import cloud_goes, rest
from tests.patience import ANSWER_WITHIN
from tests.stories.known import Known, past
from tools.lane import EDITIONS, PROJECT, Lane, Stack

SHARED = "stage"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Releases in steps wait for metrics: they come first, while others have use for the processors."""
    items.sort(key=lambda item: item.path.name != "test_stepped.py")


@pytest.fixture(scope="session")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    """State of this session's stacks, on a local cloud that is up."""
    with Progress(sys.stderr) as progress:
        up = local_cloud.up(Places.read(), progress)
    opened = Lane.open(tmp_path_factory.mktemp("lane"), up.environment)
    yield opened
    if not cloud_goes():
        opened.close()


@pytest.fixture(scope="module", autouse=True)
def own_environments_rest(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a file of stories no tasks of its own environments run any more; only `shared` goes on to the next one."""
    here = (item for item in request.session.items if item.path == request.path)
    if not cloud_goes() or not any("lane" in getattr(item, "fixturenames", ()) for item in here):
        yield
        return
    lane: Lane = request.getfixturevalue("lane")
    before = {*lane.stacks, f"{SHARED}-{lane.mark}"}
    yield
    mine = {f"{PROJECT}-{name}" for name in lane.stacks - before}
    rest(lane.aws("ecs"), mine.__contains__)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A scratch repository with the sample service in it."""
    from tools.demo.source import Source

    return Source(tmp_path_factory.mktemp("source") / "repository", Path(__file__).resolve().parents[2])


@pytest.fixture(scope="session")
def good(lane: Lane, source: object) -> str:
    """The sample service, built by the artifacts stack; its digest."""
    artifacts = lane.artifacts(source.folder)  # type: ignore[attr-defined]
    result = artifacts.up()
    assert result.ok, result.text
    lane.repository = artifacts.outputs["repositoryUrl"]
    return str(artifacts.outputs["imageDigest"])


@pytest.fixture(scope="session")
def better(lane: Lane, good: str) -> str:
    """Another good image."""
    return lane.derive("better", good)


@pytest.fixture(scope="session")
def best(lane: Lane, good: str) -> str:
    """A third good image."""
    return lane.derive("best", good)


@pytest.fixture(scope="session")
def liar(lane: Lane, good: str) -> str:
    """Healthy, but its status says error."""
    return lane.derive("liar", good)


@pytest.fixture(scope="session")
def crasher(lane: Lane, good: str) -> str:
    """Exits at once."""
    return lane.derive("crasher", good)


@pytest.fixture(scope="session")
def sick(lane: Lane, good: str) -> str:
    """Runs, but is never healthy."""
    return lane.derive("sick", good)


@pytest.fixture(scope="session")
def known(good: str, better: str) -> Known:
    """Brings an environment to where a story begins."""
    return Known(good, better)


@pytest.fixture
def shared(lane: Lane) -> Stack:
    """The environment that stories share, just as it is: for a story that says itself where it begins."""
    return lane.environment(SHARED, like="staging", smoke={"deadlineSeconds": 3})


@pytest.fixture
def staging(known: Known, shared: Stack) -> Stack:
    """Two good releases behind it, traffic on the second one, the first one on the idle colour; both fully healthy."""
    return known(shared)


@pytest.fixture
def unseen(lane: Lane, good: str) -> Callable[..., str]:
    """A good image that was never live in an environment, and is none of some others."""

    def find(stack: Stack, *but: str) -> str:
        spent = {*past(stack), *but}
        return next(digest for name in EDITIONS if (digest := lane.derive(name, good)) not in spent)

    return find


@pytest.fixture
def probe() -> Iterator[object]:
    """Start probers by `probe(stack)`; they count what users get."""
    running: list[Probe] = []

    def start(stack: Stack, rate: float = 50) -> Probe:
        prober = stack.probe("/api/v1/status", rate, timeout=ANSWER_WITHIN).start()
        running.append(prober)
        return prober

    yield start
    for prober in running:
        prober.stop()


@pytest.fixture(scope="session")
def network() -> str:
    """The containers' network of the local cloud."""
    return Places.read().network
