"""Services and task definitions: what makes a new deployment, what is left alone, how a service goes away."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from local_aws.standins.aws.ecs import Service, TaskDefinition
from provider_kit import Cancelled, Change, Props, State, UserError
from provider_kit.diffs import structural
from tests.local.standins.examples import EXAMPLES
from tests.local.standins.fake_aws import FakeAws
from tests.local.standins.test_standin_types import (
    CONTEXT,
    checked,
    one_after_another,
    service,
    standin,
)

pytestmark = pytest.mark.pure

EXAMPLE = EXAMPLES[Service.token]
PORT = {"containerPort": 1, "hostPort": 1, "protocol": "tcp"}
ARN = "arn:aws:ecs:eu-west-1:000000000000:service/a/a-blue"


def updated(before: Props, after: Props) -> FakeAws:
    """What an update from one example to the other asks of AWS."""
    resource, aws = standin(Service)
    old = checked(resource, before)
    resource.update(CONTEXT, State(ARN, old, old | {"arn": ARN}), checked(resource, after))
    return aws


def diff(before: Props, after: Props) -> list[Change]:
    resource, _ = standin(Service)
    old = checked(resource, before)
    return resource.diff(CONTEXT, State(ARN, old, old), checked(resource, after), [])


def test_a_changed_trigger_forces_a_new_deployment() -> None:
    after = EXAMPLE | {"triggers": {"after": "2"}}
    assert [change.path for change in diff(EXAMPLE, after)] == ["triggers.after"]
    (call,) = updated(EXAMPLE, after).named("ecs.update_service")
    assert call == {"service": ARN, "cluster": EXAMPLE["cluster"], "forceNewDeployment": True}


def test_a_trigger_means_nothing_without_force_new_deployment() -> None:
    before = EXAMPLE | {"forceNewDeployment": False}
    assert diff(before, before | {"triggers": {"after": "2"}}) == []


def test_the_count_is_sent_only_when_it_has_changed() -> None:
    """An autoscaler may have moved it."""
    changed = EXAMPLE | {"taskDefinition": "arn:aws:ecs:eu-west-1:0:task-definition/a:2"}
    (call,) = updated(EXAMPLE, changed).named("ecs.update_service")
    assert call["taskDefinition"].endswith("a:2")
    assert "desiredCount" not in call
    (call,) = updated(EXAMPLE, EXAMPLE | {"desiredCount": 0}).named("ecs.update_service")
    assert call["desiredCount"] == 0


def test_new_tags_alone_make_no_deployment() -> None:
    aws = updated(EXAMPLE, EXAMPLE | {"tags": {"team": "b"}})
    assert aws.named("ecs.update_service") == []
    (call,) = aws.named("ecs.tag_resource")
    assert call["tags"] == [{"key": "team", "value": "b"}]


def test_load_balancers_that_are_taken_away_are_an_empty_list() -> None:
    after = {key: value for key, value in EXAMPLE.items() if key != "loadBalancers"}
    (call,) = updated(EXAMPLE, after).named("ecs.update_service")
    assert call["loadBalancers"] == []


def test_tags_that_are_no_longer_propagated_stay_so_as_with_the_provider() -> None:
    after = {key: value for key, value in EXAMPLE.items() if key != "propagateTags"}
    (call,) = updated(EXAMPLE, after).named("ecs.update_service")
    assert "propagateTags" not in call


def test_a_create_says_all_that_matters_for_a_rollout() -> None:
    resource, aws = standin(Service)
    resource.create(CONTEXT, checked(resource, EXAMPLE))
    (call,) = aws.named("ecs.create_service")
    assert call["deploymentConfiguration"] == {
        "maximumPercent": 150,
        "minimumHealthyPercent": 50,
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    }
    assert call["networkConfiguration"]["awsvpcConfiguration"]["assignPublicIp"] == "ENABLED"
    assert (call["propagateTags"], call["enableECSManagedTags"]) == ("SERVICE", True)
    assert "forceNewDeployment" not in call


def test_the_defaults_are_those_of_pulumi_aws() -> None:
    resource, _ = standin(Service)
    values = checked(resource, {"cluster": "a", "taskDefinition": "b"})
    assert values["name"].startswith("thing-")
    assert {key: values[key] for key in values.keys() - {"name", "cluster", "taskDefinition", "region"}} == {
        "desiredCount": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentMaximumPercent": 200,
        "deploymentMinimumHealthyPercent": 100,
        "enableEcsManagedTags": False,
        "enableExecuteCommand": False,
        "waitForSteadyState": False,
    }


def test_waiting_for_a_steady_state_is_refused() -> None:
    resource, _ = standin(Service)
    _, ((name, why),) = resource.check(CONTEXT, EXAMPLE | {"waitForSteadyState": True}, None)
    assert name == "waitForSteadyState"
    assert "gates" in why


@pytest.mark.parametrize(
    ("given", "live"),
    [
        ("arn:aws:ecs:r:0:task-definition/a:1", "arn:aws:ecs:r:0:task-definition/a:2"),
        ("a:1", "a:2"),
        ("a", "a"),
    ],
)
def test_drift_of_the_task_definition_is_reported_in_the_spelling_that_was_given(given: str, live: str) -> None:
    moved = service("ACTIVE") | {"taskDefinition": "arn:aws:ecs:r:0:task-definition/a:2"}
    resource, _ = standin(Service, ecs__describe_services={"services": [moved]})
    inputs = checked(resource, EXAMPLE | {"taskDefinition": given})
    found = resource.read(CONTEXT, ARN, inputs, inputs)
    assert found is not None
    assert found[1]["taskDefinition"] == live


def test_an_import_by_cluster_and_name_is_recorded_by_its_arn() -> None:
    resource, aws = standin(Service)
    found = resource.read(CONTEXT, "a/a-blue", {}, {})
    assert found is not None
    assert found[0]["id"] == ARN
    (call,) = aws.named("ecs.describe_services")
    assert (call["cluster"], call["services"]) == ("a", ["a-blue"])


def running(status: str, count: int) -> dict[str, Any]:
    return {"services": [service(status) | {"desiredCount": count}]}


def deleted(known: Props, first: dict[str, Any]) -> FakeAws:
    answers = [first, running("DRAINING", 0), running("INACTIVE", 0)]
    resource, aws = standin(Service, ecs__describe_services=lambda _: answers.pop(0))
    resource.delete(CONTEXT, State(ARN, known, known))
    assert answers == [], "it did not wait until the service was gone"
    return aws


def test_a_service_is_scaled_down_before_it_is_deleted_and_waited_for() -> None:
    aws = deleted({"cluster": "a"}, running("ACTIVE", 2))
    assert [call.name for call in aws.changes] == ["ecs.update_service", "ecs.delete_service"]
    assert aws.named("ecs.update_service")[0]["desiredCount"] == 0
    assert aws.named("ecs.delete_service")[0]["force"] is False


def test_a_forced_delete_does_not_scale_down_first() -> None:
    aws = deleted({"cluster": "a", "forceDelete": True}, running("ACTIVE", 2))
    assert [call.name for call in aws.changes] == ["ecs.delete_service"]
    assert aws.named("ecs.delete_service")[0]["force"] is True


def test_a_service_that_does_not_drain_in_time_is_an_error_and_an_interruption_ends_the_wait() -> None:
    resource, _ = standin(Service, ecs__describe_services=one_after_another("ACTIVE", "DRAINING"))
    known = {"cluster": "a"}
    with pytest.raises(UserError, match=r"a-blue drained: not after 0\.3 seconds"):
        resource.delete(replace(CONTEXT, timeout=0.3), State(ARN, known, known))
    cancelled = threading.Event()
    cancelled.set()
    resource, _ = standin(Service, ecs__describe_services=one_after_another("ACTIVE", "DRAINING"))
    with pytest.raises(Cancelled):
        resource.delete(replace(CONTEXT, cancelled=cancelled), State(ARN, known, known))


# --- task definitions -------------------------------------------------------------------------------------

DEFINITION = EXAMPLES[TaskDefinition.token]


def test_the_spelling_of_container_definitions_makes_no_difference() -> None:
    resource, _ = standin(TaskDefinition)
    spaced = DEFINITION | {"containerDefinitions": '[ {"image":"x@sha256:1",\n "name":"app"} ]'}
    assert structural(checked(resource, DEFINITION), checked(resource, spaced)) == []


def test_container_definitions_that_are_not_json_are_refused() -> None:
    resource, _ = standin(TaskDefinition)
    _, wrong = resource.check(CONTEXT, DEFINITION | {"containerDefinitions": "{"}, None)
    assert wrong == [("containerDefinitions", "is not JSON")]


def test_everything_that_runs_replaces_and_tags_do_not() -> None:
    resource, _ = standin(TaskDefinition)
    inputs = checked(resource, DEFINITION)
    after = inputs | {"cpu": "512", "tags": {"team": "b"}, "skipDestroy": False}
    changes = resource.diff(CONTEXT, State("a", inputs, inputs), after, [])
    assert {change.top: change.replace for change in changes} == {
        "cpu": True,
        "tags": False,
        "skipDestroy": False,
    }


def test_its_id_is_the_family_and_a_number_for_the_cpu_is_text_for_aws() -> None:
    resource, aws = standin(TaskDefinition)
    id, _ = resource.create(CONTEXT, checked(resource, DEFINITION | {"cpu": 256}))
    (call,) = aws.named("ecs.register_task_definition")
    assert id == "a"
    assert call["cpu"] == "256"
    assert call["containerDefinitions"] == [{"name": "app", "image": "x@sha256:1"}]
    assert call["tags"] == [{"key": "team", "value": "a"}]


@pytest.mark.parametrize("skip", [True, False])
def test_a_revision_is_deregistered_unless_it_is_to_be_kept(skip: bool) -> None:
    resource, aws = standin(TaskDefinition)
    known = {"arn": "arn:a:1", "skipDestroy": skip}
    resource.delete(CONTEXT, State("a", known, known))
    assert len(aws.named("ecs.deregister_task_definition")) == (0 if skip else 1)


def test_a_refresh_keeps_what_was_registered_and_not_aws_longer_spelling_of_it() -> None:
    longer = {
        "taskDefinitionArn": "arn:a:1",
        "family": "a",
        "revision": 1,
        "status": "ACTIVE",
        "containerDefinitions": [{"name": "app", "image": "x@sha256:1", "cpu": 0, "mountPoints": []}],
    }
    resource, _ = standin(TaskDefinition, ecs__describe_task_definition={"taskDefinition": longer, "tags": []})
    inputs = checked(resource, DEFINITION | {"tags": {}, "trackLatest": False})
    found = resource.read(CONTEXT, "a", inputs | {"arn": "arn:a:1"}, inputs)
    assert found is not None
    assert structural(inputs, found[1]) == []


def test_an_inactive_revision_is_gone() -> None:
    inactive = {"taskDefinitionArn": "arn:a:1", "family": "a", "revision": 1, "status": "INACTIVE"}
    resource, _ = standin(TaskDefinition, ecs__describe_task_definition={"taskDefinition": inactive})
    assert resource.read(CONTEXT, "a", {"arn": "arn:a:1"}, {}) is None


@pytest.mark.parametrize(
    ("given", "answered", "same"),
    [
        ({}, {"cpu": 0, "essential": True, "mountPoints": [], "environment": []}, True),
        ({"portMappings": [{"containerPort": 1}]}, {"portMappings": [PORT]}, True),
        ({"environment": [{"name": "b"}, {"name": "a"}]}, {"environment": [{"name": "a"}, {"name": "b"}]}, True),
        ({}, {"essential": False}, False),
        ({"portMappings": [{"containerPort": 2}]}, {"portMappings": [PORT]}, False),
        ({"image": "a@sha256:1"}, {"image": "a@sha256:2"}, False),
    ],
)
def test_what_aws_fills_into_containers_is_no_change(given: Props, answered: Props, same: bool) -> None:
    resource, _ = standin(TaskDefinition)

    def checked_with(container: Props) -> Props:
        definitions = json.dumps([{"name": "app"} | container])
        return checked(resource, EXAMPLES[TaskDefinition.token] | {"containerDefinitions": definitions})

    before, after = checked_with(answered), checked_with(given)
    assert (resource.diff(CONTEXT, State("a", before, before), after, []) == []) is same


def test_each_create_of_a_service_has_a_token_of_its_own() -> None:
    """So that AWS refuses what is there already, and never hands it over as the new one."""
    resource, aws = standin(Service)
    for _ in range(2):
        resource.create(CONTEXT, checked(resource, EXAMPLE))
    first, second = (call["clientToken"] for call in aws.named("ecs.create_service"))
    assert first != second
    assert len(first) <= 36
