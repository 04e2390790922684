"""An account with RDS, without servers: its API by botocore's own serializer and parser, and what a server would do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from local_aws.emulator.query import Scope
from local_aws.emulator.rds import api
from local_aws.emulator.rds.model import Instance
from local_aws.emulator.rds.service import Service
from local_aws.emulator.servers import Failed
from local_aws.emulator.subnet_groups import Subnet
from local_aws.emulator.wire import ServiceError

SCOPE = Scope("000000000000", "us-east-1")
ZONES = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b", "subnet-a2": "us-east-1a"}
ORDERS: dict[str, Any] = {
    "DBInstanceIdentifier": "shop-orders",
    "DBInstanceClass": "db.t4g.micro",
    "Engine": "postgres",
    "EngineVersion": "17",
    "AllocatedStorage": 20,
    "MasterUsername": "owner",
    "ManageMasterUserPassword": True,
    "DBName": "orders",
    "DBSubnetGroupName": "shop",
    "VpcSecurityGroupIds": ["sg-1"],
    "Tags": [{"Key": "team", "Value": "shop"}],
}


class Refused(Exception):
    """An error of the API, by its code."""


@dataclass
class FakeDatabases:
    """`fails` is why a server does not start, or takes no other password."""

    fails: str = ""
    version: str = "17.6"
    started: list[tuple[str, str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)

    def start(self, instance: Instance, password: str) -> str:
        if self.fails:
            raise Failed(self.fails)
        self.started.append((instance.id, instance.database, password))
        return self.version

    def set_password(self, instance: Instance, password: str) -> None:
        if self.fails:
            raise Failed(self.fails)
        self.passwords[instance.id] = password

    def remove(self, instance: Instance) -> None:
        (self.ended if instance.last else self.removed).append(instance.id)

    def forget(self, resource_id: str) -> None:
        self.forgotten.append(resource_id)


@dataclass
class FakePasswords:
    kept: dict[str, str] = field(default_factory=dict)

    def create(self, user: str, scope: Scope) -> str:
        arn = f"arn:aws:secretsmanager:{scope.region}:{scope.account}:secret:rds!db-{len(self.kept)}-AbCdEf"
        self.kept[arn] = f"of {user}"
        return arn

    def read(self, arn: str, scope: Scope) -> str:
        assert scope == SCOPE
        return self.kept[arn]

    def change(self, arn: str, user: str, password: str, scope: Scope) -> None:
        assert (user, scope) == ("owner", SCOPE)
        self.kept[arn] = password

    def delete(self, arn: str, scope: Scope) -> None:
        assert scope == SCOPE
        self.kept.pop(arn, None)


def subnets_of(ids: Sequence[str], scope: Scope) -> tuple[str, tuple[Subnet, ...]]:
    del scope
    if lost := [each for each in ids if each not in ZONES]:
        raise ServiceError("InvalidSubnet", f"The subnet ID '{lost[0]}' does not exist")
    return "vpc-1", tuple(Subnet(id=each, zone=ZONES[each]) for each in ids)


@dataclass
class Account:
    """`later` holds what databases have still to do, until `catch_up`."""

    folder: Path
    databases: FakeDatabases = field(default_factory=FakeDatabases)
    passwords: FakePasswords = field(default_factory=FakePasswords)
    later: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = Service(self.folder, self.databases, self.passwords, subnets_of, self.later.append)

    def catch_up(self) -> None:
        while self.later:
            self.later.pop(0)()

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        """As an SDK calls it. Raises Refused."""
        model, serializer, parser = _model()
        shape = model.operation_model(operation)
        form = {**serializer.serialize_to_request(given, shape)["body"]}
        body = botocore.awsrequest.AWSRequest("POST", "http://rds", data=form).prepare().body
        text = body.decode() if isinstance(body, bytes) else body
        status, headers, answer = api.answer(self.service, text, SCOPE)
        found = parser.parse({"status_code": status, "headers": headers, "body": answer}, shape.output_shape)
        if status >= 300:
            raise Refused(f"{found['Error']['Code']}: {found['Error']['Message']}")
        return dict(found)

    def create(self, **over: Any) -> dict[str, Any]:
        return dict(self.call("CreateDBInstance", **{**ORDERS, **over})["DBInstance"])

    def group(self, name: str = "shop", subnets: Sequence[str] = ("subnet-a", "subnet-b")) -> dict[str, Any]:
        given = {"DBSubnetGroupName": name, "DBSubnetGroupDescription": "of tests", "SubnetIds": list(subnets)}
        return dict(self.call("CreateDBSubnetGroup", **given)["DBSubnetGroup"])

    def shown(self, id_: str = "shop-orders") -> dict[str, Any]:
        return dict(self.call("DescribeDBInstances", DBInstanceIdentifier=id_)["DBInstances"][0])


@cache
def _model() -> tuple[Any, Any, Any]:
    model = botocore.session.get_session().get_service_model("rds")
    return model, create_serializer("query"), create_parser("query")
