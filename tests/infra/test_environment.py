"""Every environment's first release against mocks: in seconds, without engine and cloud.

Its own stack file is read, so a wrong key in one is found here as well. Add what you expect of your own resources.
"""

from __future__ import annotations

import asyncio
import json
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ROOT = Path(__file__).resolve().parents[2]
PROJECT = str(yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"])
PROOF = ("resourceRecordName", "resourceRecordType", "resourceRecordValue")
FILLED_IN = {"domain": "shop.example.com", "hostedZone": "Z0123456789"}
ACCOUNT, DIGEST = "000000000000", "sha256:" + "1" * 64
STACKS = {
    path.name.split(".")[1]: yaml.safe_load(path.read_text())["config"] for path in sorted(ROOT.glob("Pulumi.*.yaml"))
}
ENVIRONMENTS = [name for name, config in STACKS.items() if config.get(f"{PROJECT}:role") != "artifacts"]


class Cloud(pulumi.runtime.Mocks):
    """An account with an image in its registry, and nothing else; remembers what is registered."""

    def __init__(self) -> None:
        self.registered: dict[str, list[Mapping[str, Any]]] = {}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        """What the program asks before it registers anything."""
        nobody = {"blue": {"exists": False}, "green": {"exists": False}}
        answers = {
            "release:index:observe": {"colours": nobody, "image": {"digest": DIGEST, "tags": []}},
            "pulumi:pulumi:readStackOutputs": {"outputs": {"repositoryUrl": f"registry.test/{PROJECT}/app"}},
            "pulumi:pulumi:readStackResourceOutputs": {"outputs": {}},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ["us-east-1a", "us-east-1b"]},
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
        }
        return answers[args.token]

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Its outputs are its inputs, and some that AWS would add."""
        self.registered.setdefault(args.typ, []).append(args.inputs)
        made = {"arn": f"arn:{args.name}", "arnSuffix": f"of/{args.name}", "dnsName": "lb.test", "passedFor": {}}
        made |= {
            "address": "db.test",
            "masterUserSecrets": [{"secretArn": "arn:secret"}],
            "primaryEndpointAddress": "c.test",
        }
        made["domainValidationOptions"] = [dict.fromkeys(PROOF, "_1.test")]
        return f"{args.name}-id", {**args.inputs, **made}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine runs a program in its own folder, with an event loop."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    monkeypatch.chdir(ROOT / "infra")
    yield
    asyncio.set_event_loop(None)
    loop.close()


def deployed(stack: str) -> Cloud:
    """What a first release registers there."""
    cloud = Cloud()
    given = {**STACKS[stack], f"{PROJECT}:account": ACCOUNT, f"{PROJECT}:imageDigest": DIGEST}
    if https := given.get(f"{PROJECT}:https"):
        blank = {key: value for key, value in FILLED_IN.items() if https.get(key) == "FILL-IN"}
        given[f"{PROJECT}:https"] = {**https, **blank}
    given.pop(f"{PROJECT}:promotesFrom", None)  # what was proven elsewhere is not the matter here
    config = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}

    @pulumi.runtime.test
    def body() -> None:
        runpy.run_path(str(ROOT / "infra"), run_name="__main__")

    pulumi.runtime.set_mocks(cloud, project=PROJECT, stack=stack)
    pulumi.runtime.set_all_config(config)
    body()
    return cloud


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_an_environment_has_two_colours_behind_one_switch(stack: str) -> None:
    cloud = deployed(stack)
    names = sorted(str(each["name"]) for each in cloud.registered["aws:ecs/service:Service"])
    assert names == [f"{PROJECT}-{stack}-blue", f"{PROJECT}-{stack}-green"]
    assert len(cloud.registered["release:index:TrafficSwitch"]) == 1


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("stack", ENVIRONMENTS)
def test_the_container_is_as_the_stack_file_says(stack: str) -> None:
    service = STACKS[stack][f"{PROJECT}:service"]
    definitions = deployed(stack).registered["aws:ecs/taskDefinition:TaskDefinition"]
    containers = [json.loads(each["containerDefinitions"])[0] for each in definitions]
    container = next(each for each in containers if "portMappings" in each)  # a migration has none
    assert container["image"].endswith(f"/{PROJECT}/app@{DIGEST}")
    assert container["portMappings"][0]["containerPort"] == service.get("port", 8080)
