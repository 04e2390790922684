"""Two environments of the template: alike unless their settings differ, and then in what follows from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from release_lane.engine.state import StackState
from release_lane.operate.parity import Comparison, Environment, Standing, compare
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour
from release_lane.settings.model import environment_in
from tests.program.mocks import ARTIFACTS, FIRST, SECOND, World, observed, outputs_of, release, run, standing_on

pytestmark = pytest.mark.program

ALARMS = {"errorPercent": 5, "latencySeconds": 1.5, "unhealthyTargets": 1}
SECRETS = "arn:aws:secretsmanager:us-east-1:000000000000:secret"
COMMON: Mapping[str, Any] = {"alarms": ALARMS}
STAGING: Mapping[str, Any] = {**COMMON, "secrets": {"DB": f"{SECRETS}:staging/db-AbCdEf:password::"}}
PRODUCTION: Mapping[str, Any] = {
    **COMMON,
    "promotesFrom": "staging",
    "secrets": {"DB": f"{SECRETS}:production/db-XyZ123:password::"},
    "network": {"cidr": "10.30.0.0/16"},
    "testAccess": ["192.0.2.0/24"],
}


def built(stack: str, live: Colour, settings: Mapping[str, Any]) -> Environment:
    """An environment as the template registers it, with SECOND live on this colour."""
    given = {**settings, **({} if "https" in settings else {"insecure": True})}
    parsed = environment_in(given, f"Pulumi.{stack}.yaml")
    before, image = release(FIRST), release(SECOND, parsed.release_service())
    proof = {"digest": SECOND, "commit": "", "releaseId": image.id, "at": "now"}
    outputs = {**ARTIFACTS, "staging": {**outputs_of(image, Colour.GREEN), "evidence": [proof]}}
    world = World(outputs=outputs, observed=observed(image=SECOND), state={})  # the first release goes to blue
    if live is Colour.GREEN:
        outputs[stack] = outputs_of(before, Colour.BLUE)
        seen = observed(blue=before, live=Colour.BLUE, image=SECOND)
        world = World(outputs=outputs, observed=seen, state=standing_on(stack))
    run(world, {f"release-lane:{key}": _text(each) for key, each in {**settings, "imageDigest": SECOND}.items()}, stack)
    resources = [
        {
            "urn": f"urn:pulumi:{stack}::release-lane::{each.type}::{each.name}",
            "type": each.type,
            "custom": each.type.startswith("aws:"),
            "id": f"{each.name}-id",
            "inputs": each.inputs,
            "outputs": {"arn": f"arn:{each.name}"},
        }
        for each in world.registered
    ]
    access = Access(region="us-east-1", account="000000000000")
    return Environment(
        name=stack,
        names=Names.of_stack("release-lane", stack, access=access, domain=parsed.https.domain),
        settings=parsed,
        state=StackState(outputs=outputs_of(image, live), exported={"deployment": {"resources": resources}}),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.fixture(scope="module")
def staging() -> Environment:
    return built("staging", Colour.GREEN, STAGING)


def against(staging: Environment, **over: Any) -> Comparison:
    return compare(staging, built("production", Colour.BLUE, {**PRODUCTION, **over}))


def test_two_environments_with_the_same_settings_are_alike_whichever_colour_is_live(staging: Environment) -> None:
    found = against(staging)
    assert [row.difference.what for row in found.undeclared] == []
    assert {row.why for row in found.of(Standing.FOLLOWS)} == {"promotesFrom", "testAccess"}


@pytest.mark.parametrize(
    ("over", "settings"),
    [
        ({"https": {"domain": "shop.example.com", "hostedZone": "Z0123456789ABCDEFGHIJ"}}, ["insecure"]),
        ({"healthCheck": {"intervalSeconds": 10, "drainSeconds": 5}}, None),
        ({"rollout": {"graceSeconds": 60}}, None),
        ({"alarms": {**ALARMS, "errorPercent": 1, "periodSeconds": 120}}, None),
        ({"service": {"cpu": 512, "memory": 1024, "desiredCount": 4, "port": 9000, "healthPath": "/well"}}, None),
        ({"env": {"LOG_LEVEL": "debug"}}, None),
        ({"secrets": {**STAGING["secrets"], "KEY": f"{SECRETS}:key-AbCdEf"}}, None),
        ({"network": {"cidr": "10.30.0.0/16", "zones": 3}}, None),
        ({"network": {"cidr": "10.30.0.0/16", "egress": "endpoints"}}, None),
        ({"accessLogs": {"bucket": "shop-logs"}, "deletionProtection": False}, []),
        (
            {"database": {"instanceClass": "db.t4g.micro"}, "network": {"cidr": "10.30.0.0/16", "egress": "endpoints"}},
            None,
        ),
        ({"cache": {"nodeType": "cache.t4g.micro"}}, None),
        ({"shift": {"steps": [10, 100], "bakeSeconds": 60}, "idle": {"afterWatch": 1}}, None),
    ],
    ids=lambda value: ",".join(value) if value else "",
)
def test_a_setting_that_differs_is_said_once_and_what_is_built_by_it_follows(
    staging: Environment, over: dict[str, Any], settings: list[str] | None
) -> None:
    found = {row.difference.what for row in against(staging, **over).undeclared}
    assert {what for what in found if what.startswith("aws:") and " " in what} == set()
    assert found if settings is None else found == {*settings}


def test_databases_that_differ_are_said_by_their_settings_but_for_their_deletion_protection() -> None:
    small, large = {"instanceClass": "db.t4g.micro"}, {"instanceClass": "db.m7g.large", "multiZone": True}
    stores = {"cache": {"nodeType": "cache.t4g.micro"}}
    there = built("staging", Colour.GREEN, {**STAGING, **stores, "database": small})
    alike = built("production", Colour.BLUE, {**PRODUCTION, **stores, "database": small})
    assert compare(there, alike).undeclared == ()
    apart = built("production", Colour.BLUE, {**PRODUCTION, **stores, "database": large})
    found = {row.difference.words("staging", "production") for row in compare(there, apart).undeclared}
    assert found == {
        "database.instanceClass: staging db.t4g.micro, production db.m7g.large",
        "database.multiZone: staging false, production true",
    }


def test_a_resource_or_an_input_of_the_teams_own_is_a_difference(staging: Environment) -> None:
    production = built("production", Colour.BLUE, PRODUCTION)
    resources = production.state.exported["deployment"]["resources"]
    log = next(each for each in resources if each["type"] == "aws:cloudwatch/logGroup:LogGroup")
    log["inputs"] = {**log["inputs"], "retentionInDays": 7, "kmsKeyId": "hunter2"}
    resources.append({**log, "type": "aws:s3/bucket:Bucket", "urn": "urn::release-lane-production-uploads"})
    rows = {row.difference.what: row.difference for row in compare(staging, production).undeclared}
    of_log = "aws:cloudwatch/logGroup:LogGroup environment"
    assert rows.keys() == {
        f"{of_log}.retentionInDays",
        f"{of_log}.kmsKeyId",
        "aws:s3/bucket:Bucket environment-uploads",
    }
    assert rows[f"{of_log}.retentionInDays"].words("staging", "production").endswith("staging 30, production 7")
    assert (rows[f"{of_log}.kmsKeyId"].there, rows[f"{of_log}.kmsKeyId"].here) == ("–", "set")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"logConfiguration": {"logDriver": "awsfirelens"}}, "containers.app.logConfiguration.logDriver"),
        ({"stopTimeout": 5}, "containers.app.stopTimeout"),
    ],
)
def test_of_the_live_task_definition_all_counts_that_the_release_does_not_say(
    staging: Environment, change: dict[str, Any], path: str
) -> None:
    production = built("production", Colour.BLUE, PRODUCTION)
    resources = production.state.exported["deployment"]["resources"]
    for colour, over in (("blue", change), ("green", {"stopTimeout": 1})):
        inputs = next(each for each in resources if _is_task(each, colour))["inputs"]
        (container,) = json.loads(inputs["containerDefinitions"])
        sidecar = {"name": "agent", "image": "agent:1", "environment": [{"name": "A", "value": "4711"}]}
        inputs["containerDefinitions"] = json.dumps([{**container, **over}, sidecar])
    rows = {row.difference.what: row.difference for row in compare(staging, production).undeclared}
    task = "aws:ecs/taskDefinition:TaskDefinition environment-live"
    assert f"{task}.{path}" in rows
    assert f"{task}.containers.agent.environment.A" in rows
    assert "4711" not in str(rows), "a number may be a secret as well"
    assert all(what.startswith(task) for what in rows), "the idle colour is not compared"


def _is_task(resource: Mapping[str, Any], colour: str) -> bool:
    return bool(resource["type"] == "aws:ecs/taskDefinition:TaskDefinition" and resource["urn"].endswith(colour))
