"""An environment that the version before this one made and released to, updated by this one for the first time.

The version before is taken from git. Where history does not reach back to it (a shallow clone, a repository of one's
own that began later), there is nothing to upgrade from, and the tests say that they did not run.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stories.cloud import idle_of, tasks
from tools.lane import PROJECT, ROOT, Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(600)]
BEFORE = ("48585d5", "234bf85")
"""Versions that states are upgraded from."""
SETTINGS: dict[str, Any] = {
    "smoke": {"deadlineSeconds": 10},
    "env": {"LOG_LEVEL": "info", "EMPTY": "", "GREETING": "a=b, 'c'"},
    "testAccess": ["192.0.2.0/24", "198.51.100.0/24"],
    "alarms": {"errorPercent": 20},
}


@pytest.fixture(scope="module", params=BEFORE)
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version before, in a folder of its name: program, gates and checks."""
    version = str(request.param)
    parts = ("infra", "release", "gates", "smoke", "Pulumi.yaml")
    packed = subprocess.run(["git", "-C", str(ROOT), "archive", version, *parts], capture_output=True)
    if packed.returncode:
        pytest.skip(f"the history of this checkout does not have {version}: {packed.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("before") / version
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


SINCE = ("insecure", "deletionProtection", "ledger")
"""Keys of this version's stack files that an earlier one did not have."""


def by(program: Path, stack: Stack) -> Stack:
    """The same stack, updated by another program, from a stack file of its time."""
    home = {"PYTHONPATH": str(program), "LOCAL_AWS_HOME": str(program)}
    content = yaml.safe_load(stack.settings.read_text())
    for key in SINCE:
        content["config"].pop(f"{PROJECT}:{key}", None)
    settings = stack.settings.with_name(f"before.{stack.settings.name}")
    settings.write_text(yaml.safe_dump(content))
    return Stack(Lane(stack.lane.folder, {**stack.lane.variables, **home}), stack.name, settings, program)


def shared(stack: Stack) -> dict[str, list[str]]:
    """Ids of all that is in the cloud, by type; gates and the program's own components have none."""
    found: dict[str, list[str]] = {}
    for each in stack.state["resources"]:
        if each["type"].startswith("aws:") and "taskDefinition" not in each["type"]:
            found.setdefault(each["type"], []).append(each["id"])
    return {kind: sorted(ids) for kind, ids in found.items()}


EIP, NAT, ENDPOINT = "aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway", "aws:ec2/vpcEndpoint:VpcEndpoint"
POLICY = "aws:iam/rolePolicy:RolePolicy"


def network(stack: Stack, colour: str) -> dict[str, Any]:
    """Where a colour's tasks are started."""
    name = f"{PROJECT}-{stack.name}"
    (found,) = stack.lane.aws("ecs").describe_services(cluster=name, services=[f"{name}-{colour}"])["services"]
    inside: dict[str, Any] = found["networkConfiguration"]["awsvpcConfiguration"]
    return inside


def public_addresses(stack: Stack) -> set[str]:
    """Do tasks of any colour have one?"""
    return {network(stack, colour)["assignPublicIp"] for colour in ("blue", "green")}


def test_an_environment_of_the_version_before_is_taken_over(
    lane: Lane, program: Path, good: str, better: str, best: str
) -> None:
    stack = lane.environment(f"up-{program.name[:4]}", like="staging", **SETTINGS)
    before = by(program, stack)
    for digest in (good, better):
        released = before.up(imageDigest=digest)
        assert released.ok, released.text
    live, idle, made = tasks(stack, stack.outputs["liveColour"]), tasks(stack, idle_of(stack)), shared(stack)
    outputs = stack.outputs

    kept = stack.up()
    assert kept.ok, kept.text
    assert "Decision: keep" in kept.text
    assert tasks(stack, stack.outputs["liveColour"]) == live, "no task of the live colour was started anew"
    assert tasks(stack, idle_of(stack)) == idle
    now = shared(stack)
    assert {kind: sorted({*now[kind]} & {*ids}) for kind, ids in made.items()} == made, "nothing was replaced"
    added = now.keys() - made.keys()
    assert added == {EIP, NAT, ENDPOINT, POLICY}, "only private subnets with their way out, and the right to read flags"
    assert public_addresses(stack) == {"ENABLED"}, "in which nothing is yet"
    assert {key: stack.outputs[key] for key in outputs} == outputs
    again = stack.up("--expect-no-changes")
    assert again.ok, again.text

    back = stack.up(imageDigest=good, rollbackFrom=better)
    assert back.ok, back.text
    assert "Users: all at once" in back.text
    assert stack.served()["digest"] == good

    assert public_addresses(stack) == {"ENABLED"}, "a traffic-only rollback starts nothing"

    fewer = lane.stack(stack.name, "staging", **{**SETTINGS, "testAccess": ["198.51.100.0/24"]})
    released = fewer.up(imageDigest=best)
    assert released.ok, released.text
    assert stack.served()["digest"] == best
    live = network(stack, stack.outputs["liveColour"])
    assert live["assignPublicIp"] == "DISABLED", "the release is in private subnets"
    assert network(stack, idle_of(stack))["assignPublicIp"] == "ENABLED", "and the one before is where it was"


def test_an_environment_of_the_version_before_takes_a_release_at_once(
    lane: Lane, program: Path, good: str, better: str
) -> None:
    """Without an update in between: rules are renamed, resources protected and users moved in one run."""
    stack = lane.environment(f"at-{program.name[:4]}", like="staging", **SETTINGS)
    first = by(program, stack).up(imageDigest=good)
    assert first.ok, first.text
    made = shared(stack)
    released = stack.up(imageDigest=better)
    assert released.ok, released.text
    assert stack.served()["digest"] == better
    now = shared(stack)
    assert all(set(ids) <= set(now[kind]) for kind, ids in made.items()), "nothing was replaced"
    proofs = {proof["digest"]: proof for proof in stack.outputs["evidence"]}
    assert {good, better} <= proofs.keys()

    serving, late = tasks(stack, stack.outputs["liveColour"]), by(program, stack).up()
    said = "Drift" if program.name == "234bf85" else "would delete what live users stand on"
    assert said in late.text, "a job that still has the version before changes nothing: its program lacks the network"
    assert not late.ok, late.text
    assert shared(stack) == now
    assert tasks(stack, stack.outputs["liveColour"]) == serving


def test_artifacts_of_the_version_before_are_taken_over(lane: Lane, program: Path, source: Any) -> None:
    """The image that its state has is forgotten, never deleted; what the registry has is not built again."""
    stack = lane.stack(
        f"artifacts-{program.name}",
        "artifacts",
        source=str(source.folder),
        repository=f"lane-{lane.mark}/{program.name}",
    )
    built = by(program, stack).up()
    assert built.ok, built.text
    digest = stack.outputs["imageDigest"]
    for options in ((), ("--expect-no-changes",)):
        again = stack.up(*options)
        assert again.ok, again.text
        assert stack.outputs["imageDigest"] == digest
    ecr = lane.aws("ecr")
    found = ecr.describe_images(repositoryName=f"lane-{lane.mark}/{program.name}", imageIds=[{"imageDigest": digest}])
    assert found["imageDetails"]
    ecr.delete_repository(repositoryName=f"lane-{lane.mark}/{program.name}", force=True)
