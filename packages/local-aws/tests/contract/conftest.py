"""The stage, the actors, and helpers that clean up after a test or a file.

Without further ado the suite runs on the local cloud. `make aws-check` says by an environment variable that it is to
run in a real account.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws import cloud
from local_aws.places import Places
from local_aws.progress import Progress
from tests.contract import leftovers
from tests.contract.aws import RUN, Aws, Where
from tests.contract.balancing import Actor, Balancing, forward
from tests.contract.serving import Serving
from tests.contract.stage import Stage

from tests.patience import PATIENCE


def where() -> Where:
    """The account that `make aws-check` named, or the local cloud, which is brought up."""
    if given := os.environ.get(RUN):
        return Where.from_text(given)
    with Progress(sys.stderr) as progress:
        up = cloud.up(Places.read(), progress)
    scale = float(os.environ.get("LOCAL_TIME_SCALE", "0.1"))
    return Where.of_the_local_cloud(up.environment["AWS_ENDPOINT_URL"], scale)


def say(text: str) -> None:
    print(f"cleaning up: {text}", file=sys.stderr, flush=True)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """The account; all that this run made there is gone afterwards. `make aws-check` sees to that by itself."""
    aws = Aws(where())
    yield aws
    if RUN not in os.environ:
        left = leftovers.remove(aws, aws.where.mark, say, PATIENCE)
        assert not left, f"left over: {left}"


@pytest.fixture(scope="session")
def stage(aws: Aws) -> Iterator[Stage]:
    """Network, cluster, registry and load balancer of this run."""
    stage = Stage(aws)
    yield stage
    stage.close()


@pytest.fixture(scope="session")
def store_subnets(aws: Aws, stage: Stage) -> str:
    """The name of two groups of subnets in two zones: one for databases, one for caches."""
    name, subnets = aws.named("stores"), list(stage.network.subnets)
    aws.client("rds").create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="contract suite", SubnetIds=subnets, Tags=aws.tags()
    )
    aws.client("elasticache").create_cache_subnet_group(
        CacheSubnetGroupName=name, CacheSubnetGroupDescription="contract suite", SubnetIds=subnets, Tags=aws.tags()
    )
    return name


@pytest.fixture(scope="session")
def actors(aws: Aws, stage: Stage) -> Iterator[tuple[Actor, Actor]]:
    """Two tasks that can be registered anywhere; each gets its instructions by a listener of its own."""
    assert stage.balancer
    serving, balancing = Serving(aws, stage, "actors"), Balancing(aws, stage)
    names = ("first", "second")
    tasks = [serving.run(serving.define(env={"NAME": name})) for name in names]
    ips = [ip_of(serving.until(task, "RUNNING")) for task in tasks]
    made = [_actor(balancing, name, ip) for name, ip in zip(names, ips, strict=True)]
    yield made[0], made[1]
    balancing.close()
    serving.close()


def _actor(balancing: Balancing, name: str, ip: str) -> Actor:
    group = balancing.group(name)
    listener = balancing.listener(forward((group, 1)))
    actor = Actor(name, ip, listener.url)
    balancing.register(group, actor)
    balancing.until(group, "healthy")
    balancing.only(listener, name)
    return actor


def ip_of(task: dict[str, object]) -> str:
    """A task's own address."""
    containers: list[dict[str, list[dict[str, str]]]] = task["containers"]  # type: ignore[assignment]
    return containers[0]["networkInterfaces"][0]["privateIpv4Address"]


@pytest.fixture
def elb(aws: Aws, stage: Stage) -> Iterator[Balancing]:
    """Listeners and target groups of one test."""
    balancing = Balancing(aws, stage)
    yield balancing
    balancing.close()


@pytest.fixture(scope="module")
def shared_elb(aws: Aws, stage: Stage) -> Iterator[Balancing]:
    """Listeners and target groups of one file."""
    balancing = Balancing(aws, stage)
    yield balancing
    balancing.close()


@pytest.fixture
def ecs(aws: Aws, stage: Stage, request: pytest.FixtureRequest) -> Iterator[Serving]:
    """Services and tasks of one test."""
    serving = Serving(aws, stage, Path(request.path).stem.removeprefix("test_"))
    yield serving
    serving.close()


@pytest.fixture(scope="module")
def shared_ecs(aws: Aws, stage: Stage) -> Iterator[Serving]:
    """Services and tasks of one file."""
    serving = Serving(aws, stage, "shared")
    yield serving
    serving.close()
