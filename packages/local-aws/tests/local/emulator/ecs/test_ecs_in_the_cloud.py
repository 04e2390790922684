"""ECS as a client sees it: real containers, fake target groups (fake_targets.py)."""

from __future__ import annotations

import json
from typing import Any

import docker
import pytest
from botocore.exceptions import ClientError
from tests.local.emulator.ecs.conftest import LOG_GROUP, REPOSITORY, SLEEP, Ecs, Emulator, eventually
from tests.local.emulator.ecs.fake_targets import group

pytestmark = pytest.mark.cloud


def code_and_message(refused: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


# ---------------------------------------------------------------- deploying


def test_a_service_is_deployed_and_shows_what_runs(ecs: Ecs) -> None:
    made = ecs.create(ecs.define(), desired=2)
    assert made["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert made["runningCount"] == 0
    done = ecs.rollout("COMPLETED")
    assert done["id"].startswith("ecs-svc/")
    assert (done["status"], done["desiredCount"], done["runningCount"], done["failedTasks"]) == ("PRIMARY", 2, 2, 0)
    assert done["rolloutStateReason"] == f"ECS deployment {done['id']} completed."
    for task in ecs.tasks():
        (container,) = task["containers"]
        assert (task["lastStatus"], task["startedBy"], task["group"]) == ("RUNNING", done["id"], "service:web")
        assert container["imageDigest"] == ecs.image.partition("@")[2]
        assert container["networkInterfaces"][0]["privateIpv4Address"]
    messages = [event["message"] for event in reversed(ecs.service()["events"])]
    assert messages[0].startswith("(service web) has started 2 tasks: (task ")
    assert messages[-2:] == [
        f"(service web) (deployment {done['id']}) deployment completed.",
        "(service web) has reached a steady state.",
    ]


def test_a_replacement_keeps_all_old_tasks_until_new_ones_are_healthy(ecs: Ecs) -> None:
    ecs.create(ecs.define(), desired=2)
    first = ecs.rollout("COMPLETED")
    second = ecs.update(taskDefinition=ecs.define())["deployments"][0]
    fewest = 2
    while ecs.primary()["rolloutState"] == "IN_PROGRESS":
        fewest = min(fewest, ecs.service()["runningCount"])
    assert fewest == 2
    assert ecs.rollout("COMPLETED")["id"] == second["id"] != first["id"]
    assert [d["id"] for d in ecs.service()["deployments"]] == [second["id"]]
    stopped = [t for t in ecs.tasks("STOPPED") if t["startedBy"] == first["id"]]
    assert [t["stoppedReason"] for t in stopped] == [f"Scaling activity initiated by (deployment {second['id']})"] * 2
    assert {t["stopCode"] for t in stopped} == {"ServiceSchedulerInitiated"}


def test_nothing_changed_is_no_new_deployment_and_forced_is_one(ecs: Ecs) -> None:
    definition = ecs.define()
    ecs.create(definition)
    first = ecs.rollout("COMPLETED")
    assert ecs.update(taskDefinition=definition)["deployments"][0]["id"] == first["id"]
    forced = ecs.update(forceNewDeployment=True)["deployments"][0]
    assert forced["id"] != first["id"]
    assert forced["rolloutState"] == "IN_PROGRESS"
    assert ecs.rollout("COMPLETED")["id"] == forced["id"]
    assert {t["startedBy"] for t in ecs.tasks()} == {forced["id"]}


def test_scaling_to_none_and_back_makes_no_new_deployment(ecs: Ecs) -> None:
    ecs.create(ecs.define(), desired=0)
    first = ecs.rollout("COMPLETED")
    ecs.update(desiredCount=1)
    eventually(lambda: ecs.primary()["runningCount"] == 1)
    ecs.update(desiredCount=0)
    eventually(lambda: ecs.tasks() == [] and ecs.primary()["runningCount"] == 0)
    assert ecs.primary()["id"] == first["id"]


def test_a_killed_container_is_replaced(ecs: Ecs, docker_client: docker.DockerClient) -> None:
    ecs.create(ecs.define())
    done = ecs.rollout("COMPLETED")
    (task,) = ecs.tasks()
    docker_client.containers.get(task["containers"][0]["runtimeId"]).kill()
    (replacement,) = eventually(
        lambda: [t for t in ecs.tasks() if t["taskArn"] != task["taskArn"] and t["lastStatus"] == "RUNNING"]
    )
    assert replacement["startedBy"] == done["id"]
    ended = ecs.task(task["taskArn"], "STOPPED")
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 137)


# ---------------------------------------------------------------- what goes wrong


def test_an_image_that_exits_at_once_fails_the_deployment_and_leaves_the_old_tasks(ecs: Ecs) -> None:
    ecs.create(ecs.define())
    first = ecs.rollout("COMPLETED")
    ecs.update(taskDefinition=ecs.define(["sh", "-c", "echo no such table >&2; exit 3"]))
    failed = ecs.rollout("FAILED")
    assert failed["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    assert failed["failedTasks"] == 3
    stopped = [t for t in ecs.tasks("STOPPED") if t["startedBy"] == failed["id"]]
    ended = ecs.task(stopped[0]["taskArn"], "STOPPED")
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert ended["containers"][0]["exitCode"] == 3
    assert ecs.lines(ended["taskArn"]) == ["no such table"]
    assert [t["startedBy"] for t in ecs.tasks()] == [first["id"]]
    eventually(lambda: len([t for t in ecs.tasks("STOPPED") if t["startedBy"] == failed["id"]]) == 3)


def test_after_a_failed_deployment_a_forced_one_starts_afresh(ecs: Ecs) -> None:
    ecs.create(ecs.define(["sh", "-c", "exit 3"]))
    failed = ecs.rollout("FAILED")
    again = ecs.update(taskDefinition=ecs.define(), forceNewDeployment=True)["deployments"][0]
    assert (again["failedTasks"], again["rolloutState"]) == (0, "IN_PROGRESS")
    assert ecs.rollout("COMPLETED")["id"] == again["id"] != failed["id"]


def test_with_rollback_the_breaker_returns_to_the_last_completed_deployment(ecs: Ecs) -> None:
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    ecs.create(ecs.define(), deploymentConfiguration=breaker)
    first = ecs.rollout("COMPLETED")
    second = ecs.update(taskDefinition=ecs.define(["sh", "-c", "exit 3"]))["deployments"][0]
    eventually(lambda: ecs.primary()["id"] == first["id"])
    assert ecs.rollout("COMPLETED")["id"] == first["id"] != second["id"]


@pytest.mark.parametrize("gone", ["sha256:" + "0" * 64, "no-such-tag"])
def test_what_the_registry_does_not_have_cannot_be_pulled(ecs: Ecs, gone: str) -> None:
    repository = ecs.image.partition("@")[0]
    image = f"{repository}{'@' if ':' in gone else ':'}{gone}"
    ecs.create(ecs.define(image=image))
    failed = ecs.rollout("FAILED")
    task = next(t for t in ecs.tasks("STOPPED") if t["startedBy"] == failed["id"])
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"] == (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {image}: {image}: not found"
    )
    assert task["containers"][0]["reason"] == task["stoppedReason"]


def test_an_image_that_only_docker_has_cannot_be_pulled(ecs: Ecs, docker_client: docker.DockerClient) -> None:
    only_here = f"{ecs.emulator.registry}/{REPOSITORY}"
    own = docker_client.images.get(f"{only_here}:one")
    own.tag(only_here, "never-pushed")
    ended = ecs.task(ecs.run(ecs.define(image=f"{only_here}:never-pushed")), "STOPPED")
    assert ended["stoppedReason"].startswith("CannotPullContainerError: pull image manifest")
    docker_client.images.remove(f"{only_here}:never-pushed")


def test_a_command_that_does_not_exist_cannot_be_started(ecs: Ecs) -> None:
    ended = ecs.task(ecs.run(ecs.define(["/no/such/command"], linuxParameters={})), "STOPPED")
    assert ended["stopCode"] == "TaskFailedToStart"
    assert ended["stoppedReason"].startswith("CannotStartContainerError: ")


def test_a_missing_log_group_or_secret_keeps_a_task_from_starting(ecs: Ecs) -> None:
    options = {"awslogs-group": "/no/such/group", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}
    logs = {"logDriver": "awslogs", "options": options}
    secret = {"name": "TOKEN", "valueFrom": "/no/such/parameter"}
    for container in ({"logConfiguration": logs}, {"secrets": [secret]}):
        ended = ecs.task(ecs.run(ecs.define(**container)), "STOPPED")
        assert ended["stopCode"] == "TaskFailedToStart"
        assert ended["stoppedReason"].startswith("ResourceInitializationError: ")


def test_targets_that_stay_unhealthy_fail_the_deployment(ecs: Ecs) -> None:
    ecs.create(ecs.define(), targets="sick")
    failed = ecs.rollout("FAILED")
    task = next(t for t in ecs.tasks("STOPPED") if t["startedBy"] == failed["id"])
    assert task["stoppedReason"] == f"Task failed ELB health checks in (target-group {group('sick')})"
    assert any("is unhealthy in (target-group" in event["message"] for event in ecs.service()["events"])


# ---------------------------------------------------------------- refusals


def test_creating_a_service_twice_is_not_idempotent(ecs: Ecs) -> None:
    definition = ecs.define()
    ecs.create(definition, desired=0)
    with pytest.raises(ClientError) as refused:
        ecs.create(definition, desired=0)
    assert code_and_message(refused) == ("InvalidParameterException", "Creation of service was not idempotent.")


def test_a_target_group_without_load_balancer_is_refused(ecs: Ecs) -> None:
    with pytest.raises(ClientError) as refused:
        ecs.create(ecs.define(), targets="unattached")
    arn = group("unattached")
    assert code_and_message(refused) == (
        "InvalidParameterException",
        f"The target group with targetGroupArn {arn} does not have an associated load balancer.",
    )


@pytest.mark.parametrize(
    ("call", "arguments", "code"),
    [
        ("describe_services", {"cluster": "nowhere", "services": ["web"]}, "ClusterNotFoundException"),
        ("update_service", {"service": "nothing"}, "ServiceNotFoundException"),
        ("delete_service", {"service": "nothing"}, "ServiceNotFoundException"),
        ("list_tasks", {"serviceName": "nothing"}, "ServiceNotFoundException"),
        ("describe_task_definition", {"taskDefinition": "nothing"}, "ClientException"),
        ("stop_task", {"task": "0" * 32}, "InvalidParameterException"),
        ("run_task", {"taskDefinition": "nothing"}, "ClientException"),
        ("tag_resource", {"resourceArn": "arn:aws:ecs:us-east-1:0:cluster/x", "tags": []}, "InvalidParameterException"),
    ],
)
def test_what_is_not_there_has_awss_error_code(ecs: Ecs, call: str, arguments: dict[str, Any], code: str) -> None:
    without_cluster = call in ("describe_task_definition", "tag_resource")
    with pytest.raises(ClientError) as refused:
        getattr(ecs.api, call)(**(({} if without_cluster else {"cluster": ecs.cluster}) | arguments))
    assert refused.value.response["Error"]["Code"] == code


def test_a_service_with_tasks_is_deleted_only_by_force_and_its_name_is_free_once_it_has_drained(ecs: Ecs) -> None:
    definition = ecs.define()
    ecs.create(definition)
    ecs.rollout("COMPLETED")
    with pytest.raises(ClientError) as refused:
        ecs.api.delete_service(cluster=ecs.cluster, service="web")
    assert code_and_message(refused)[0] == "InvalidParameterException"
    ecs.api.delete_service(cluster=ecs.cluster, service="web", force=True)
    with pytest.raises(ClientError) as refused:
        ecs.create(definition)
    assert "still Draining" in code_and_message(refused)[1]
    eventually(lambda: ecs.service()["status"] == "INACTIVE")
    assert ecs.create(definition, desired=0)["status"] == "ACTIVE"


# ---------------------------------------------------------------- single tasks


def test_a_one_off_task_runs_to_its_end_with_overrides(ecs: Ecs) -> None:
    override = {
        "name": "app",
        "command": ["sh", "-c", "echo $GREETING from $AWS_REGION; exit 7"],
        "environment": [{"name": "GREETING", "value": "hello"}],
    }
    arn = ecs.run(ecs.define(), overrides={"containerOverrides": [override]}, startedBy="a-migration")
    ended = ecs.task(arn, "STOPPED")
    assert (ended["stopCode"], ended["containers"][0]["exitCode"]) == ("EssentialContainerExited", 7)
    assert ended["startedBy"] == "a-migration"
    mine = {"cluster": ecs.cluster, "desiredStatus": "STOPPED"}
    assert ecs.api.list_tasks(startedBy="a-migration", **mine)["taskArns"] == [arn]
    assert ecs.api.list_tasks(startedBy="somebody-else", **mine)["taskArns"] == []
    assert ecs.lines(arn) == ["hello from us-east-1"]


def test_a_repeated_run_task_starts_nothing_more(ecs: Ecs) -> None:
    definition = ecs.define()
    assert ecs.run(definition, clientToken="once") == ecs.run(definition, clientToken="once")
    assert len(ecs.tasks()) == 1


def test_secrets_come_from_parameter_store_and_secrets_manager(ecs: Ecs) -> None:
    name = f"/{ecs.cluster}/token"
    ecs.emulator.client("ssm").put_parameter(Name=name, Value="from-ssm", Type="SecureString")
    stored = ecs.emulator.client("secretsmanager").create_secret(
        Name=f"{ecs.cluster}-db", SecretString=json.dumps({"password": "from-asm"})
    )
    secrets = [
        {"name": "TOKEN", "valueFrom": f"arn:aws:ssm:us-east-1:000000000000:parameter{name}"},
        {"name": "PASSWORD", "valueFrom": f"{stored['ARN']}:password::"},
    ]
    arn = ecs.run(ecs.define(["sh", "-c", "echo $TOKEN $PASSWORD"], secrets=secrets))
    ecs.task(arn, "STOPPED")
    assert ecs.lines(arn) == ["from-ssm from-asm"]


def test_a_task_with_a_role_finds_endpoint_and_credentials_and_one_without_finds_none(ecs: Ecs) -> None:
    says = ["sh", "-c", "echo ${AWS_ACCESS_KEY_ID:-none}${AWS_ENDPOINT_URL:+, and an endpoint}"]
    for role, line in (("arn:aws:iam::000000000000:role/task", "test, and an endpoint"), ("", "none")):
        arn = ecs.run(ecs.define(says, role=role))
        ecs.task(arn, "STOPPED")
        assert ecs.lines(arn) == [line]


def test_a_task_finds_the_local_clouds_authority_unless_it_says_itself_whom_it_trusts(ecs: Ecs) -> None:
    bundle = ecs.emulator.state / "authority/bundle.pem"
    bundle.parent.mkdir(exist_ok=True)
    bundle.write_text("all whom a task trusts\n")
    says = ["sh", "-c", 'echo "$SSL_CERT_FILE"; cat "$SSL_CERT_FILE"']
    own = [{"name": "SSL_CERT_FILE", "value": "/dev/null"}]
    for variables, lines in (([], ["/local-aws/ca.pem", "all whom a task trusts"]), (own, ["/dev/null"])):
        arn = ecs.run(ecs.define(says, environment=variables, readonlyRootFilesystem=True, user="1000:1000"))
        ecs.task(arn, "STOPPED")
        assert ecs.lines(arn) == lines
    bundle.unlink()


def test_stopping_a_task_ends_it_by_sigterm_within_its_stop_timeout(ecs: Ecs) -> None:
    patient = ["sh", "-c", "trap 'echo draining; exit 0' TERM; echo ready; while :; do sleep 0.05; done"]
    deaf = ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]
    for command, stop_timeout, exit_code in ((patient, 30, 0), (deaf, 1, 137)):
        arn = ecs.run(ecs.define(command, stopTimeout=stop_timeout))
        ecs.task(arn, "RUNNING")
        ecs.until_printed(arn, "ready")
        ecs.api.stop_task(cluster=ecs.cluster, task=arn, reason="because")
        ended = ecs.task(arn, "STOPPED")
        assert (ended["stopCode"], ended["stoppedReason"]) == ("UserInitiated", "because")
        assert ended["containers"][0]["exitCode"] == exit_code


def test_a_service_task_leaves_its_target_group_before_it_gets_sigterm(ecs: Ecs) -> None:
    ecs.create(ecs.define(), targets="slow")
    ecs.rollout("COMPLETED")
    (task,) = ecs.tasks()
    ecs.update(desiredCount=0)
    draining = ecs.task(task["taskArn"], "DEACTIVATING")
    assert draining["containers"][0]["lastStatus"] == "RUNNING"
    assert draining["desiredStatus"] == "STOPPED"
    ended = ecs.task(task["taskArn"], "STOPPED")
    assert (ended["stoppedAt"] - ended["stoppingAt"]).total_seconds() >= 2.0, "slow target groups drain for 2 s"


# ---------------------------------------------------------------- containers and definitions


def test_a_container_gets_what_its_definition_says(ecs: Ecs, docker_client: docker.DockerClient) -> None:
    definition = ecs.define(
        readonlyRootFilesystem=True,
        user="1000:1000",
        workingDirectory="/bin",
        environment=[{"name": "PORT", "value": "8080"}],
        ulimits=[{"name": "nofile", "softLimit": 512, "hardLimit": 1024}],
    )
    task = ecs.task(ecs.run(definition), "RUNNING")
    made = docker_client.containers.get(task["containers"][0]["runtimeId"]).attrs
    assert made["Config"]["Labels"] == {
        "local-aws.cloud": ecs.emulator.cloud_id,
        "local-aws.task": task["taskArn"],
        "local-aws.container": "app",
        "local-aws.group": task["group"],
    }
    assert "PORT=8080" in made["Config"]["Env"]
    assert (made["Config"]["User"], made["Config"]["WorkingDir"]) == ("1000:1000", "/bin")
    host = made["HostConfig"]
    assert (host["ReadonlyRootfs"], host["Init"]) == (True, True)
    assert (host["Memory"], host["CpuShares"]) == (512 * 1024 * 1024, 1024)
    assert (host["Ulimits"][0]["Soft"], host["Ulimits"][0]["Hard"]) == (512, 1024)
    (network,) = made["NetworkSettings"]["Networks"].items()
    assert network[0] == ecs.emulator.cloud_id
    assert network[1]["IPAddress"] == task["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]


def test_containers_of_a_task_share_an_address_and_end_with_an_essential_one(
    ecs: Ecs, docker_client: docker.DockerClient
) -> None:
    options = {"awslogs-group": LOG_GROUP, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "app"}
    containers: list[dict[str, Any]] = [
        {"name": "helper", "image": ecs.image, "command": SLEEP, "essential": False},
        {"name": "app", "image": ecs.image, "command": ["sh", "-c", "sleep 2; exit 5"]},
    ]
    for container in containers:
        container["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    arn = ecs.run(ecs.define(containers=containers))
    running = {c["name"]: c for c in ecs.task(arn, "RUNNING")["containers"]}
    helper = docker_client.containers.get(running["helper"]["runtimeId"]).attrs
    assert helper["HostConfig"]["NetworkMode"] == f"container:{running['app']['runtimeId']}"
    ended = {c["name"]: c for c in ecs.task(arn, "STOPPED")["containers"]}
    assert ended["app"]["exitCode"] == 5
    assert ended["helper"]["lastStatus"] == "STOPPED"


def test_a_container_health_check_decides_when_there_is_no_load_balancer(ecs: Ecs) -> None:
    check = {"command": ["CMD-SHELL", "test -e /ready"], "interval": 5, "retries": 2}
    command = ["sh", "-c", "sleep 1; : > /ready; exec sleep 1000"]
    ecs.create(ecs.define(command, healthCheck=check), targets="")
    ecs.rollout("COMPLETED")
    assert [t["healthStatus"] for t in ecs.tasks()] == ["HEALTHY"]


def test_task_definitions_have_revisions_tags_and_an_end(ecs: Ecs) -> None:
    first, second = ecs.define(), ecs.define()
    assert (first.rsplit(":", 1)[1], second.rsplit(":", 1)[1]) == ("1", "2")
    ecs.api.tag_resource(resourceArn=second, tags=[{"key": "digest", "value": "sha256:1"}])
    latest = ecs.api.describe_task_definition(taskDefinition=ecs.cluster, include=["TAGS"])
    assert latest["taskDefinition"]["taskDefinitionArn"] == second
    assert latest["tags"] == [{"key": "digest", "value": "sha256:1"}]
    ecs.api.deregister_task_definition(taskDefinition=second)
    assert ecs.api.list_task_definitions(familyPrefix=ecs.cluster)["taskDefinitionArns"] == [first]
    with pytest.raises(ClientError) as refused:
        ecs.create(second)
    assert code_and_message(refused) == ("ClientException", "TaskDefinition is inactive")


# ---------------------------------------------------------------- restarts


def test_after_a_restart_the_emulator_finds_its_tasks_again(
    ecs: Ecs, emulator: Emulator, docker_client: docker.DockerClient
) -> None:
    ecs.create(ecs.define(["sh", "-c", "echo one; sleep 4; echo two; exec sleep 1000"]), desired=2)
    done = ecs.rollout("COMPLETED")
    kept, lost = sorted(ecs.tasks(), key=lambda t: str(t["taskArn"]))
    assert emulator.stop() == 0
    docker_client.containers.get(lost["containers"][0]["runtimeId"]).kill()
    emulator.start()

    def replaced() -> dict[str, Any] | None:
        found = {t["taskArn"]: t for t in ecs.tasks() if t["lastStatus"] == "RUNNING"}
        return found if len(found) == 2 and lost["taskArn"] not in found else None

    again = eventually(replaced) or {}
    assert again[kept["taskArn"]]["containers"] == kept["containers"], "the same container, not a new one"
    assert ecs.task(lost["taskArn"], "STOPPED")["stopCode"] == "EssentialContainerExited"
    assert ecs.primary()["id"] == done["id"]
    ecs.until_printed(kept["taskArn"], "two")
    assert ecs.lines(kept["taskArn"]) == ["one", "two"]


def test_a_killed_emulator_comes_back_with_its_images_and_tasks(ecs: Ecs, emulator: Emulator) -> None:
    ecr = emulator.client("ecr")
    before = ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"]
    arn = ecs.run(ecs.define(["sh", "-c", "echo one; sleep 3; echo two; exec sleep 1000"]))
    running = ecs.task(arn, "RUNNING")
    emulator.kill()
    emulator.start()
    assert ecr.describe_images(repositoryName=REPOSITORY)["imageDetails"] == before
    assert ecs.task(arn, "RUNNING")["containers"] == running["containers"]
    ecs.until_printed(arn, "two")
    assert ecs.lines(arn) == ["one", "two"]
    assert ecs.task(ecs.run(ecs.define(SLEEP)), "RUNNING")
