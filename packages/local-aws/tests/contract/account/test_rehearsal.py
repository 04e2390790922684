"""The whole of `make aws-check` with the local cloud in the place of an account: what it makes, it removes.

What is in the account is listed here once more, in other words than the command's own, so that a kind of thing which
that forgets is noticed.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.contract.aws import Aws
from tests.contract.contracts import ROOT

from tests.patience import PATIENCE

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(600)]

EVERY_KIND = (
    "test_a_task_names_the_deployment_that_started_it or test_secrets_reach_the_container or "
    "test_earlier_versions_can_be_read or test_an_alarm_that_does_not_exist_is_left_out or "
    "test_a_message_reaches_the_subscriptions_of_its_topic or test_the_password_is_in_a_secret_of_rds or "
    "test_a_cache_is_found_by_its_name"
)
"""Between them they make something of every kind."""


def inventory(aws: Aws) -> set[str]:
    """Everything in the account that could cost something or be in the way, and the suite's images in Docker."""
    asked: list[tuple[str, str, str, str]] = [
        ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
        ("ec2", "describe_subnets", "Subnets", "SubnetId"),
        ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
        ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
        ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
        ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
        ("ecr", "describe_repositories", "repositories", "repositoryArn"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("iam", "list_roles", "Roles", "Arn"),
        ("iam", "list_policies", "Policies", "Arn"),
        ("ssm", "describe_parameters", "Parameters", "Name"),
        ("secretsmanager", "list_secrets", "SecretList", "ARN"),
        ("s3", "list_buckets", "Buckets", "Name"),
        ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmArn"),
        ("sns", "list_topics", "Topics", "TopicArn"),
        ("sqs", "list_queues", "QueueUrls", ""),
        ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
        ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
        ("elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
        ("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
        ("ecs", "list_clusters", "clusterArns", ""),
        ("ecs", "list_task_definitions", "taskDefinitionArns", ""),
    ]
    listed = subprocess.run(["docker", "image", "ls", "--format", "{{.Repository}}"], capture_output=True, text=True)
    found = {f"docker {name}" for name in listed.stdout.split() if "/rlc-" in name}
    for service, operation, key, name in asked:
        for item in getattr(aws.client(service), operation)().get(key) or ():
            found.add(f"{service} {item[name] if name else item}")
    return found


@pytest.fixture
def same_as_before(aws: Aws) -> Iterator[Callable[[], None]]:
    """Fails unless the account holds what it held before the test."""
    before = inventory(aws)

    def check() -> None:
        assert inventory(aws) - before == set()

    yield check
    check()


class Run:
    """The command as a process; `said` is what it printed so far."""

    def __init__(self, log: Path, process: subprocess.Popen[bytes]) -> None:
        self._log, self.process = log, process

    @property
    def said(self) -> str:
        return self._log.read_text()

    @property
    def mark(self) -> str:
        found = re.search(r"--remove ([0-9a-f]{8})", self.said)
        return found[1] if found else ""

    def until(self, happened: Callable[[], object]) -> None:
        deadline = time.monotonic() + 120
        while not happened():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)


@contextmanager
def started(aws: Aws, folder: Path, *options: str) -> Iterator[Run]:
    log = folder / f"{time.monotonic_ns()}.log"
    command = [sys.executable, "-m", "tests.contract.account", "--account", aws.where.account]
    command += ["--region", aws.where.region, "--rehearse-at", aws.where.endpoint, *options]
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield Run(log, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def done(aws: Aws, folder: Path, *options: str) -> tuple[int, str]:
    with started(aws, folder, *options) as run:
        return run.process.wait(4 * PATIENCE), run.said


def serves(aws: Aws, run: Run) -> bool:
    """Has the run made a service yet? Then it has made nearly everything else."""
    clusters = [arn for arn in aws.client("ecs").list_clusters()["clusterArns"] if run.mark and run.mark in arn]
    return any(aws.client("ecs").list_services(cluster=arn)["serviceArns"] for arn in clusters)


def test_a_whole_run_leaves_nothing(aws: Aws, tmp_path: Path, same_as_before: Callable[[], None]) -> None:
    code, said = done(aws, tmp_path, "--yes", "--only", EVERY_KIND)
    assert code == 0, said
    assert "7 of 7 contracts hold in account 000000000000, us-east-1." in said
    assert "Nothing is left." in said
    same_as_before()


def test_an_interrupted_run_leaves_nothing(aws: Aws, tmp_path: Path, same_as_before: Callable[[], None]) -> None:
    with started(aws, tmp_path, "--yes", "--only", "test_ecs_deployments") as run:
        run.until(lambda: serves(aws, run))
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(4 * PATIENCE) == 130, run.said
    assert "Interrupted. All that had been made was removed." in run.said
    same_as_before()


def test_what_a_killed_run_left_is_listed_and_removed(
    aws: Aws, tmp_path: Path, same_as_before: Callable[[], None]
) -> None:
    with started(aws, tmp_path, "--yes", "--only", "test_ecs_deployments") as run:
        run.until(lambda: serves(aws, run))
        subprocess.run(["kill", "-9", "--", f"-{run.process.pid}"], check=True)  # its session: the suite, too
        run.process.wait()
    code, listed = done(aws, tmp_path, "--leftovers")
    assert code == 0
    kinds = {line.split("  ")[1] for line in listed.splitlines() if line.startswith(f"{run.mark}  ")}
    assert {"service", "cluster", "load balancer", "target group", "repository", "role", "VPC"} <= kinds
    code, said = done(aws, tmp_path, "--remove", run.mark)
    assert (code, "Nothing is left." in said) == (0, True), said
    same_as_before()


def test_without_yes_nothing_is_made(aws: Aws, tmp_path: Path, same_as_before: Callable[[], None]) -> None:
    code, said = done(aws, tmp_path)
    assert (code, "There is no terminal to say yes at" in said) == (4, True), said
    same_as_before()
