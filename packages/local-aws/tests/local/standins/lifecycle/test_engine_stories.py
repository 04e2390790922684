"""The stand-in below the real engine: what people see, and what stays in the state file."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from local_aws.standins.install import install
from local_aws.toolchain.cache import cache_folder
from local_aws.toolchain.engine import ensure_engine
from tests.local.emulator.ecs.conftest import Emulator, eventually, say
from tests.local.standins.lifecycle.holding import Holding
from tests.local.standins.lifecycle.project import Project, environment, kill
from tests.local.standins.lifecycle.world import CONTAINER, World

from tests.patience import PATIENCE

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def engine() -> Path:
    return ensure_engine(cache_folder(), say).bin


@pytest.fixture
def project(emulator: Emulator, engine: Path, tmp_path: Path) -> Project:
    home, folder = tmp_path / "home", tmp_path / "project"
    install(home)
    project = Project(folder, environment(engine, home, folder / "state", emulator.endpoint))
    project.begin()
    return project


def test_a_change_by_hand_is_seen_by_a_refresh_and_put_right_by_the_next_update(project: Project, world: World) -> None:
    name = world.name()
    project.program(f"sns.Topic('calls', name='{name}', display_name='On call')")
    assert project.up().code == 0
    arn = project.resources()["calls"]["id"]
    world.aws("sns").set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue="by hand")
    seen = project.run("refresh", "--yes", "--diff")
    assert '"On call" => "by hand"' in seen.text
    put_right = project.up()
    assert "1 updated" in put_right.text
    attributes = world.aws("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    assert attributes["DisplayName"] == "On call"
    assert project.run("up", "--yes", "--skip-preview", "--expect-no-changes").code == 0


def test_what_is_there_already_is_imported_without_a_change(project: Project, world: World) -> None:
    name = world.name()
    arn = world.aws("sns").create_topic(Name=name, Tags=[{"Key": "team", "Value": "a"}])["TopicArn"]
    topic = f"sns.Topic('calls', name='{name}', tags={{'team': 'a'}}"
    project.program(f"{topic}, opts=pulumi.ResourceOptions(import_='{arn}'))")
    imported = project.up()
    assert "1 imported" in imported.text
    assert "warning" not in imported.text
    project.program(f"{topic})")
    assert project.run("up", "--yes", "--skip-preview", "--expect-no-changes").code == 0
    project.program("")
    assert "1 deleted" in project.up().text


ALARM = """
topic = sns.Topic("calls", name="{name}")
cloudwatch.MetricAlarm(
    "slow",
    name="{name}",
    comparison_operator="GreaterThanThreshold",
    evaluation_periods=3,
    metric_name="TargetResponseTime",
    namespace="AWS/ApplicationELB",
    period=60,
    statistic="Average",
    alarm_actions=[topic.arn],
)
"""


def test_a_preview_shows_what_is_not_known_yet_and_makes_nothing(project: Project, world: World) -> None:
    name = world.name()
    project.program(ALARM.format(name=name))
    shown = project.run("preview", "--diff")
    assert shown.code == 0
    assert "alarmActions" in shown.text
    assert "3 to create" in shown.text
    assert project.resources() == {}
    assert world.aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"] == []
    assert project.up().code == 0
    (alarm,) = world.aws("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert alarm["AlarmActions"] == [project.resources()["calls"]["id"]]


def test_what_was_half_made_is_in_the_state_and_the_next_update_completes_it(project: Project, world: World) -> None:
    name = world.name()
    group = "lb.TargetGroup('web', name='{}', port=80, protocol='HTTP', target_type='ip', vpc_id='{}',"
    group = group.format(name, world.vpc) + " deregistration_delay={})"
    project.program(group.format(99_999))
    refused = project.up()
    assert refused.code != 0
    assert "was created, but: AWS refused ModifyTargetGroupAttributes" in refused.text
    half_made = project.resources()["web"]
    assert half_made["initErrors"]
    project.program(group.format(20))
    completed = project.up()
    assert "1 updated" in completed.text
    assert project.resources()["web"]["id"] == half_made["id"]
    answer = world.aws("elbv2").describe_target_group_attributes(TargetGroupArn=half_made["id"])
    attributes = {one["Key"]: one["Value"] for one in answer["Attributes"]}
    assert attributes["deregistration_delay.timeout_seconds"] == "20"
    assert project.run("up", "--yes", "--skip-preview", "--expect-no-changes").code == 0


def test_a_secret_is_nowhere_in_clear_in_what_the_engine_writes(project: Project, world: World) -> None:
    name, secret = world.name(), "correct-horse-battery-staple"
    project.run("config", "set", "--secret", "word", secret)
    project.program(
        f"""
        word = pulumi.Config().require_secret("word")
        topic = sns.Topic("calls", display_name=word, tags={{"word": word}})
        container = {{"name": "app", "image": "{CONTAINER["image"]}", "environment": [{{"name": "W", "value": word}}]}}
        ecs.TaskDefinition(
            "app",
            family="{name}",
            cpu="256",
            memory="512",
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn="arn:aws:iam::000000000000:role/one",
            container_definitions=pulumi.Output.json_dumps([container]),
        )
        pulumi.export("name", topic.display_name)
        """
    )
    assert project.up().code == 0
    assert project.run("refresh", "--yes").code == 0
    files = project.files()
    assert any(b"calls" in content for content in files.values())
    assert [path for path, content in files.items() if secret.encode() in content] == []
    shown = project.run("stack", "export", "--show-secrets").text
    assert shown.count(secret) >= 6  # inputs and outputs: a name, a tag, all tags, and the containers


def test_an_interrupted_deletion_ends_at_once_and_stays_in_the_state(project: Project, world: World) -> None:
    name = world.name()
    project.program(f"ecs.Cluster('tasks', name='{name}')")
    assert project.up().code == 0
    api = world.aws("ecs")
    api.create_service(
        cluster=name,
        serviceName="by-hand",
        taskDefinition=world.definitions[0],
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": world.subnets[:1]}},
    )
    process = project.start("destroy", "--yes", "--skip-preview", "--suppress-progress")
    eventually(project.is_deleting, "the deletion")
    os.kill(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "was cancelled" in text
    assert list(project.resources()) == ["tasks"]
    api.delete_service(cluster=name, service="by-hand", force=True)
    assert project.run("destroy", "--yes", "--skip-preview").code == 0


SERVICE = """
ecs.Service(
    "web",
    name="{name}",
    cluster="{cluster}",
    task_definition="{definition}",
    desired_count=0,
    launch_type="FARGATE",
    network_configuration={{"subnets": ["{subnet}"]}},
)
"""


@pytest.fixture
def killed(project: Project, emulator: Emulator, world: World) -> str:
    """AWS has made a service of this name, and the engine was killed before it heard of it."""
    name = world.name()
    project.program(
        SERVICE.format(name=name, cluster=world.cluster, definition=world.definitions[0], subnet=world.subnets[0])
    )
    with Holding(emulator.endpoint, "CreateService") as proxy:
        process = project.start("up", "--yes", "--skip-preview", AWS_ENDPOINT_URL=proxy.url)
        assert proxy.held.wait(PATIENCE)
        kill(process)
    assert project.run("cancel", "--yes").code == 0
    return name


def test_a_killed_create_of_a_named_service_fails_the_next_update_until_it_is_imported(
    project: Project, killed: str
) -> None:
    assert len(project.pending()) == 1
    blocked = project.up()
    assert blocked.code != 0
    assert "Creation of service was not idempotent." in blocked.text
    assert len(project.pending()) == 1
    which = ("aws:ecs/service:Service", "web", f"world/{killed}")
    imported = project.run("import", *which, "--yes", "--skip-preview", "--generate-code=false", "--protect=false")
    assert imported.code == 0, imported.text
    assert project.run("refresh", "--yes", "--clear-pending-creates").code == 0
    assert project.pending() == []
    assert project.run("up", "--yes", "--skip-preview", "--expect-no-changes").code == 0
    assert project.run("destroy", "--yes", "--skip-preview").code == 0


def test_the_engines_import_of_pending_creates_forgets_them(project: Project, killed: str) -> None:
    """`refresh --import-pending-creates` removes the mark and imports nothing. If this fails, correct recovery.md."""
    (urn,) = project.pending()
    pair = ("--import-pending-creates", urn, "--import-pending-creates", f"world/{killed}")
    assert project.run("refresh", "--yes", *pair).code == 0
    assert project.pending() == []
    assert project.resources() == {}
