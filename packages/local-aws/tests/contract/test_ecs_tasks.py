"""Amazon ECS: tasks, their images, secrets and logs."""

from __future__ import annotations

import json
import time
from functools import partial

import pytest
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.contracts import contract
from tests.contract.serving import CONTAINER, STREAM_PREFIX, Serving
from tests.contract.stage import Stage

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/AmazonECS/latest/developerguide"
API = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference"
LOGS = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference"
JUDGE, DOOR, COLOUR, DEFINITION = (
    "release_lane/watch/rollout.py",
    "release_lane/aws/cloud.py",
    "infra/colour.py",
    "release_lane/record/container.py",
)
ONE_OFF = "release_lane/aws/one_off.py"


@contract(
    says="A task whose essential container ends by itself is STOPPED with stopCode EssentialContainerExited and the "
    "container's exit code.",
    source=f"{GUIDE}/stopped-task-error-codes.html",
    otherwise="an image that exits at once would be waited for until the deadline, and refused without its reason",
    used_by=(JUDGE, DOOR, "release_lane/gates/rollout.py"),
    minutes=1.5,
)
def test_a_container_that_exits_stops_its_task_with_a_code(ecs: Serving) -> None:
    ended = ecs.ended(env={"EXIT": "3", "SAY": "no database here"})
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 3)
    assert "container in task exited" in ended["stoppedReason"]


@contract(
    says="A task whose image cannot be pulled is STOPPED with stopCode TaskFailedToStart and a stoppedReason that "
    "begins with CannotPullContainerError.",
    source=f"{GUIDE}/stopped-task-error-codes.html",
    otherwise="a missing image would be waited for until the deadline, and refused without its reason",
    used_by=(JUDGE, DOOR),
    minutes=2,
)
def test_an_image_that_cannot_be_pulled_is_a_failed_start(ecs: Serving, stage: Stage) -> None:
    ended = ecs.ended(image=f"{stage.repository['repositoryUri']}@sha256:{'1' * 64}")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotPullContainerError")


@contract(
    says="`secrets` of a container are its environment variables: a parameter by its ARN, and a key of a JSON secret "
    "by the secret's ARN with `:key::`.",
    source=f"{GUIDE}/secrets-envvar-secrets-manager.html",
    otherwise="a release would run without its secrets, or with the whole secret in one variable",
    used_by=(DEFINITION, COLOUR),
    note="parameters: secrets-envvar-ssm-paramstore.html",
    minutes=1.5,
)
def test_secrets_reach_the_container(ecs: Serving, aws: Aws) -> None:
    parameter = f"/{aws.named('token')}"
    aws.client("ssm").put_parameter(Name=parameter, Value="from-ssm", Type="SecureString", Tags=aws.tags())
    stored = aws.client("secretsmanager").create_secret(
        Name=aws.named("database"), SecretString=json.dumps({"password": "from-asm", "user": "x"}), Tags=aws.tags()
    )
    where = aws.where
    secrets = [
        {"name": "TOKEN", "valueFrom": f"arn:aws:ssm:{where.region}:{where.account}:parameter{parameter}"},
        {"name": "PASSWORD", "valueFrom": f"{stored['ARN']}:password::"},
    ]
    task = ecs.run(ecs.define(env={"SHOW": "TOKEN,PASSWORD"}, secrets=secrets))
    lines = ecs.printed(task, "ready")
    assert lines[:2] == ["TOKEN=from-ssm", "PASSWORD=from-asm"]


@contract(
    says="A task whose secret cannot be read is STOPPED with stopCode TaskFailedToStart and a stoppedReason that "
    "begins with ResourceInitializationError.",
    source=f"{GUIDE}/resource-initialization-error.html",
    otherwise="a misspelt secret would be waited for until the deadline",
    used_by=(JUDGE, "infra/cluster.py"),
    minutes=1.5,
)
def test_a_secret_that_is_missing_is_a_failed_start(ecs: Serving, aws: Aws) -> None:
    missing = f"arn:aws:ssm:{aws.where.region}:{aws.where.account}:parameter/{aws.named('missing')}"
    ended = ecs.ended(secrets=[{"name": "TOKEN", "valueFrom": missing}])
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("ResourceInitializationError")


@contract(
    says="A container's output is in the log stream <prefix>/<container>/<task id>, readable also after its end.",
    source=f"{GUIDE}/using_awslogs.html",
    otherwise="a refusal could not quote the last words of a task that failed",
    used_by=(DOOR, DEFINITION),
    note="how soon lines appear is not documented; the gate waits some seconds and then does without",
    minutes=1.5,
)
def test_log_lines_are_in_the_stream_of_their_task(ecs: Serving, stage: Stage, aws: Aws) -> None:
    ended = ecs.ended(env={"SAY": "last words", "EXIT": "1"})
    task = ended["taskArn"].rsplit("/", 1)[-1]
    ecs.printed(ended["taskArn"], "last words")
    stream = f"{STREAM_PREFIX}/{CONTAINER}/{task}"
    shown = aws.client("logs").describe_log_streams(logGroupName=stage.log_group, logStreamNamePrefix=stream)
    assert [each["logStreamName"] for each in shown["logStreams"]] == [stream]


@contract(
    says="GetLogEvents with startFromHead false and a limit gives the newest events, oldest of them first; a stream "
    "that does not exist is ResourceNotFoundException.",
    source=f"{LOGS}/API_GetLogEvents.html",
    otherwise="a refusal would quote the first lines of a log instead of its last, or fail for want of one",
    used_by=(DOOR, "release_lane/gates/rollout.py"),
)
def test_the_newest_log_events_come_oldest_first(stage: Stage, aws: Aws) -> None:
    logs, now = aws.client("logs"), 1000 * int(time.time())
    logs.create_log_stream(logGroupName=stage.log_group, logStreamName="written")
    events = [{"timestamp": now + number, "message": str(number)} for number in range(5)]
    logs.put_log_events(logGroupName=stage.log_group, logStreamName="written", logEvents=events)
    wanted = {"logGroupName": stage.log_group, "logStreamName": "written", "limit": 2, "startFromHead": False}
    aws.eventually(
        lambda: [each["message"] for each in logs.get_log_events(**wanted)["events"]] == ["3", "4"], "the newest"
    )
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(**{**wanted, "logStreamName": "never"})


@contract(
    says="GetLogEvents from the head goes on at nextForwardToken: each line is read once, and what comes later is read "
    "by the token of a look that found nothing.",
    source=f"{LOGS}/API_GetLogEvents.html",
    otherwise="lines of a migration would be shown twice or never",
    used_by=(ONE_OFF,),
)
def test_log_events_are_read_on_from_a_token(stage: Stage, aws: Aws) -> None:
    logs, now = aws.client("logs"), 1000 * int(time.time())
    logs.create_log_stream(logGroupName=stage.log_group, logStreamName="followed")
    of = {"logGroupName": stage.log_group, "logStreamName": "followed"}
    seen: list[str] = []
    tokens: dict[str, str] = {}

    def write(number: int) -> None:
        logs.put_log_events(**of, logEvents=[{"timestamp": now + number, "message": str(number)}])

    def look() -> list[str]:
        found = logs.get_log_events(**of, startFromHead=True, **tokens)
        tokens["nextToken"] = found["nextForwardToken"]
        seen.extend(str(each["message"]) for each in found["events"])
        return seen

    def read(lines: int) -> bool:
        return look() == [str(each) for each in range(lines)]

    look()
    for number in range(3):
        write(number)
        aws.eventually(partial(read, number + 1), "the next line")
    assert look() == ["0", "1", "2"]


@contract(
    says="StopTask sends SIGTERM, and SIGKILL after the container's stopTimeout (exit code 137); the task says "
    "UserInitiated and the reason that was given.",
    source=f"{API}/API_StopTask.html",
    otherwise="a service that does not end in time would hang for ever, or be killed in the middle of a request",
    used_by=(DEFINITION, "app/__main__.py"),
    minutes=1.5,
)
def test_a_deaf_container_is_killed_after_its_stop_timeout(ecs: Serving) -> None:
    task = ecs.run(ecs.define(env={"DEAF": "1"}, stopTimeout=2))
    ecs.until(task, "RUNNING")
    ecs.printed(task, "ready")
    ecs.api.stop_task(cluster=ecs.stage.cluster, task=task, reason="because")
    ended = ecs.until(task, "STOPPED")
    assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "because")
    assert ended["containers"][0]["exitCode"] == 137
    ecs.printed(task, "SIGTERM")


@contract(
    says="RunTask runs a task once, with the command's environment overridden, and keeps `startedBy`, by which it is "
    "found again.",
    source=f"{API}/API_RunTask.html",
    otherwise="the tests could not try what a container gets; a migration could not be run as a task of its own",
    used_by=(ONE_OFF, "packages/local-aws/tests/contract/conftest.py"),
    minutes=1.5,
)
def test_a_task_runs_once_by_itself(ecs: Serving) -> None:
    override = {"name": CONTAINER, "environment": [{"name": "SAY", "value": "overridden"}]}
    task = ecs.run(
        ecs.define(env={"SAY": "as defined", "EXIT": "7"}),
        overrides={"containerOverrides": [override]},
        startedBy="a-contract",
    )
    ended = ecs.until(task, "STOPPED")
    assert (ended["startedBy"], ended["containers"][0]["exitCode"]) == ("a-contract", 7)
    assert ecs.printed(task, "overridden") == ["overridden"]


@contract(
    says="RunTask with the client token of an earlier call starts nothing and answers with that call's task.",
    source=f"{GUIDE}/ECS_Idempotency.html",
    otherwise="a migration whose first answer was lost would run twice at once",
    used_by=(ONE_OFF,),
    minutes=1.5,
)
def test_a_repeated_call_runs_one_task(ecs: Serving) -> None:
    definition = ecs.define()
    assert ecs.run(definition, clientToken="one-call") == ecs.run(definition, clientToken="one-call")


@contract(
    says="ListTasks by family lists that family's tasks alone; one that was asked to end is listed as STOPPED at once, "
    "and described as ended only when its container has.",
    source=f"{API}/API_ListTasks.html",
    otherwise="a second migration would be started while the first still ends",
    used_by=(ONE_OFF,),
    minutes=1.5,
)
def test_a_task_that_still_ends_is_found_by_its_family(ecs: Serving, stage: Stage) -> None:
    definition = ecs.define(env={"DEAF": "1"}, stopTimeout=10)
    task, family = ecs.run(definition), definition.rsplit("/", 1)[-1].partition(":")[0]
    ecs.until(task, "RUNNING")
    ecs.printed(task, "ready")
    listed = {"cluster": stage.cluster, "family": family}
    assert task in ecs.api.list_tasks(**listed, desiredStatus="RUNNING")["taskArns"]
    assert ecs.api.list_tasks(cluster=stage.cluster, family=f"{family}-other")["taskArns"] == []
    ecs.api.stop_task(cluster=stage.cluster, task=task, reason="because")
    assert task in ecs.api.list_tasks(**listed, desiredStatus="STOPPED")["taskArns"]
    assert ecs.api.describe_tasks(cluster=stage.cluster, tasks=[task])["tasks"][0]["lastStatus"] != "STOPPED"
    ecs.until(task, "STOPPED")


@contract(
    says="A container with readonlyRootFilesystem cannot write to its file system.",
    source=f"{GUIDE}/task_definition_parameters.html",
    otherwise="a service that needs to write would work here and fail on AWS",
    used_by=(DEFINITION, "app/Dockerfile"),
    minutes=1.5,
)
def test_a_read_only_container_cannot_write(ecs: Serving) -> None:
    task = ecs.run(ecs.define(env={"WRITE": "1"}))
    assert any("Read-only file system" in line for line in ecs.printed(task, "ready"))


@contract(
    says="A task definition is a numbered revision of its family, is described with the container definitions that "
    "were registered, labels included, and stays so after it was deregistered.",
    source=f"{GUIDE}/task-definition-state.html",
    otherwise="what runs could not say which release it is, and a rollback could not find what it goes back to",
    used_by=(DEFINITION, DOOR, COLOUR),
)
def test_a_task_definition_is_kept_as_registered(ecs: Serving) -> None:
    label = {"release-lane.release": json.dumps({"commit": "c", "service": {"env": {"A": "ä"}}})}
    first, second = ecs.define(dockerLabels=label), ecs.define()
    assert int(second.rsplit(":", 1)[1]) == int(first.rsplit(":", 1)[1]) + 1
    ecs.api.deregister_task_definition(taskDefinition=first)
    shown = ecs.api.describe_task_definition(taskDefinition=first)["taskDefinition"]
    assert shown["status"] == "INACTIVE"
    assert shown["containerDefinitions"][0]["dockerLabels"] == label


@contract(
    says="DescribeTasks takes 100 tasks at most.",
    source=f"{API}/API_DescribeTasks.html",
    otherwise="a colour with many stopped tasks could not be read",
    used_by=(DOOR,),
)
def test_a_hundred_tasks_are_described_at_once(ecs: Serving, stage: Stage) -> None:
    with pytest.raises(ClientError) as refused:
        ecs.api.describe_tasks(cluster=stage.cluster, tasks=[f"{number:032x}" for number in range(101)])
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"
