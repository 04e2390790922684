"""A stand-in for the engine in tests of the program: answers its questions, remembers what it registered."""

from __future__ import annotations

import asyncio
import runpy
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pulumi
from pulumi.runtime import mocks as engine_mocks
from pulumi.runtime import settings
from release_lane.errors import CloudError
from release_lane.record.contract import Labels
from release_lane.record.halts import Halts
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.records import Located

INFRA = Path(__file__).resolve().parents[4] / "infra"
ACCOUNT = "000000000000"
FIRST = "sha256:" + "1" * 64
SECOND = "sha256:" + "2" * 64
THIRD = "sha256:" + "3" * 64
SERVICE = Service()


def release(digest: str, service: Service = SERVICE) -> Release:
    """A release of this digest with the default configuration."""
    return Release(digest=digest, service=service, commit="c" * 40)  # type: ignore[arg-type]


class Failed(grpc.RpcError):
    """The engine's answer to a question that failed."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self.args[0])


@dataclass
class Registered:
    """One registered resource."""

    type: str
    name: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Under which options a resource was registered."""

    parent: str
    protect: bool
    retained: bool
    ignored: tuple[str, ...]
    aliases: tuple[str, ...]
    logs: tuple[str, ...]
    """Log groups that have to be there before."""
    before: tuple[str, ...] = ()
    """URNs of all that has to be there before."""
    replaced_by: tuple[str, ...] = ()
    """Properties whose change replaces it, besides those that the provider names."""
    deleted_first: bool = False
    """When it is replaced."""


class Monitor(engine_mocks.MockMonitor):
    """Remembers options, of which mocks hear nothing."""

    mocks: World

    def RegisterResource(self, request: Any) -> Any:
        self.mocks.options[request.type, request.name] = Options(
            parent=request.parent,
            protect=bool(request.protect),
            retained=bool(request.retainOnDelete),
            ignored=tuple(request.ignoreChanges),
            aliases=tuple(alias.spec.name for alias in request.aliases),
            logs=tuple(urn.rsplit("::", 1)[-1] for urn in request.dependencies if "LogGroup::" in urn),
            before=tuple(request.dependencies),
            replaced_by=tuple(request.replaceOnChanges),
            deleted_first=bool(request.deleteBeforeReplace),
        )
        return super().RegisterResource(request)


@dataclass
class World(engine_mocks.Mocks):
    """What the program gets as answers, and what it registered."""

    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    observed: Mapping[str, Any] = field(default_factory=dict)
    account: str = ACCOUNT
    state: Mapping[str, Any] | None = None
    """What the stack's state holds, by URN. None: where somebody is served the foundations that the settings' defaults
    ask for, else nothing."""
    zones: Sequence[str] = ("us-east-1a", "us-east-1b", "us-east-1c")
    asked_for_zones: Mapping[str, Any] | None = None
    registered: list[Registered] = field(default_factory=list)
    options: dict[tuple[str, str], Options] = field(default_factory=dict)
    network: Mapping[str, Any] = field(default_factory=dict)
    """What EC2 has of a network that exists already."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What `observe` was called with."""
    ledger: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """What was to be written there, and after how many registered resources: `begin` or `refuse`, with its args; and
    `done`."""
    away: bool = False
    """The ledger takes nothing."""
    unread: bool = False
    """The ledger does not answer a question."""
    halts: Halts = field(default_factory=Halts)
    """What it says against a release."""
    halts_asked: list[Mapping[str, Any]] = field(default_factory=list)

    labels: Labels = field(default_factory=Labels)
    labels_of: dict[str, Labels] = field(default_factory=dict)
    """Of some images, by digest, in place of `labels`."""
    """What an image declares."""
    labels_asked: list[tuple[str, str]] = field(default_factory=list)
    """Repository and digest of each image whose labels were asked for."""

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        """Answer a function call."""
        match args.token:
            case "pulumi:pulumi:readStackOutputs":
                stack = args.args["name"].rsplit("/", 1)[1]
                return {"name": stack, "outputs": dict(self.outputs.get(stack, {}))}
            case "release:index:observe":
                self.asked = args.args
                return dict(self.observed)
            case "release:index:begin" | "release:index:refuse" if self.away:
                raise Failed(str(CloudError("The ledger s3://releases cannot be written.", why="no network")))
            case "release:index:begin" | "release:index:refuse":
                self.ledger.append((args.token.rsplit(":", 1)[1], {**args.args, "before": len(self.registered)}))
                return {"sequence": len(self.ledger)}
            case "release:index:done":
                self.ledger.append(("done", {}))
                return {}
            case "release:index:readHalts" if self.unread:
                raise Failed(str(CloudError("The ledger s3://releases cannot be read.", why="no network")))
            case "release:index:readHalts":
                self.halts_asked.append(args.args)
                return self.halts.as_dict()
            case "release:index:readLabels":
                self.labels_asked.append((args.args["repository"], args.args["digest"]))
                return self.labels_of.get(args.args["digest"], self.labels).as_dict()
            case "release:index:describeNetwork":
                return dict(self.network)
            case "pulumi:pulumi:readStackResourceOutputs":
                stack = args.args["stackName"].rsplit("/", 1)[1]
                return {"name": stack, "outputs": dict(self._state(stack))}
            case "aws:index/getAvailabilityZones:getAvailabilityZones":
                self.asked_for_zones = args.args
                return {"names": list(self.zones)}
            case "aws:index/getCallerIdentity:getCallerIdentity":
                return {"accountId": self.account}
        raise AssertionError(f"the program asked {args.token}")

    def _state(self, stack: str) -> Mapping[str, Any]:
        if self.state is not None:
            return self.state
        return standing_on(stack) if self.observed.get("rule") else {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Remember a resource; its outputs are its inputs."""
        self.registered.append(Registered(args.typ, args.name, args.inputs))
        made = {"arn": f"arn:{args.name}", "arnSuffix": f"of/{args.name}", "dnsName": "lb.test", "passedFor": {}}
        made |= {"allocationId": f"{args.name}-allocated", "prefixListId": f"pl-{args.name}"}
        made |= {"address": "db.test", "masterUserSecrets": [{"secretArn": "arn:secret"}]}
        made |= {"primaryEndpointAddress": "cache.test"}
        proof = {"resourceRecordName": "_1.test", "resourceRecordType": "CNAME", "resourceRecordValue": "_2.test"}
        return f"{args.name}-id", {**args.inputs, **made, "domainValidationOptions": [proof], "fqdn": "_1.test"}

    def of_type(self, suffix: str) -> list[Registered]:
        """Registered resources whose type ends like this."""
        return [each for each in self.registered if each.type.endswith(suffix)]

    def one(self, suffix: str) -> Registered:
        """The only one of its type."""
        (found,) = self.of_type(suffix)
        return found


LOCATED = Located(
    dns_name="lb.test", listener="arn:listener", rule="arn:rule", target_groups={each: f"arn:{each}" for each in Colour}
)
"""Where an environment is; without users no update trusts it."""


def side(held: Release | None, *, tasks: int = 2, running: int | None = None) -> dict[str, Any]:
    """A colour as `observe` tells it."""
    if held is None:
        return {"exists": False}
    return {
        "exists": True,
        "digest": held.digest if tasks else "",
        "release": held.as_dict(),
        "wanted": tasks,
        "running": tasks if running is None else running,
        "healthy": tasks if running is None else running,
        "deployment": "ecs-svc/1",
        "taskDefinition": "arn:td",
        "tasks": {f"10.0.0.{number}": held.digest for number in range(tasks if running is None else running)},
    }


def observed(
    blue: Release | None = None,
    green: Release | None = None,
    live: Colour | None = None,
    image: str = "",
    green_tasks: int = 2,
) -> dict[str, Any]:
    """An environment as `observe` tells it, everybody on `live`."""
    weights = {str(colour): 100 if colour is live else 0 for colour in Colour}
    return {
        "listenerArn": "arn:listener" if live else "",
        "rule": {"weights": weights, "tags": {}} if live else None,
        "colours": {"blue": side(blue), "green": side(green, tasks=green_tasks)},
        "image": {"digest": image, "tags": ["c" * 40]} if image else None,
        "located": LOCATED.as_dict(),
    }


def outputs_of(live: Release, colour: Colour, previous: Release | None = None) -> dict[str, Any]:
    """A stack's outputs with this release live."""
    past = [previous.as_dict()] if previous else []
    return {
        "liveColour": str(colour),
        "liveRelease": live.as_dict(),
        "previousRelease": previous.as_dict() if previous else {},
        "liveHistory": [*past, live.as_dict()],
        "evidence": [],
    }


def standing_on(
    stack: str = "staging",
    *,
    cidr: str = "10.20.0.0/16",
    vpc: str = "vpc-1",
    blue: str = "nat",
    green: str = "nat",
    domain: str = "",
) -> dict[str, Any]:
    """The state of an environment, as far as the program reads it. `blue`, `green`: the way out of a colour's tasks,
    "" for public addresses, which 0.2.0 gave them. `domain`: the name that users come by, "" for plain HTTP."""
    name = f"release-lane-{stack}"

    def urn(component: str, kind: str, name: str) -> str:
        return f"urn:pulumi:{stack}::release-lane::release-lane:infra:{component}${kind}::{name}"

    found = [
        ("Network", "aws:ec2/vpc:Vpc", name, {"region": "us-east-1", "cidrBlock": cidr, "arn": f"arn:vpc/{vpc}"}),
        ("Network", "aws:ec2/subnet:Subnet", f"{name}-a", {"availabilityZone": "us-east-1a"}),
        ("Network", "aws:ec2/subnet:Subnet", f"{name}-b", {"availabilityZone": "us-east-1b"}),
        ("Balancer", "aws:lb/loadBalancer:LoadBalancer", name, {"arn": "arn:balancer", "vpcId": "vpc-1"}),
        ("Balancer", "aws:lb/targetGroup:TargetGroup", f"{name}-blue", {"vpcId": "vpc-1"}),
        ("Balancer", "aws:lb/targetGroup:TargetGroup", f"{name}-green", {"vpcId": "vpc-1"}),
    ]
    for colour, way in (("blue", blue), ("green", green)):
        inside = {"subnets": [f"subnet-{way}-a"] if way else ["subnet-a"]}
        outputs = {"name": f"{name}-{colour}", "networkConfiguration": inside}
        found.append(("Colour", "aws:ecs/service:Service", f"{name}-{colour}", outputs))
    for way in {blue, green} - {""}:
        component = way.title().replace("-Per-Zone", "PerZone")
        found.append((component, "aws:ec2/subnet:Subnet", f"{name}-{way}-a", {"arn": f"arn:subnet/subnet-{way}-a"}))
    if "" in (blue, green):
        rule = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
        found += [("Network", rule, f"{name}-{part}-out", {"ipProtocol": "-1"}) for part in ("balancer", "tasks")]
        found.append(("Network", "aws:ec2/securityGroup:SecurityGroup", f"{name}-tasks", {}))
    state = {urn(component, kind, name): {"type": kind, "outputs": o} for component, kind, name, o in found}
    switch = "release:index:TrafficSwitch"
    url = f"https://{domain}" if domain else "http://lb.test"
    return {**state, f"urn:pulumi:{stack}::release-lane::{switch}::{name}": {"type": switch, "outputs": {"url": url}}}


ARTIFACTS = {"artifacts": {"repositoryUrl": "registry.test/release-lane/app"}}


def run(
    world: World,
    config: Mapping[str, str] | None = None,
    stack: str = "staging",
    monitor: Monitor | None = None,
    program: Path = INFRA,
) -> World:
    """Run a program, by default this repository's own template, as the engine does, to its end against this world.

    In a thread of its own: the SDK sends the stack with each resource, and pytest's is three times the program's.
    """
    with ThreadPoolExecutor(1) as alone:
        alone.submit(_run, world, config or {}, stack, monitor or Monitor(world), program).result()
    return world


def _run(world: World, config: Mapping[str, str], stack: str, monitor: Monitor, program: Path) -> None:
    @pulumi.runtime.test
    def body() -> None:
        runpy.run_path(str(program), run_name="__main__")

    loop = asyncio.new_event_loop()  # a thread has none
    asyncio.set_event_loop(loop)
    settings.reset_options()  # the SDK keeps the stack of the run before as the parent of all resources
    pulumi.runtime.set_mocks(world, project="release-lane", stack=stack, monitor=monitor)
    door = {} if "release-lane:https" in config else {"release-lane:insecure": "true"}
    pulumi.runtime.set_all_config({"aws:region": "us-east-1", "release-lane:account": ACCOUNT, **door, **config})
    try:
        body()
    except pulumi.RunError as error:
        raise error.__cause__ or error from None
    finally:
        loop.close()
