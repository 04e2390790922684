"""What dies comes back as it was: emulator, load balancer, containers, Docker, the whole machine."""

from __future__ import annotations

import io
import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from local_aws import cloud, emulator_process, processes
from local_aws.dockercli import CLOUD, docker
from local_aws.places import Places
from local_aws.progress import Progress
from local_aws.toolchain.cache import cache_folder
from tests.contract.aws import Aws, Where, tags_of
from tests.contract.balancing import Balancing, Listener, ask, fixed, forward
from tests.contract.images import forget
from tests.contract.serving import Service, Serving
from tests.contract.stage import Stage, policy
from tests.local.between import Between, docker_socket
from tests.local.repository import ROOT

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]

NAME = "restarts"


class Filled:
    """A cloud with something in every service, and two tasks behind a load balancer."""

    def __init__(self, folder: Path, between: Between) -> None:
        self.places = Places(root=ROOT, runtime=folder, cache=cache_folder())
        self.between = between
        self.up()
        endpoint = self.places.held().endpoint
        self.aws = Aws(Where.of_the_local_cloud(endpoint, 0.1))
        self.stage = Stage(self.aws)
        self.elb, self.ecs = Balancing(self.aws, self.stage), Serving(self.aws, self.stage, "restarts")
        self.group = self.elb.group("web")
        self.service, self.listener, self.rule = self._serve()
        self._fill()

    def up(self) -> None:
        """`make up`, for an emulator that reaches Docker through the socket that can be cut."""
        with environment(DOCKER_HOST=self.between.address), Progress(io.StringIO()) as progress:
            cloud.up(self.places, progress)

    def _serve(self) -> tuple[Service, Listener, str]:
        listener = self.elb.listener(fixed(503))
        rule = self.elb.rule(listener, forward((self.group, 100)))
        service = self.ecs.service("web", self.ecs.define(env={"NAME": "web"}), tasks=2, group=self.group)
        service.until("COMPLETED")
        self.elb.only(listener, "web")
        return service, listener, rule

    def _fill(self) -> None:
        client = self.aws.client
        self.elb.api.add_tags(ResourceArns=[self.rule], Tags=[{"Key": "release-lane:phase", "Value": "moved"}])
        client("s3").create_bucket(Bucket=NAME)
        client("s3").put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Enabled"})
        for text in (b"one", b"two"):
            client("s3").put_object(Bucket=NAME, Key="state.json", Body=text)
        client("ssm").put_parameter(Name=f"/{NAME}", Value="a parameter", Type="SecureString")
        client("secretsmanager").create_secret(Name=NAME, SecretString="a secret")
        trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=policy(trust))
        client("sns").create_topic(Name=NAME, Tags=[{"Key": "of", "Value": "a test"}])
        client("cloudwatch").put_metric_alarm(
            AlarmName=NAME, Namespace="AWS/ApplicationELB", MetricName="RequestCount", Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold",
        )  # fmt: skip

    def remembers(self) -> dict[str, Any]:
        """What its services answer, but for what lives: tasks, health, times."""
        client, stage = self.aws.client, self.stage
        rule = self.elb.api.describe_rules(RuleArns=[self.rule])["Rules"][0]
        versions = client("s3").list_object_versions(Bucket=NAME)["Versions"]
        (alarm,) = client("cloudwatch").describe_alarms(AlarmNames=[NAME])["MetricAlarms"]
        topic = client("sns").list_topics()["Topics"][0]["TopicArn"]
        return {
            "s3": [(each["Key"], each["VersionId"], self._version(each)) for each in versions],
            "ssm": client("ssm").get_parameter(Name=f"/{NAME}", WithDecryption=True)["Parameter"]["Value"],
            "secret": client("secretsmanager").get_secret_value(SecretId=NAME)["SecretString"],
            "role": client("iam").get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"],
            "topic": (topic, client("sns").list_tags_for_resource(ResourceArn=topic)["Tags"]),
            "alarm": (alarm["AlarmArn"], alarm["Threshold"]),
            "subnets": sorted(each["SubnetId"] for each in client("ec2").describe_subnets()["Subnets"]),
            "images": client("ecr").describe_images(repositoryName=stage.image.repository)["imageDetails"],
            "rule": (rule["Priority"], rule["Conditions"], rule["Actions"]),
            "journal": tags_of(self.elb.api.describe_tags(ResourceArns=[self.rule])["TagDescriptions"][0]["Tags"]),
            "balancer": self.elb.api.describe_load_balancers()["LoadBalancers"][0]["DNSName"],
            "deployment": self.service.primary()["id"],
            "definition": self.service.now()["taskDefinition"],
            "log group": [each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]],
        }

    def _version(self, listed: Mapping[str, Any]) -> bytes:
        wanted = {"Key": listed["Key"], "VersionId": listed["VersionId"]}
        return bytes(self.aws.client("s3").get_object(Bucket=NAME, **wanted)["Body"].read())

    def whole(self) -> bool:
        """Two tasks run and are healthy, and users are served."""
        states = self.elb.states(self.group)
        return len(self.service.running()) == 2 and states == ["healthy"] * 2

    def until_whole(self) -> None:
        self.aws.eventually(self.whole, "two healthy tasks")
        self.aws.eventually(lambda: quietly(self.listener.url) == "web", "an answer for users")

    def containers(self) -> list[str]:
        """All, also those that have ended."""
        return docker("ps", "-aq", "--filter", f"label={CLOUD}={self.places.cloud_id}").split()

    def close(self) -> None:
        self.stage.close()
        self.between.close()
        cloud.down(self.places, print)
        forget(self.aws.where.mark)


def quietly(url: str) -> str:
    """Who answers; "" where none can be reached."""
    try:
        return ask(url)
    except requests.RequestException:
        return ""


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    before: Mapping[str, str] = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    with tempfile.TemporaryDirectory() as short:  # a socket's path has 100 characters at most
        filled = Filled(tmp_path_factory.mktemp("restarts") / ".local", Between(Path(short, "docker"), docker_socket()))
        try:
            yield filled
        finally:
            filled.close()


def tasks(filled: Filled) -> dict[str, str]:
    """Running tasks: their ARN to their container's id."""
    return {task["taskArn"]: task["containers"][0]["runtimeId"] for task in filled.service.running()}


def ends(filled: Filled, arns: Mapping[str, str]) -> set[str]:
    """The stop codes of these tasks."""
    return {task["stopCode"] for task in filled.service.tasks("STOPPED") if task["taskArn"] in arns}


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    processes.wait_until_gone({pid: ticks for pid in pids if (ticks := processes.start_ticks(pid))}, 10)


def killed_emulator(filled: Filled) -> None:
    started = emulator_process.running(filled.places)
    assert started is not None
    kill([started.pid])


def killed_containers(filled: Filled) -> None:
    docker("kill", *filled.containers())


def test_a_killed_emulator_comes_back_with_everything_and_the_same_tasks(filled: Filled) -> None:
    remembered, running = filled.remembers(), tasks(filled)
    killed_emulator(filled)
    filled.up()
    assert filled.remembers() == remembered
    filled.until_whole()
    assert tasks(filled) == running


def test_what_was_answered_just_before_the_kill_is_there(filled: Filled) -> None:
    """Each answer means: stored."""
    client = filled.aws.client
    for number in range(3):
        client("ssm").put_parameter(Name=f"/{NAME}/late", Value=str(number), Type="String", Overwrite=True)
        client("iam").create_role(RoleName=f"{NAME}-{number}", AssumeRolePolicyDocument=json.dumps({}))
        client("s3").put_object(Bucket=NAME, Key="late.json", Body=str(number).encode())
        killed_emulator(filled)
        filled.up()
        assert client("ssm").get_parameter(Name=f"/{NAME}/late")["Parameter"]["Value"] == str(number)
        assert client("iam").get_role(RoleName=f"{NAME}-{number}")
        assert client("s3").get_object(Bucket=NAME, Key="late.json")["Body"].read() == str(number).encode()
    client("s3").delete_object(Bucket=NAME, Key="late.json")
    filled.until_whole()


def test_a_killed_load_balancer_comes_back_by_itself(filled: Filled) -> None:
    remembered, running = filled.remembers(), tasks(filled)
    emulator = emulator_process.running(filled.places)
    assert emulator is not None
    kill([pid for pid in emulator_process.everything(filled.places) if pid != emulator.pid])
    filled.until_whole()
    assert (filled.remembers(), tasks(filled)) == (remembered, running)


def test_after_the_machine_restarted_new_tasks_serve_users(filled: Filled) -> None:
    """Emulator, load balancer and every container are dead; only files are left."""
    remembered, before = filled.remembers(), tasks(filled)
    killed_emulator(filled)
    kill(emulator_process.everything(filled.places))
    killed_containers(filled)
    filled.up()
    filled.until_whole()
    assert filled.remembers() == remembered
    assert before.keys().isdisjoint(tasks(filled))
    assert ends(filled, before) == {"EssentialContainerExited"}


def test_layers_are_files_and_no_part_of_the_state_that_is_stored_with_each_change(filled: Filled) -> None:
    stored, layers = (filled.places.emulator / part for part in ("ministack/ecr.json", "ecr-layers"))
    assert sum(file.stat().st_size for file in layers.rglob("*") if file.is_file()) > 1_000_000
    assert stored.stat().st_size < 100_000


def test_layers_outlive_a_kill_and_can_be_pulled_by_who_has_none(filled: Filled) -> None:
    killed_emulator(filled)
    filled.up()
    image = filled.stage.image
    name = f"localhost:{filled.places.held().port}/{image.repository}@{image.digest}"
    filled.service.update(desiredCount=0)
    filled.aws.eventually(lambda: not filled.containers(), "no container")
    forget(filled.aws.where.mark)
    docker("pull", "--quiet", name)
    filled.service.update(desiredCount=2)
    filled.until_whole()


@pytest.mark.parametrize("meanwhile", [killed_containers, lambda _: None], ids=["containers died", "nothing happened"])
def test_when_docker_was_away_what_happened_meanwhile_is_noticed(
    filled: Filled, meanwhile: Callable[[Filled], None]
) -> None:
    remembered, before = filled.remembers(), tasks(filled)
    filled.between.cut()
    meanwhile(filled)
    assert filled.remembers() == remembered, "AWS answers without Docker"
    filled.between.restore()
    filled.until_whole()
    if meanwhile is killed_containers:
        filled.aws.eventually(lambda: before.keys().isdisjoint(tasks(filled)), "other tasks")
        assert ends(filled, before) == {"EssentialContainerExited"}, "and not because they answered no more"
    else:
        assert tasks(filled) == before
    assert filled.remembers() == remembered


def test_a_service_that_was_changed_while_docker_was_away_gets_there(filled: Filled) -> None:
    filled.between.cut()
    filled.service.update(desiredCount=3)
    filled.between.restore()
    filled.aws.eventually(lambda: len(filled.service.running()) == 3, "a third task")
    filled.service.update(desiredCount=2)
    filled.aws.eventually(lambda: len(filled.containers()) == 2, "two containers")
    filled.until_whole()


def test_nothing_of_it_is_left_when_it_is_taken_down(filled: Filled) -> None:
    """Last: containers that died or came back late also belong to this cloud."""
    cloud.down(filled.places, print)
    assert filled.containers() == []
    assert emulator_process.everything(filled.places) == []
