"""A database and a cache of an environment: there for its tasks and migrations, and kept from updates that would lose
them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from release_lane.aws import session
from release_lane.aws.existing import LOOKED_UP, existing
from release_lane.decide.foundations import Egress
from release_lane.decide.stores import Kind
from release_lane.record.container import LABEL, OF_CACHE, OF_DATABASE
from release_lane.record.names import Access

from tests.stories.cloud import client, tasks, without_ciphertext
from tests.stories.test_migration import COMMAND, image, ran
from tools.lane import PROJECT, Lane, Result, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(900), pytest.mark.real]

DATABASE, CACHE = {"instanceClass": "db.t4g.micro"}, {"nodeType": "cache.t4g.micro"}
STORES = {"database": DATABASE, "cache": CACHE}

ASKS = (
    "import os, socket, ssl, struct; e = os.environ; "
    "d = socket.create_connection((e['DATABASE_HOST'], int(e['DATABASE_PORT'])), 5); "
    "d.sendall(struct.pack('!ii', 8, 80877103)); assert d.recv(1) == b'S'; "
    "print('the database speaks', ssl._create_unverified_context().wrap_socket(d).version()); "
    "c = socket.create_connection((e['CACHE_HOST'], int(e['CACHE_PORT'])), 5); "
    "c = ssl.create_default_context().wrap_socket(c, server_hostname=e['CACHE_HOST']); "
    "c.sendall(b'PING' + bytes((13, 10))); print('the cache says', c.recv(5).decode()); "
    "os.execv('/venv/bin/alembic', ['alembic', 'upgrade', 'head'])"
)
"""What a migration does here: it asks the database for TLS (PostgreSQL's SSLRequest), and the cache, whose certificate
it verifies, for an answer. Then it makes the tables that the sample needs."""


@pytest.fixture(scope="module")
def bare(lane: Lane, good: str) -> Stack:
    """An environment with a release, and without database and cache."""
    stack = lane.environment("stored")
    first = stack.up(imageDigest=image(lane, good, "stored-0", to="r1", needs="r1"))
    assert first.ok, first.text
    return stack


@pytest.fixture(scope="module")
def stored(bare: Stack, lane: Lane, good: str) -> Stack:
    """The same with both, and with a release that knows of them."""
    stack, live = bare.with_settings(**STORES), {colour: tasks(bare, colour) for colour in ("blue", "green")}
    added = stack.up()
    assert added.ok, added.text
    assert {colour: tasks(stack, colour) for colour in live} == live, "no task was started"
    stack = bare.with_settings(**STORES, migration={"command": COMMAND, "deadlineSeconds": 30})
    result = stack.up(imageDigest=image(lane, good, "stored-1", to="r1", needs="r1", does=ASKS))
    assert result.ok, result.text
    assert "migration: the database speaks TLSv1" in result.text
    assert "migration: the cache says +PONG" in result.text
    assert len(ran(stack)) == 1
    return stack


def container(stack: Stack) -> dict[str, Any]:
    """The live one's definition."""
    name = f"{PROJECT}-{stack.name}"
    service = f"{name}-{stack.outputs['liveColour']}"
    ecs = client(stack.lane, "ecs")
    (found,) = ecs.describe_services(cluster=name, services=[service])["services"]
    definition = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
    return dict(definition["containerDefinitions"][0])


def resources(stack: Stack) -> dict[str, Any]:
    """What its state has of AWS and of the gates."""
    mine = [each for each in stack.state["resources"] if each["type"].startswith(("aws:", "release:"))]
    assert mine
    return {each["urn"]: without_ciphertext([each.get("inputs"), each.get("outputs")]) for each in mine}


def refused(result: Result, said: str) -> None:
    assert not result.ok
    assert said in result.text, result.text


def test_tasks_know_where_they_are_and_no_password_is_kept_anywhere(stored: Stack) -> None:
    stack, outputs = stored, stored.outputs
    given = {each["name"]: each["value"] for each in container(stack)["environment"]}
    assert {*OF_DATABASE, *OF_CACHE} <= given.keys()
    assert given["DATABASE_HOST"] == outputs["database"]["host"]
    assert given["CACHE_HOST"] == outputs["cache"]["host"]
    assert given["DATABASE_SECRET"] == outputs["database"]["secret"]
    label = json.loads(container(stack)["dockerLabels"][LABEL])
    assert label["given"] == sorted({*OF_DATABASE, *OF_CACHE})
    secret = client(stack.lane, "secretsmanager").get_secret_value(SecretId=given["DATABASE_SECRET"])["SecretString"]
    password = str(json.loads(secret)["password"])
    assert password
    assert password not in json.dumps(stack.state)
    assert password not in json.dumps(container(stack))


def test_an_update_that_asks_for_nothing_changes_nothing(stored: Stack) -> None:
    again = stored.up("--expect-no-changes")
    assert again.ok, again.text
    assert "Decision: keep" in again.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"database": None}, "would delete the database of this environment"),
        ({"cache": None}, "would delete the cache of this environment"),
        ({"database": {**DATABASE, "engineVersion": "16"}}, "database.engineVersion from 17 to 16"),
        ({"network": {"cidr": "10.99.0.0/16"}}, "would delete the database and cache of this environment"),
        ({"env": {"DATABASE_HOST": "db.test"}}, "env.DATABASE_HOST: is set by the program"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_what_would_replace_one_is_refused_in_previews_as_well(
    stored: Stack, settings: dict[str, Any], said: str
) -> None:
    other = stored.with_settings(**settings)
    before = resources(stored)
    refused(other.preview(), said)
    refused(other.up(), said)
    refused(other.up(imageDigest=stored.outputs["previousDigest"], rollbackFrom=stored.outputs["imageDigest"]), said)
    assert resources(stored) == before


def test_a_rollback_takes_up_nothing_that_was_merged_meanwhile(lane: Lane, good: str) -> None:
    """Not even what takes AWS minutes: users wait for it. The next update makes all of it."""
    stack = lane.environment("merged")
    first, second = (image(lane, good, f"merged-{number}", to="r1", needs="r1") for number in (0, 1))
    for digest in (first, second):
        released = stack.up(imageDigest=digest)
        assert released.ok, released.text
    before, types = resources(stack), {kind.type for kind in Kind} | {Egress.ENDPOINTS.component}
    merged = stack.with_settings(**STORES, network={"egress": "endpoints"})
    back = merged.up(imageDigest=first, rollbackFrom=second)
    assert back.ok, back.text
    assert "Decision: traffic-only" in back.text
    assert "the next update makes `database`, `cache`" in back.text
    assert stack.outputs["imageDigest"] == first
    assert resources(stack).keys() == before.keys()
    assert not types & {each["type"] for each in stack.state["resources"]}
    forward = merged.up()
    assert forward.ok, forward.text
    assert types <= {each["type"] for each in stack.state["resources"]}
    assert stack.outputs["imageDigest"] == first


def test_what_a_killed_creation_left_is_found_in_aws(stored: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """For `release recover`."""
    for name, value in stored.lane.variables.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    session.forget()
    access = Access(region="us-east-1", account="000000000000")
    kinds = {each for each in LOOKED_UP if each.startswith(("aws:rds/", "aws:elasticache/"))}
    looked = {}
    for each in stored.state["resources"]:
        if each["type"] in kinds:
            found = existing(access, each["type"], each["inputs"])
            assert found is not None, each["urn"]
            looked[each["type"]] = found.id
            names = {"identifier": "not-there", "name": "not-there", "replicationGroupId": "not-there"}
            nowhere = {key: names.get(key, value) for key, value in each["inputs"].items()}
            assert existing(access, each["type"], nowhere) is None
    session.forget()
    assert looked == dict.fromkeys(kinds, f"{PROJECT}-{stored.name}")


def test_a_protected_database_keeps_its_environment_from_being_destroyed(stored: Stack) -> None:
    kept = stored.with_settings(database={**DATABASE, "deletionProtection": True})
    protected = kept.up()
    assert protected.ok, protected.text
    refused(kept.destroy(), "is protected from deletion. Nothing was deleted.")
    assert kept.served()["digest"] == kept.outputs["imageDigest"], "users are served"
    free = stored.up()
    assert free.ok, free.text
    gone = stored.destroy()
    assert gone.ok, gone.text
    name = f"{PROJECT}-{stored.name}"
    left = client(stored.lane, "rds").describe_db_instances()["DBInstances"]
    assert name not in [each["DBInstanceIdentifier"] for each in left]
    groups = client(stored.lane, "elasticache").describe_replication_groups()["ReplicationGroups"]
    assert name not in [each["ReplicationGroupId"] for each in groups]
