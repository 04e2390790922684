"""Engines that die while their provider is at work, with the states in S3 and secrets under a KMS key, as on AWS.

Each story begins with as many releases in staging as it needs. All of them run with the states in a folder as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from release_lane.record.placement import Colour
from tests.command.checkout import Checkout, on_the_local_cloud, until
from tests.command.deaths import Mute, adopting, children, provider_of, the_machine_dies

from tools import states

pytestmark = [pytest.mark.cloud, pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", params=["s3", "file"])
def lane(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("outlived") / "checkout", request.param) as checkout:
        yield checkout


def build(lane: Checkout) -> str:
    """A release that was never live; its digest."""
    lane.change("app/service.py", '"""', '"""Edition. ')
    return lane.release("build").ok().out.strip()


def with_releases(lane: Checkout, count: int) -> None:
    """Staging has so many releases behind it, or more."""
    while not lane.status("staging").get("digest" if count == 1 else "previousDigest"):
        lane.release("deploy", "staging", "--digest", build(lane)).ok()


@contextmanager
def killed_at(lane: Checkout, door: Mute, *verb: str) -> Iterator[int]:
    """The engine of this command is killed while its provider waits at the door; gives the provider's process id."""
    lane.variables["AWS_ENDPOINT_URL"], real = door.url, lane.variables["AWS_ENDPOINT_URL"]
    try:
        with adopting(), lane.started(*verb) as running:
            until(door.met.is_set, "AWS was asked")
            (engine,) = children(running.pid)
            provider = provider_of(running.pid)
            os.kill(engine, signal.SIGKILL)
            running.communicate()
            assert runs(provider)
    finally:
        lane.variables["AWS_ENDPOINT_URL"] = real
    assert running.returncode != 0
    try:
        yield provider
        assert not runs(provider), "it was ended"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(provider, signal.SIGKILL)


def runs(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def services(lane: Checkout) -> dict[str, Any]:
    """The services of staging that exist: when each was created, by name."""
    name = f"{lane.project}-staging"
    names = [f"{name}-{colour}" for colour in Colour]
    found = lane.aws("ecs").describe_services(cluster=name, services=names)["services"]
    return {each["serviceName"]: each["createdAt"] for each in found if each["status"] == "ACTIVE"}


def intervals(lane: Checkout) -> dict[str, int]:
    """The health check intervals of staging's target groups."""
    name = f"{lane.project}-staging"
    found = lane.aws("elbv2").describe_target_groups(Names=[f"{name}-{colour}" for colour in Colour])["TargetGroups"]
    return {each["TargetGroupName"].rsplit("-", 1)[-1]: each["HealthCheckIntervalSeconds"] for each in found}


@pytest.mark.real
def test_a_provider_that_outlived_its_engine_in_create_service_is_named_and_ended(lane: Checkout) -> None:
    first = build(lane)
    with (
        Mute(lane.variables["AWS_ENDPOINT_URL"], "CreateService") as door,
        killed_at(lane, door, "deploy", "staging", "--digest", first) as provider,
    ):
        until(door.done.is_set, "AWS has created it")
        assert runs(provider)
        created = services(lane)
        assert lane.locks("staging"), "the lock stays"

        lane.run("pulumi", "cancel", "--yes", "--stack", "staging").ok()
        beside = lane.run(
            "pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--color=never", "--stack", "staging"
        )  # fmt: skip
        assert beside.code != 0, beside.out
        assert f"(process {provider})" in beside.out
        assert "`release recover staging` ends them" in beside.out

        recovered = lane.release("recover", "staging", "--yes", "--json").ok().data
        assert provider in [each["process"] for each in recovered["plugins"]]
        assert f"(process {provider})" in recovered["done"][0]
        assert any(each.startswith("add ") for each in recovered["done"])
        assert recovered["left"] == []
    lane.release("deploy", "staging", "--digest", first).ok()
    assert created.items() <= services(lane).items(), "it is the same service"


@pytest.mark.real
def test_a_provider_that_outlived_its_engine_before_modify_target_group_never_does_it(lane: Checkout) -> None:
    with_releases(lane, 1)
    second = build(lane)
    before, idle = intervals(lane), str(Colour(lane.status("staging")["liveColour"]).other)
    wanted = before[idle] + 1
    lane.change("Pulumi.staging.yaml", f"intervalSeconds: {before[idle]}", f"intervalSeconds: {wanted}")
    with (
        Mute(lane.variables["AWS_ENDPOINT_URL"], "ModifyTargetGroup", held=True) as door,
        killed_at(lane, door, "deploy", "staging", "--digest", second, "--no-heal") as provider,
    ):
        assert runs(provider)
        recovered = lane.release("recover", "staging", "--yes", "--json").ok().data
        assert recovered["locks"][0]["owner"] == "gone"
        assert provider in [each["process"] for each in recovered["plugins"]]
        assert recovered["left"] == []
        door.go_on()
        assert not door.done.is_set()
    assert intervals(lane) == before, "what the dead update was about to do is not done"
    lane.release("deploy", "staging", "--digest", second).ok()
    assert intervals(lane) == {**before, idle: wanted}
    assert lane.status("staging")["digest"] == second


def test_two_machines_share_a_lock_and_each_learns_of_the_other(
    lane: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with_releases(lane, 2)
    kept = lane.notes("staging")
    here, there = lane, lane.on_another_machine(tmp_path_factory.mktemp("other") / "checkout", "other-machine")
    if there.run(*there.through, "true").code != 0:
        pytest.skip("LEFT OUT: this user may not give a process another host name (unshare --uts)")
    live = here.status("staging")["digest"]
    with here.started("rollback", "staging", "--yes") as first:
        with here.standing_still("staging"):
            refused = there.release("heal", "staging")
            assert refused.code == 4, refused.err
            assert f"@{os.uname().nodename} (process " in refused.err
            assert "`release rollback staging" in refused.err
            blind = there.release("recover", "staging", "--yes")
            assert blind.code == 4, blind.err
            assert "this machine cannot see whether that process still runs" in blind.err
            assert here.locks("staging"), "it was not removed"
            the_machine_dies(first.pid)
        first.communicate()
    recovered = there.release("recover", "staging", "--yes", "--lock-owner-is-dead", "--json").ok().data
    assert recovered["done"][0] == "remove the lock"
    assert not here.locks("staging")
    healed = there.release("heal", "staging", "--json").ok().data
    assert healed["digest"] in (live, here.status("staging")["previousDigest"])
    with there.started("rollback", "staging", "--yes") as second:
        with there.standing_still("staging") as go_on:
            refused = here.release("heal", "staging")
            assert refused.code == 4, refused.err
            assert "@other-machine (process " in refused.err
            go_on()
        second.communicate()
    assert second.returncode == 0
    assert not here.locks("staging")
    assert here.notes("staging") == kept, "none of this story is left"


def test_of_two_machines_that_begin_at_once_at_most_one_updates(
    lane: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with_releases(lane, 1)
    other = lane.on_another_machine(tmp_path_factory.mktemp("race") / "checkout", "other-machine")
    if other.run(*other.through, "true").code != 0:
        other.through = ()
    before = len(history(lane))
    with lane.started("heal", "staging") as one, other.started("heal", "staging") as two:
        ended: list[tuple[subprocess.Popen[str], str]] = [(each, each.communicate()[1]) for each in (one, two)]
    codes = [process.returncode for process, _ in ended]
    assert set(codes) <= {0, 4}, ended
    assert len(history(lane)) - before == codes.count(0)
    assert not lane.locks("staging")
    assert lane.release("smoke", "staging").code == 0


def history(lane: Checkout) -> list[Any]:
    """All updates of staging that ended."""
    listed = lane.run("pulumi", "stack", "history", "--stack", "staging", "--json", "--page-size", "0").ok()
    return list(listed.data)


def test_secrets_are_encrypted_by_the_key_of_the_backend(lane: Checkout) -> None:
    """In clear a secret stands nowhere in the bucket, and no passphrase is needed."""
    with_releases(lane, 1)
    lane.run("pulumi", "config", "set", "--secret", "planted", "a-planted-secret", "--stack", "artifacts").ok()
    settings = (lane.folder / "Pulumi.artifacts.yaml").read_text()
    provider = states.secrets_options(lane.variables)
    assert ("secretsprovider: awskms://" in settings) is bool(provider)
    assert ("PULUMI_CONFIG_PASSPHRASE" in lane.variables) is not bool(provider)
    assert "a-planted-secret" not in settings
    shown = lane.run("pulumi", "config", "get", "planted", "--stack", "artifacts").ok().out
    assert shown.strip() == "a-planted-secret"
    kept = json.loads(states.read(lane.variables, f".pulumi/stacks/{lane.project}/staging.json") or "")
    manager = kept["checkpoint"]["latest"]["secrets_providers"]
    assert manager["type"] == ("cloud" if provider else "passphrase")
    lane.git("restore", "Pulumi.artifacts.yaml")
