"""An account with ElastiCache, without servers: its API by botocore's own serializer and parser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from local_aws.emulator.elasticache import api
from local_aws.emulator.elasticache.model import ReplicationGroup
from local_aws.emulator.elasticache.service import Service
from local_aws.emulator.query import Scope
from local_aws.emulator.servers import Failed
from local_aws.emulator.subnet_groups import Subnet
from local_aws.emulator.wire import ServiceError

SCOPE = Scope("000000000000", "us-east-1")
ZONES = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b", "subnet-elsewhere": "us-east-1a"}
SHOP: dict[str, Any] = {
    "ReplicationGroupId": "shop",
    "ReplicationGroupDescription": "of the shop",
    "Engine": "valkey",
    "EngineVersion": "8.1",
    "CacheNodeType": "cache.t4g.micro",
    "NumCacheClusters": 1,
    "CacheSubnetGroupName": "shop",
    "SecurityGroupIds": ["sg-1"],
    "TransitEncryptionEnabled": True,
    "Tags": [{"Key": "team", "Value": "shop"}],
}


class Refused(Exception):
    """An error of the API, by its code."""


@dataclass
class FakeCaches:
    """`fails` is why servers do not start; `has` the version that they say; `meanwhile` happens while they start."""

    fails: str = ""
    has: str = "8.1.1"
    meanwhile: Callable[[], object] = lambda: None
    started: list[tuple[str, ...]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def start(self, cache: ReplicationGroup) -> str:
        if self.fails:
            raise Failed(self.fails)
        self.started.append(cache.members)
        self.meanwhile()
        return self.has

    def remove(self, cache: ReplicationGroup) -> None:
        self.removed.append(cache.id)


def subnets_of(ids: Sequence[str], scope: Scope) -> tuple[str, tuple[Subnet, ...]]:
    del scope
    if lost := [each for each in ids if each not in ZONES]:
        raise ServiceError("InvalidSubnet", f"The subnet ID '{lost[0]}' does not exist")
    vpc = "vpc-2" if "subnet-elsewhere" in ids else "vpc-1"
    return vpc, tuple(Subnet(id=each, zone=ZONES[each]) for each in ids)


@dataclass
class Account:
    """`later` holds what servers have still to do, until `catch_up`."""

    folder: Path
    caches: FakeCaches = field(default_factory=FakeCaches)
    later: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = Service(self.folder, self.caches, subnets_of, self.later.append)

    def catch_up(self) -> None:
        while self.later:
            self.later.pop(0)()

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """As an SDK calls it. Raises Refused."""
        model, serializer, parser = _model()
        shape = model.operation_model(operation)
        form = {**serializer.serialize_to_request(given, shape)["body"]}
        body = AWSRequest("POST", "http://elasticache", data=form).prepare().body
        text = body.decode() if isinstance(body, bytes) else body
        status, headers, answer = api.answer(self.service, text, SCOPE)
        found = parser.parse({"status_code": status, "headers": headers, "body": answer}, shape.output_shape)
        if status >= 300:
            raise Refused(f"{found['Error']['Code']}: {found['Error']['Message']}")
        return dict(found)

    def group(self, name: str = "shop", subnets: Sequence[str] = ("subnet-a", "subnet-b")) -> dict[str, Any]:
        given = {"CacheSubnetGroupName": name, "CacheSubnetGroupDescription": "of tests", "SubnetIds": list(subnets)}
        return dict(self.call("CreateCacheSubnetGroup", **given)["CacheSubnetGroup"])

    def create(self, **over: Any) -> dict[str, Any]:
        given = {name: value for name, value in {**SHOP, **over}.items() if value is not None}
        return dict(self.call("CreateReplicationGroup", **given)["ReplicationGroup"])

    def shown(self, id_: str = "shop") -> dict[str, Any]:
        return dict(self.call("DescribeReplicationGroups", ReplicationGroupId=id_)["ReplicationGroups"][0])

    def node(self, name: str = "shop-001") -> dict[str, Any]:
        return dict(self.call("DescribeCacheClusters", CacheClusterId=name, ShowCacheNodeInfo=True)["CacheClusters"][0])


@cache
def _model() -> tuple[Any, Any, Any]:
    model = botocore.session.get_session().get_service_model("elasticache")
    return model, create_serializer("query"), create_parser("query")
