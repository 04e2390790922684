"""A local cloud with the same small environment in each: load balancer, cluster, a container, all made by boto3."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from local_aws import cloud, dockercli, emulator_process
from local_aws.places import Places
from local_aws.progress import Progress
from local_aws.toolchain.cache import cache_folder
from tests.local.emulator.ecs.conftest import PACK, SLEEP, eventually
from tests.local.repository import ROOT

REPOSITORY, CLUSTER = "beside/app", "beside"


@dataclass
class Side:
    """One of the two: a load balancer that says which one it is, a cluster, a container."""

    name: str
    up: cloud.Cloud

    @property
    def places(self) -> Places:
        return self.up.places

    def aws(self, service: str) -> Any:
        """A client as a program gets it that runs in this cloud's environment."""
        given = self.up.environment
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=given["AWS_ENDPOINT_URL"],
            region_name=given["AWS_REGION"],
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
        )

    def fill(self) -> None:
        self._balancer()
        self._container(self._image())

    def _balancer(self) -> None:
        ec2, elb = self.aws("ec2"), self.aws("elbv2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=f"us-east-1{zone}")
            for n, zone in enumerate("ab")
        ]
        ids = [one["Subnet"]["SubnetId"] for one in subnets]
        made = elb.create_load_balancer(Name="beside", Subnets=ids)["LoadBalancers"][0]
        said = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": self.name}
        action = {"Type": "fixed-response", "FixedResponseConfig": said}
        elb.create_listener(LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[action])

    def _image(self) -> str:
        name = f"127.0.0.1:{self.places.port}/{REPOSITORY}:one"  # as a build is pushed; tasks pull by the other name
        self.aws("ecr").create_repository(repositoryName=REPOSITORY)
        pack = f"{PACK} 2>/dev/null | docker import - {name}"  # this machine's own shell
        subprocess.run(["sh", "-c", f"{pack} && docker push --quiet {name}"], check=True, capture_output=True)
        found = self.aws("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
        return f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{found[0]['imageDigest']}"

    def _container(self, image: str) -> None:
        ecs = self.aws("ecs")
        ecs.create_cluster(clusterName=CLUSTER)
        ecs.register_task_definition(
            family="app", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            executionRoleArn="arn:aws:iam::000000000000:role/execution",
            containerDefinitions=[{"name": "app", "image": image, "command": SLEEP}],
        )  # fmt: skip
        network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
        ecs.run_task(cluster=CLUSTER, taskDefinition="app", launchType="FARGATE", networkConfiguration=network)
        eventually(lambda: self.tasks("RUNNING"), f"a task of {self.name}")

    def tasks(self, status: str) -> list[str]:
        arns = self.aws("ecs").list_tasks(cluster=CLUSTER)["taskArns"]
        described = self.aws("ecs").describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return [each["taskArn"] for each in described if each["lastStatus"] == status]

    @property
    def url(self) -> str:
        found = self.aws("elbv2").describe_load_balancers()["LoadBalancers"]
        assert len(found) == 1
        return f"http://{found[0]['DNSName']}/"

    def everything(self) -> object:
        """What it runs and answers, as far as another cloud could disturb it."""
        return (
            requests.get(self.url, timeout=5).text,
            self.tasks("RUNNING"),
            dockercli.ours(self.places),
            emulator_process.everything(self.places),
            status(self.places)["urls"],
        )


def command(places: Places, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_aws", *arguments], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "LOCAL_RUNTIME": str(places.runtime)},
    )  # fmt: skip


def status(places: Places) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(places, "status", "--json").stdout)
    return found


def start(folder: Path, name: str) -> Side:
    with Progress(io.StringIO()) as progress:
        side = Side(name, cloud.up(Places(root=ROOT, runtime=folder, cache=cache_folder()), progress))
    side.fill()
    return side
