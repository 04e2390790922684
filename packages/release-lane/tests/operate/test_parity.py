"""Two environments compared: what differs, where that follows from, what is declared, and what only waits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import BaseModel
from release_lane.engine.state import StackState
from release_lane.operate.parity import FOLLOWS, NATURAL, Comparison, Environment, Standing, compare, natural
from release_lane.record.container import migration_definition
from release_lane.record.names import Access, Names
from release_lane.settings.model import EnvironmentSettings, environment_in
from tests.command.words import BLUE, GREEN, outputs, release

pytestmark = pytest.mark.pure

VPC, SUBNET, ALARM = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:cloudwatch/metricAlarm:MetricAlarm"


def environment(name: str, given: Mapping[str, Any], *resources: dict[str, Any], live: Any = None) -> Environment:
    access = Access(region=given.get("region", "us-east-1"), account="1" * 12 if name == "staging" else "2" * 12)
    settings = environment_in({key: value for key, value in given.items() if key != "region"}, f"Pulumi.{name}.yaml")
    record = outputs(BLUE if name == "staging" else GREEN, live) if live else {}
    state = StackState(outputs=record, exported={"deployment": {"resources": resources}})
    names = Names.of_stack("shop", name, access=access, domain=settings.https.domain)
    return Environment(name=name, names=names, settings=settings, state=state)


def resource(type_: str, name: str, id_: str, **inputs: Any) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:s::shop::{type_}::{name}", "type": type_, "custom": True, "id": id_, "inputs": inputs}


def settings(there: Mapping[str, Any], **here: Any) -> Comparison:
    return compare(environment("staging", there), environment("production", {"promotesFrom": "staging", **here}))


def undeclared(found: Comparison) -> list[str]:
    return [row.difference.words("staging", "production") for row in found.undeclared]


# ---- Settings


def test_settings_are_compared_with_their_defaults() -> None:
    found = settings({"service": {"cpu": 256, "memory": 512}}, service={"memory": 1024}, shift={"bakeSeconds": 60})
    assert undeclared(found) == [
        "service.memory: staging 512, production 1024",
        "shift.bakeSeconds: staging 0, production 60",
    ]


def test_what_has_to_differ_needs_no_word() -> None:
    found = settings(
        {"insecure": False, "https": {"domain": "staging.example.com", "hostedZone": "Z1"}},
        https={"domain": "shop.example.com", "certificateArn": f"arn:aws:acm:us-east-1:{'2' * 12}:certificate/a"},
        approval={"required": True},
        freeze={"windows": [{"from": "Fri", "to": "Mon"}]},
        ledger="s3://ledger",
        network={"cidr": "10.30.0.0/16"},
        requireDrill=True,
        notify={"topic": f"arn:aws:sns:us-east-1:{'2' * 12}:releases"},
        parity={"required": True},
    )
    assert undeclared(found) == []


def test_without_https_in_one_of_them_nothing_of_tls_is_proven() -> None:
    found = settings({"insecure": True}, https={"domain": "shop.example.com", "hostedZone": "Z1"})
    assert undeclared(found) == ["insecure: staging true, production false"]


def test_the_region_is_a_difference_and_the_zones_in_it_follow() -> None:
    there = environment("staging", {}, resource(SUBNET, "shop-staging-a", "subnet-1", availabilityZone="us-east-1a"))
    here = environment(
        "production",
        {"region": "eu-west-1"},
        resource(SUBNET, "shop-production-a", "subnet-2", availabilityZone="eu-west-1a"),
    )
    found = compare(there, here)
    assert undeclared(found) == ["aws:region: staging us-east-1, production eu-west-1"]
    assert [row.why for row in found.of(Standing.FOLLOWS)] == ["aws:region"]


def paths(model: type[BaseModel], at: str = "") -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        path, inner = f"{at}{field.alias or name}", field.annotation
        found |= {path, *(paths(inner, f"{path}.") if isinstance(inner, type) and issubclass(inner, BaseModel) else ())}
    return found


def test_each_setting_that_is_left_out_or_followed_exists() -> None:
    assert {*NATURAL, *FOLLOWS} - {"aws:region"} <= paths(EnvironmentSettings)
    assert not natural("service.desiredCount")


# ---- Declared differences


def expect(*what: str) -> dict[str, Any]:
    return {"expect": [{"what": each, "why": f"because of {each}"} for each in what]}


def test_a_declared_difference_has_its_reason_and_one_that_does_not_exist_is_said() -> None:
    found = settings({}, service={"desiredCount": 4}, parity=expect("service.desiredCount", "service.cpu"))
    assert undeclared(found) == []
    (row,) = found.of(Standing.DECLARED)
    assert (row.difference.what, row.why) == ("service.desiredCount", "because of service.desiredCount")
    assert [each.what for each in found.gone] == ["service.cpu"]


# ---- Live releases


def test_what_the_stack_files_agree_on_waits_for_the_release_that_brings_it() -> None:
    given = {"env": {"NEW": "1"}}
    there = environment("staging", given, live=release("b", env={"NEW": "1"}))
    found = compare(there, environment("production", given, live=release("a")))
    assert undeclared(found) == []
    assert [row.difference.what for row in found.of(Standing.WAITS)] == ["env.NEW"]


def test_a_setting_that_differs_in_the_stack_files_is_not_said_once_more_of_the_live_releases() -> None:
    there = environment("staging", {"env": {"A": "1"}}, live=release("b", env={"A": "1"}))
    found = compare(there, environment("production", {"env": {"A": "2"}}, live=release("a", env={"A": "2"})))
    assert [(row.difference.what, row.standing) for row in found.rows] == [("env.A", Standing.UNDECLARED)]


def test_where_nothing_is_live_that_is_said() -> None:
    found = compare(environment("staging", {}, live=release("a")), environment("production", {}))
    assert found.unchecked == ("the live tasks: no release is live in production",)


# ---- Resources


def test_resources_are_alike_although_ids_accounts_and_addresses_are_not() -> None:
    def built(name: str, account: str, net: str, vpc: str) -> Environment:
        cluster, arn = f"shop-{name}", f"arn:aws:elasticloadbalancing:us-east-1:{account}"
        return environment(
            name,
            {"network": {"cidr": f"{net}.0.0/16"}},
            resource(VPC, cluster, vpc, cidrBlock=f"{net}.0.0/16", tags={"Name": cluster}, __defaults=[]),
            resource(SUBNET, f"{cluster}-a", f"subnet-{account[:8]}", vpcId=vpc, cidrBlock=f"{net}.1.0/24"),
            resource(
                ALARM,
                f"{cluster}-blue-errors",
                f"{cluster}-blue-errors",
                dimensions={"TargetGroup": f"targetgroup/{cluster}-blue/{account[:8]}{account[:8]}"},
                actions=[f"{arn}:loadbalancer/app/{cluster}/{account[:8]}{account[:8]}"],
            ),
        )

    there = built("staging", "1" * 12, "10.20", "vpc-0aaaaaaaaaaaaaaaa")
    here = built("production", "2" * 12, "10.30", "vpc-0bbbbbbbbbbbbbbbb")
    found = compare(there, here)
    assert found.rows == ()


def test_a_resource_that_refers_to_another_one_than_its_counterpart_differs() -> None:
    def built(name: str, of: str) -> Environment:
        made = (resource(VPC, f"shop-{name}-{each}", f"vpc-{each * 17}") for each in "ab")
        return environment(name, {}, *made, resource(SUBNET, f"shop-{name}", "subnet-1", vpcId=f"vpc-{of * 17}"))

    found = compare(built("staging", "a"), built("production", "b"))
    assert undeclared(found) == [f"{SUBNET} environment.vpcId: staging set, production set to another value"]


def test_no_text_of_a_resource_is_shown_and_an_encrypted_one_is_not_compared() -> None:
    def built(name: str, password: str) -> Environment:
        secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": password}
        return environment(name, {}, resource("aws:rds/instance:Instance", "db", "db-1", a=password, b=secret))

    found = compare(built("staging", "hunter2"), built("production", "hunter3"))
    assert undeclared(found) == ["aws:rds/instance:Instance db.a: staging set, production set to another value"]


def test_components_gates_and_what_is_about_to_be_deleted_do_not_count() -> None:
    more = [
        {**resource("release:index:Image", "image", "1"), "custom": True},
        {**resource("shop:Thing", "thing", "1"), "custom": False},
        {**resource(VPC, "old", "vpc-1"), "delete": True},
        {**resource(VPC, "read", "vpc-2"), "external": True},
    ]
    assert compare(environment("staging", {}), environment("production", {}, *more)).rows == ()


# ---- Migrations


def migrated(name: str, letter: str, to: str, command: Sequence[str] = ("alembic", "upgrade", "head")) -> Environment:
    """An environment whose last migration was of this release."""
    of = release(letter)
    container = migration_definition(
        of, command, to, repository="r.test/shop", log_group=f"/shop/{name}", region="us-east-1"
    )
    definition = resource(
        "aws:ecs/taskDefinition:TaskDefinition",
        f"shop-{name}-migration",
        f"shop-{name}-migration",
        family=f"shop-{name}-migration",
        containerDefinitions=json.dumps([container]),
    )
    given = {"migration": {"command": list(command)}}
    before = {} if name == "staging" else {"promotesFrom": "staging"}
    return environment(name, {**given, **before}, definition, live=of)


def test_which_release_migrated_last_is_no_difference_of_two_environments() -> None:
    assert undeclared(compare(migrated("staging", "b", "r2"), migrated("production", "a", "r1"))) == []


def test_another_command_is_one_and_the_task_definition_follows_from_it() -> None:
    found = compare(migrated("staging", "a", "r1"), migrated("production", "a", "r1", ["flyway", "migrate"]))
    assert [row.difference.what for row in found.undeclared] == ["migration.command"]
