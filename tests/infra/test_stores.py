"""Database and cache in the environment program: what they are made of, who may connect, and what tasks get to know."""

from __future__ import annotations

import ipaddress
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from release_lane.decide.foundations import Egress
from release_lane.decide.stores import COMPONENT, Kind
from release_lane.errors import Refused, UsageError
from release_lane.program import Tasks
from release_lane.record.container import LABEL, OF_CACHE, OF_DATABASE, release_in
from release_lane.record.placement import Colour
from tests.program.mocks import (
    ARTIFACTS,
    FIRST,
    INFRA,
    SECOND,
    THIRD,
    World,
    observed,
    outputs_of,
    release,
    run,
    standing_on,
)

pytestmark = pytest.mark.program
NAME = "release-lane-staging"
DATABASE, CACHE = {"instanceClass": "db.t4g.micro"}, {"nodeType": "cache.t4g.micro"}
BOTH: Mapping[str, Any] = {"database": DATABASE, "cache": CACHE}
GIVEN = {
    "DATABASE_HOST": "db.test",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "app",
    "DATABASE_SECRET": "arn:secret",
    "CACHE_HOST": "cache.test",
    "CACHE_PORT": "6379",
    "CACHE_TLS": "true",
}
STATE: dict[Kind, dict[str, Any]] = {
    Kind.DATABASE: {"instanceClass": "db.t4g.micro", "engineVersion": "17", "allocatedStorage": 20.0},
    Kind.CACHE: {"nodeType": "cache.t4g.micro", "engineVersion": "8.1"},
}


def config(**settings: Any) -> dict[str, str]:
    return {
        f"release-lane:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in settings.items()
    }


def holding(*kinds: Kind, **over: Any) -> dict[str, Any]:
    """The state of an environment with these."""
    urn = f"urn:pulumi:staging::release-lane::{COMPONENT}$"
    made = {f"{urn}{kind.type}::{NAME}-{kind}": {"type": kind.type, "outputs": STATE[kind] | over} for kind in kinds}
    return {**standing_on(), **made}


def first(**settings: Any) -> World:
    """The first release of a new environment."""
    return run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), config(imageDigest=FIRST, **settings))


def live(state: Mapping[str, Any] | None = None, **settings: Any) -> World:
    """SECOND serves from green, blue holds FIRST."""
    outputs = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD)
    world = World(outputs=outputs, observed=seen, state=state or holding(*Kind))
    return run(world, config(**{**BOTH, **settings}))


def container(world: World, part: str) -> dict[str, Any]:
    (found,) = [each for each in world.of_type("TaskDefinition") if each.name == f"{NAME}-{part}"]
    (made,) = json.loads(found.inputs["containerDefinitions"])
    return dict(made)


def variables(world: World, part: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(world, part)["environment"]}


# ---- What they are


def test_without_the_sections_there_is_nothing_of_them() -> None:
    world = first()
    assert not [each for each in world.registered if each.type.startswith(("aws:rds", "aws:elasticache", COMPONENT))]
    assert not {*OF_DATABASE, *OF_CACHE} & {*variables(world, "blue")}


def test_a_database_is_encrypted_private_backed_up_and_its_password_is_rds_own() -> None:
    made = first(**BOTH).one("aws:rds/instance:Instance").inputs
    assert made["identifier"] == NAME
    assert (made["storageEncrypted"], made["publiclyAccessible"], made["manageMasterUserPassword"]) == (
        True,
        False,
        True,
    )
    assert (made["backupRetentionPeriod"], made["skipFinalSnapshot"]) == (7, False)
    assert made["finalSnapshotIdentifier"] == f"{NAME}-{NAME}-database-id"
    assert "password" not in made
    assert (made["engineVersion"], made["allocatedStorage"], made["multiAz"]) == ("17", 20, False)


def test_a_cache_is_encrypted_and_speaks_tls_alone() -> None:
    made = first(**BOTH).one("ReplicationGroup").inputs
    assert (made["atRestEncryptionEnabled"], made["transitEncryptionEnabled"]) == (True, True)
    assert (made["numCacheClusters"], made["automaticFailoverEnabled"], made["multiAzEnabled"]) == (1, False, False)
    two = first(cache={**CACHE, "multiZone": True}).one("ReplicationGroup").inputs
    assert (two["numCacheClusters"], two["automaticFailoverEnabled"], two["multiAzEnabled"]) == (2, True, True)


def test_deletion_protection_is_the_load_balancers_unless_it_is_said() -> None:
    def kept(**settings: Any) -> bool:
        return bool(first(**settings).one("aws:rds/instance:Instance").inputs["deletionProtection"])

    assert not kept(database=DATABASE)
    assert kept(database=DATABASE, deletionProtection=True)
    assert not kept(database={**DATABASE, "deletionProtection": False}, deletionProtection=True)
    assert kept(database={**DATABASE, "deletionProtection": True})


def test_they_are_in_subnets_of_their_own_which_no_other_has_addresses_of() -> None:
    for way in Egress:
        world = first(network={"egress": way, "zones": 3}, **BOTH)
        ranges = {each.name: ipaddress.ip_network(each.inputs["cidrBlock"]) for each in world.of_type("subnet:Subnet")}
        own = {name: ranges.pop(name) for name in [*ranges] if "-stores-" in name}
        assert len(own) == 3
        assert not [name for name in own for other in ranges.values() if own[name].overlaps(other)]
        for group in world.of_type("SubnetGroup"):
            assert group.inputs["subnetIds"] == [f"{NAME}-stores-{slot}-id" for slot in "abc"]


def test_only_tasks_may_connect_and_only_to_the_one_port() -> None:
    for way, tasks in (("nat", "tasks"), ("endpoints", "endpoints-tasks")):
        world = first(network={"egress": way}, **BOTH)
        for kind, port in (("database", 5432), ("cache", 6379)):
            guard = f"{NAME}-{kind}-id"
            inside = [each.inputs for each in world.of_type("IngressRule") if each.inputs["securityGroupId"] == guard]
            assert [(each["referencedSecurityGroupId"], each["fromPort"], each["toPort"]) for each in inside] == [
                (f"{NAME}-{tasks}-id", port, port)
            ]
            out = [
                each.inputs
                for each in world.of_type("EgressRule")
                if each.inputs.get("referencedSecurityGroupId") == guard
            ]
            assert [(each["securityGroupId"], each["fromPort"]) for each in out] == [(f"{NAME}-{tasks}-id", port)]


def test_tasks_reach_them_from_every_way_out_that_a_colour_is_still_in() -> None:
    world = live(network={"egress": "endpoints"}, imageDigest=THIRD)
    guard = f"{NAME}-database-id"
    inside = {
        each.inputs["referencedSecurityGroupId"]
        for each in world.of_type("IngressRule")
        if each.inputs["securityGroupId"] == guard
    }
    assert inside == {f"{NAME}-tasks-id", f"{NAME}-endpoints-tasks-id"}


def test_tasks_that_a_template_keeps_in_a_group_of_its_own_may_connect_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def own(network: Any) -> Tasks:
        return Tasks(network.public_subnets, network.tasks_group("own", "Own tasks", pulumi.ResourceOptions()), [])

    monkeypatch.setattr("network.Network._tasks", own)
    world = first(**BOTH)
    for kind in Kind:
        between = {
            (each.inputs["securityGroupId"], each.inputs.get("referencedSecurityGroupId"))
            for rules in ("IngressRule", "EgressRule")
            for each in world.of_type(rules)
        }
        guard, tasks = f"{NAME}-{kind}-id", f"{NAME}-own-id"
        assert {(guard, tasks), (tasks, guard)} <= between


def test_in_a_network_that_exists_they_are_in_its_private_subnets() -> None:
    ids = {
        "publicSubnets": ["subnet-aaaaaaaa", "subnet-bbbbbbbb"],
        "privateSubnets": ["subnet-cccccccc", "subnet-dddddddd"],
    }
    subnets = {
        id: {"vpc": "vpc-01234567", "zone": f"us-east-1{zone}", "way": way}
        for key, way in (("publicSubnets", "igw-1"), ("privateSubnets", "nat-1"))
        for id, zone in zip(ids[key], "ab", strict=True)
    }
    world = World(
        outputs=ARTIFACTS, observed=observed(image=FIRST), network={"cidr": "10.99.0.0/16", "subnets": subnets}
    )
    run(world, config(imageDigest=FIRST, network={"existing": {"vpcId": "vpc-01234567", **ids}}, **BOTH))
    assert {tuple(each.inputs["subnetIds"]) for each in world.of_type("SubnetGroup")} == {tuple(ids["privateSubnets"])}
    assert not world.of_type("subnet:Subnet")


def test_a_service_reads_the_secret_by_its_own_role_and_through_an_endpoint_where_it_has_no_other_way() -> None:
    world = first(network={"egress": "endpoints"}, **BOTH)
    (policy,) = [each for each in world.of_type("rolePolicy:RolePolicy") if each.name == f"{NAME}-database"]
    assert policy.inputs["role"] == f"arn:{NAME}-task"
    assert json.loads(policy.inputs["policy"])["Statement"] == [
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:secret"}
    ]
    assert f"{NAME}-endpoints-secretsmanager" in {each.name for each in world.of_type("VpcEndpoint")}


# ---- What tasks get to know


def test_both_colours_and_the_migration_get_to_know_where_they_are() -> None:
    world = first(migration={"command": ["alembic", "upgrade", "head"]}, **BOTH)
    for part in ("blue", "green", "migration"):
        assert variables(world, part).items() >= GIVEN.items()
        assert json.loads(container(world, part)["dockerLabels"][LABEL])["given"] == sorted(GIVEN)


def test_what_a_container_is_given_is_no_part_of_its_release() -> None:
    with_both, without = (release_in([container(first(**each), "blue")], "app") for each in (BOTH, {}))
    assert with_both == without
    assert with_both is not None
    assert with_both.id == release(FIRST).id


def test_a_live_environment_gets_them_without_a_task_being_started() -> None:
    world = live(standing_on())
    assert world.one("TrafficSwitch").inputs["decision"] == "keep"
    kind = "aws:ecs/taskDefinition:TaskDefinition"
    assert {world.options[kind, f"{NAME}-{colour}"].ignored for colour in Colour} == {("*",)}


def test_a_migration_waits_for_the_database() -> None:
    world = live(migration={"command": ["alembic", "upgrade", "head"]}, imageDigest=THIRD)
    before = {urn.rsplit("::", 1)[-1] for urn in world.options["release:index:Migration", "migration"].before}
    assert {f"{NAME}-database", f"{NAME}-cache"} <= before


def test_a_template_gives_variables_of_its_own_that_the_stack_file_names(tmp_path: Path) -> None:
    main = in_a_copy(tmp_path, "    stores = ", '    lane.gives({"ORDERS_TOPIC": network.vpc_id})\n    stores = ')
    world = World(outputs=ARTIFACTS, observed=observed(image=FIRST))
    run(world, config(imageDigest=FIRST, given=["ORDERS_TOPIC"]), program=main.parent)
    assert variables(world, "blue")["ORDERS_TOPIC"] == f"{NAME}-id"
    with pytest.raises(UsageError, match="gives variables that the stack file does not name: ORDERS_TOPIC"):
        run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), config(imageDigest=FIRST), program=main.parent)


def test_a_template_that_does_not_give_what_the_stack_file_promises_is_refused_before_a_colour_is_written(
    tmp_path: Path,
) -> None:
    main = in_a_copy(tmp_path, "database_and_cache(lane, network, cluster)", "[]")
    for asked, lacking in (({"database": DATABASE}, "DATABASE_HOST"), ({"given": ["ORDERS_TOPIC"]}, "ORDERS_TOPIC")):
        world = World(outputs=ARTIFACTS, observed=observed(image=FIRST))
        with pytest.raises(UsageError, match=f"does not give: {lacking}") as refused:
            run(world, config(imageDigest=FIRST, **asked), program=main.parent)
        assert "database_and_cache(lane, network, cluster)" in str(refused.value)
        assert not world.of_type("TaskDefinition")


def in_a_copy(folder: Path, old: str, new: str) -> Path:
    """The template with one change."""
    shutil.copytree(INFRA, folder / "infra")
    main = folder / "infra/__main__.py"
    assert main.read_text().count(old) == 1
    main.write_text(main.read_text().replace(old, new))
    return main


def test_names_that_they_give_are_refused_in_env_and_secrets() -> None:
    with pytest.raises(UsageError, match=r"env\.DATABASE_HOST: is set by the program, to where it is"):
        first(database=DATABASE, env={"DATABASE_HOST": "db.test"})
    secret = "arn:aws:ssm:us-east-1:000000000000:parameter/c"
    with pytest.raises(UsageError, match=r"secrets\.CACHE_HOST: is set by the program"):
        first(cache=CACHE, secrets={"CACHE_HOST": secret})
    first(env={"DATABASE_HOST": "db.test"})


def test_an_image_that_needs_what_they_give_is_given_it() -> None:
    image = {"digest": FIRST, "tags": ["c" * 40], "labels": {"found": {}, "unread": ""}}
    image["labels"] = {"found": {"dev.release-lane.env.required": "DATABASE_HOST CACHE_HOST"}, "unread": ""}
    seen = {**observed(image=FIRST), "image": image}
    with pytest.raises(Refused, match=r"env\.CACHE_HOST: is required, and not given"):
        run(World(outputs=ARTIFACTS, observed=seen), config(imageDigest=FIRST, database=DATABASE))
    run(World(outputs=ARTIFACTS, observed=seen), config(imageDigest=FIRST, **BOTH))


def test_the_outputs_say_where_they_are_and_wait_for_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}
    after: dict[str, set[str]] = {}

    def export(name: str, value: Any) -> None:
        output = pulumi.Output.from_input(value)

        async def note(known: Any) -> bool:
            found[name], after[name] = known, {type(each).__name__ for each in await output.resources()}
            return True

        output.apply(note)

    monkeypatch.setattr(pulumi, "export", export)
    run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), config(imageDigest=FIRST, **BOTH))
    assert {key: found[key] for key in Kind} == {
        "database": {"host": "db.test", "port": "5432", "name": "app", "secret": "arn:secret"},
        "cache": {"host": "cache.test", "port": "6379"},
    }
    assert all("TrafficSwitchResource" in after[key] for key in (*Kind, "loadBalancer"))


# ---- What is kept


@pytest.mark.parametrize("kind", Kind)
def test_once_they_exist_the_engine_protects_all_that_they_consist_of(kind: Kind) -> None:
    made = live(standing_on())
    assert not made.options[kind.type, f"{NAME}-{kind}"].protect, "one that AWS refuses can be taken back"
    kept = live(holding(*Kind))
    parts = [each for each in kept.registered if f"{COMPONENT}::" in kept.options[each.type, each.name].parent]
    assert len(parts) > 8
    assert [each.name for each in parts if not kept.options[each.type, each.name].protect] == []


@pytest.mark.parametrize("release_too", [{}, {"imageDigest": THIRD}], ids=["by itself", "with a release"])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"database": {}}, None),
        ({"database": {**DATABASE, "engineVersion": "16"}}, r"database\.engineVersion from 17 to 16"),
        ({"cache": {**CACHE, "engineVersion": "7.2"}}, r"cache\.engineVersion from 8\.1 to 7\.2"),
        ({"network": {"cidr": "10.30.0.0/16"}}, r"delete the database and cache of this environment: network\.cidr"),
        (
            {"network": {"cidr": "10.30.0.0/16"}, "allowReplace": True},
            r"delete the database and cache of this environment: network\.cidr",
        ),
    ],
)
def test_what_would_replace_one_is_refused_before_anything_is_registered(
    settings: dict[str, Any], said: str | None, release_too: dict[str, Any]
) -> None:
    if said is None:
        with pytest.raises(UsageError, match=r"database\.instanceClass: is missing"):
            live(**settings, **release_too)
        return
    with pytest.raises(Refused, match=said):
        live(**settings, **release_too)


@pytest.mark.parametrize("kind", Kind)
def test_a_section_that_is_gone_is_no_order_to_delete(kind: Kind) -> None:
    rest = {key: each for key, each in BOTH.items() if key != kind}
    outputs = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN, image=THIRD)
    world = World(outputs=outputs, observed=seen, state=holding(*Kind))
    with pytest.raises(Refused, match=f"would delete the {kind} of this environment"):
        run(world, config(**rest))
    assert not world.registered


def test_a_rollback_waits_for_no_change_of_them_and_the_next_update_makes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    larger = {"database": {**DATABASE, "instanceClass": "db.m7g.large", "backupDays": 14}}
    back = live(**larger, imageDigest=FIRST, rollbackFrom=SECOND)
    forward = live(**larger)
    for kind in Kind:
        assert back.options[kind.type, f"{NAME}-{kind}"].ignored == ("*",)
        assert forward.options[kind.type, f"{NAME}-{kind}"].ignored == ()
    after = live(**larger, asItStands="true")
    assert sum("database.instanceClass" in each for each in said) == 1, "the rollback interrupts nothing"
    unkept = {"database": {**DATABASE, "deletionProtection": False}}
    for keys, kept in (({"imageDigest": FIRST, "rollbackFrom": SECOND}, True), ({}, False)):
        switch = live(holding(*Kind, deletionProtection=True), **unkept, **keys).one("TrafficSwitch")
        assert ("keptDatabase" in switch.inputs) is kept, "as AWS has it after the update"
    assert after.options[Kind.DATABASE.type, f"{NAME}-{Kind.DATABASE}"].ignored == ("*",), "nor what follows on it"


def test_a_rollback_waits_for_no_first_one_and_the_next_update_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    back = live(holding(Kind.CACHE), imageDigest=FIRST, rollbackFrom=SECOND)
    assert not [each for each in back.registered if "database" in each.name or each.type.startswith("aws:rds")]
    assert back.options[Kind.CACHE.type, f"{NAME}-cache"].protect, "what is there stays"
    assert any("the next update makes `database`" in each for each in said)
    none = live(standing_on(), imageDigest=FIRST, rollbackFrom=SECOND, deletionProtection=True)
    assert not [each for each in none.registered if each.type == COMPONENT]
    assert "keptDatabase" not in none.one("TrafficSwitch").inputs, "AWS keeps nothing that there is not"
    assert live(holding(Kind.CACHE)).one("aws:rds/instance:Instance")


def test_a_rollback_leaves_what_is_around_one_that_aws_did_not_make_as_it_is() -> None:
    """It is refused again, or takes its ten minutes; what is around it may be in use."""
    urn = f"urn:pulumi:staging::release-lane::{COMPONENT}$aws:ec2/securityGroup:SecurityGroup::{NAME}-database"
    begun = {**holding(Kind.CACHE), urn: {"type": "aws:ec2/securityGroup:SecurityGroup", "outputs": {}}}
    back = live(begun, imageDigest=FIRST, rollbackFrom=SECOND)
    assert not back.of_type("aws:rds/instance:Instance")
    assert back.one("aws:rds/subnetGroup:SubnetGroup")
    assert f"{NAME}-database" in [each.name for each in back.of_type("SecurityGroup")]


def test_an_environment_that_is_restored_gets_all_of_it_at_once() -> None:
    """It is going back as well, but no user waits anywhere else; its tasks need them."""
    outputs = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    lost = World(outputs=outputs, observed=observed(image=SECOND), state={})
    restored = run(lost, config(**BOTH, onDrift="restore"))
    assert restored.one("aws:rds/instance:Instance")
    assert variables(restored, "green")["DATABASE_HOST"] == "db.test"


def test_storage_never_shrinks() -> None:
    with pytest.raises(Refused, match=r"database\.storageGb from 50 to 20"):
        live(holding(Kind.DATABASE, allocatedStorage=50.0))
    assert (
        live(database={**DATABASE, "storageGb": 100}).one("aws:rds/instance:Instance").inputs["allocatedStorage"] == 100
    )


def test_what_interrupts_one_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    live(database={"instanceClass": "db.m7g.large"})
    assert any("database.instanceClass from db.t4g.micro to db.m7g.large" in each for each in said)
    said.clear()
    live(database={**DATABASE, "backupDays": 14})
    assert not any("database." in each for each in said)
    del capsys


def test_before_the_first_release_one_may_be_taken_back_unless_aws_keeps_it() -> None:
    rest = {**BOTH}
    del rest["database"]
    state = {urn: each for urn, each in holding(*Kind).items() if "Service" not in urn}
    run(World(outputs=ARTIFACTS, observed=observed(), state=state), config(**rest))
    kept = holding(Kind.DATABASE, deletionProtection=True)
    with pytest.raises(Refused, match="AWS would refuse as well"):
        run(World(outputs=ARTIFACTS, observed=observed(), state=kept), config())


def test_what_was_deleted_in_aws_and_is_gone_from_the_state_may_go_from_the_stack_file() -> None:
    """The way to take one away: see docs/guides/database.md."""
    urn = f"urn:pulumi:staging::release-lane::{COMPONENT}$aws:ec2/securityGroup:SecurityGroup::{NAME}"
    groups = {f"{urn}-{kind}": {"type": "aws:ec2/securityGroup:SecurityGroup", "outputs": {}} for kind in Kind}
    outputs = {**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.GREEN, release(FIRST))}
    seen = observed(blue=release(FIRST), green=release(SECOND), live=Colour.GREEN)
    rest = config(cache=CACHE)
    run(World(outputs=outputs, observed=seen, state={**holding(Kind.CACHE), **groups}), rest)
    with pytest.raises(Refused, match="would delete the database"):
        run(World(outputs=outputs, observed=seen, state={**holding(*Kind), **groups}), rest)


def test_a_name_that_rds_does_not_take_is_refused_before_anything_is_registered() -> None:
    world = World(outputs=ARTIFACTS, observed=observed())
    with pytest.raises(UsageError, match="no two hyphens in a row for a database or cache"):
        run(world, config(**BOTH), stack="a--b")
    assert not world.registered
    run(World(outputs=ARTIFACTS, observed=observed()), stack="a--b")
