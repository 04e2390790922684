"""Requests and states for tests: written as boto3's users write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from local_aws.emulator.elbv2.actions import ACTIONS
from local_aws.emulator.elbv2.actions.call import Call, Fitness, Network
from local_aws.emulator.elbv2.model import Address, State, Subnet, TargetHealth
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.elbv2.service import Neighbours
from local_aws.emulator.query import Scope, Tree
from local_aws.emulator.wire import ServiceError

ACM = "arn:aws:acm:us-east-1:000000000000:certificate"
CERTIFICATE, OTHER = f"{ACM}/one", f"{ACM}/two"
ZONES = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b", "subnet-c": "us-east-1b"}


def flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """As botocore flattens it."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from flat(inner, f"{path}.{key}" if path else key)
        case list() | tuple():
            for at, inner in enumerate(value, 1):
                yield from flat(inner, f"{path}.member.{at}")
            if not value:
                yield path, ""
        case None:
            return
        case bool():
            yield path, str(value).lower()
        case _:
            yield path, str(value)


def params(**members: Any) -> Params:
    tree: dict[str, Tree] = {}
    for key, value in flat(members):
        *folders, leaf = key.split(".")
        here = tree
        for folder in folders:
            here = here.setdefault(folder, {})  # type: ignore[assignment]
        here[leaf] = value
    return Params(tree)


@dataclass
class Account:
    """A state that actions change, as the service does, without a load balancer."""

    state: State = field(default_factory=State)
    now: float = 1_000.0
    region: str = "us-east-1"
    block: str = "127.0.10"
    healths: Mapping[Address, TargetHealth] = field(default_factory=dict)
    certificates: Mapping[str, Fitness] = field(default_factory=lambda: {CERTIFICATE: Fitness.FIT, OTHER: Fitness.FIT})
    log_to: Callable[[str, str], None] = lambda _bucket, _prefix: None
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def call(self) -> Call:
        return Call(
            region=self.region,
            account="000000000000",
            now=self.now,
            new_id=lambda: f"{next(self.ids):016x}",
            network=network,
            health=lambda _: self.healths,
            delay_scale=0.1,
            block=self.block,
            certificate=lambda arn: self.certificates.get(arn, Fitness.MISSING),
            log_to=self.log_to,
        )

    def do(self, action: str, **members: Any) -> Any:
        self.state, answer = ACTIONS[action](self.state, params(**members), self.call())
        return answer

    def load_balancer(self, name: str = "lb") -> str:
        made = self.do("CreateLoadBalancer", Name=name, Subnets=["subnet-a", "subnet-b"])
        return str(made["LoadBalancers"][0]["LoadBalancerArn"])

    def target_group(self, name: str = "blue", **given: Any) -> str:
        wanted = {"Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip", **given}
        return str(self.do("CreateTargetGroup", Name=name, **wanted)["TargetGroups"][0]["TargetGroupArn"])

    def listener(self, load_balancer: str, *actions: Any, port: int = 80, **given: Any) -> str:
        made = self.do(
            "CreateListener",
            LoadBalancerArn=load_balancer,
            Port=port,
            DefaultActions=actions or [FIXED],
            **{"Protocol": "HTTP", **given},
        )
        return str(made["Listeners"][0]["ListenerArn"])

    def rule(self, listener: str, priority: int, *actions: Any, conditions: Sequence[Any] = ()) -> str:
        made = self.do(
            "CreateRule",
            ListenerArn=listener,
            Priority=priority,
            Conditions=list(conditions) or [EVERYTHING],
            Actions=actions or [FIXED],
        )
        return str(made["Rules"][0]["RuleArn"])


def network(ids: Sequence[str]) -> Network:
    for one in ids:
        if one not in ZONES:
            raise ServiceError("SubnetNotFound", f"The subnet ID '{one}' does not exist")
    return Network(vpc="vpc-1", subnets=tuple(Subnet(one, ZONES[one]) for one in ids))


def beside(log_to: Callable[[str, str, Scope], None] = lambda _bucket, _prefix, _scope: None) -> Neighbours:
    """Subnets of ZONES; any certificate is fit."""
    return Neighbours(find_subnets=lambda ids, _: network(ids), fitness=lambda _arn, _scope: Fitness.FIT, log_to=log_to)


FIXED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}
EVERYTHING = {"Field": "path-pattern", "Values": ["/*"]}


def forward(*groups: tuple[str, int]) -> dict[str, Any]:
    weighted = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": weighted}}
