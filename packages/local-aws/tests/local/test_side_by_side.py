"""Two local clouds on one machine: each sees, changes and removes only what is its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from local_aws import cloud, dockercli, dockerd, slots
from local_aws.places import Places
from local_aws.toolchain.cache import cache_folder
from tests.local.repository import ROOT
from tests.local.side import REPOSITORY, Side, command, start, status

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    folders = [tmp_path_factory.mktemp(name) / ".local" for name in ("one", "two")]
    try:
        yield start(folders[0], "one"), start(folders[1], "two")
    finally:
        for folder in folders:
            cloud.down(Places(root=ROOT, runtime=folder, cache=cache_folder()), print)


def test_the_same_environment_runs_in_both_and_each_answers_for_itself(sides: tuple[Side, Side]) -> None:
    one, two = sides
    assert one.url != two.url
    assert [requests.get(side.url, timeout=5).text for side in sides] == ["one", "two"]
    assert len(one.tasks("RUNNING")) == len(two.tasks("RUNNING")) == 1
    assert set(one.tasks("RUNNING")).isdisjoint(two.tasks("RUNNING"))


def test_status_tells_only_what_is_its_own(sides: tuple[Side, Side]) -> None:
    one, two = (status(side.places) for side in sides)
    assert (one["endpoint"], one["slot"]) != (two["endpoint"], two["slot"])
    assert one["urls"].keys() == two["urls"].keys() == {"beside"}
    for what in (lambda of: of["urls"].values(), lambda of: of["containers"], lambda of: of["processes"]):
        assert len(what(one)) >= 1
        assert not any(each in what(two) for each in what(one))
    assert two["slot"] in {each["slot"] for each in one["others"] if each["up"]}


def test_a_change_in_one_is_none_in_the_other(sides: tuple[Side, Side]) -> None:
    one, two = sides
    one.aws("ecs").create_cluster(clusterName="only-here")
    one.aws("ecr").create_repository(repositoryName="only/here")
    assert not any("only-here" in arn for arn in two.aws("ecs").list_clusters()["clusterArns"])
    assert [each["repositoryName"] for each in two.aws("ecr").describe_repositories()["repositories"]] == [REPOSITORY]


def test_up_of_one_again_leaves_the_other_alone(sides: tuple[Side, Side]) -> None:
    one, two = sides
    before = two.everything()
    assert command(one.places, "up").returncode == 0
    assert two.everything() == before


def test_the_first_to_go_takes_only_its_own_and_leaves_docker_running(sides: tuple[Side, Side]) -> None:
    one, two = sides
    before = two.everything()
    assert untagged(one)
    assert untagged(two)
    done = command(one.places, "down")
    assert done.returncode == 0, done.stderr
    assert not untagged(one)
    assert untagged(two)
    assert cloud.leftovers(one.places) == ([], [])
    assert two.everything() == before
    assert one.places.cloud_id not in {claim.cloud for claim in slots.claims(one.places.shared)}
    if dockerd.ours_runs(two.places):
        assert "dockerd keeps running: the local cloud of " in done.stderr


def untagged(side: Side) -> list[str]:
    """What Docker has of this cloud's registry without a tag: its tasks pulled it by digest."""
    pattern = f"reference=localhost:{side.places.port}/{REPOSITORY}"
    listed = dockercli.docker("image", "ls", "--filter", pattern, "--format", "{{.Tag}} {{.ID}}").splitlines()
    return [line for line in listed if line.startswith("<none>")]
