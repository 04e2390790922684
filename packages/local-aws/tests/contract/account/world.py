"""AWS, Docker, the terminal and the suite: what the command needs of the world, and the real one."""

from __future__ import annotations

import datetime
import ipaddress
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from release_lane.errors import CloudError
from tests.contract import leftovers as removal
from tests.contract.account.refusing import Identity
from tests.contract.aws import RUN, Aws, Where
from tests.contract.contracts import ELSEWHERE, ROOT
from tests.contract.images import forget
from tests.contract.leftovers import Left

SERVICES = (
    "sts",
    "ec2",
    "ecs",
    "elbv2",
    "ecr",
    "iam",
    "logs",
    "ssm",
    "secretsmanager",
    "s3",
    "sns",
    "sqs",
    "cloudwatch",
    "cloudtrail",
    "application-autoscaling",
    "acm",
    "route53",
    "rds",
    "elasticache",
)
CLEAN_UP_PATIENCE = 1800.0
"""Seconds; on AWS a load balancer's addresses are given back after minutes."""


class World(Protocol):
    """What the command asks and does. What reaches AWS raises CloudError where it does not answer."""

    def endpoints(self, region: str) -> Mapping[str, str]:
        """Where each service would be asked."""
        ...

    def identity(self, region: str) -> Identity:
        """Whose credentials these are."""
        ...

    def docker(self) -> str:
        """Why Docker cannot be used; "" if it can."""
        ...

    def address(self) -> str:
        """From where AWS sees this machine come; "" if that cannot be known."""
        ...

    def answer(self, question: str) -> str | None:
        """What the person types; None without a terminal."""
        ...

    def suite(self, where: Where, only: str, junit: Path) -> None:
        """Run the suite to its end, however it ends. KeyboardInterrupt if it was interrupted; it has ended then."""
        ...

    def leftovers(self, where: Where, mark: str) -> list[Left]:
        """What is left of one run, or (mark "") of any."""
        ...

    def remove(self, where: Where, mark: str, say: Callable[[str], None]) -> list[Left]:
        """Remove what a run left; what could not be removed."""
        ...


class RealWorld:
    """The real one."""

    def endpoints(self, region: str) -> Mapping[str, str]:
        """As botocore resolves them for this shell."""
        return {service: str(self._client(service, region).meta.endpoint_url) for service in SERVICES}

    def _client(self, service: str, region: str) -> Any:
        return boto3.client(service, region_name=region)  # type: ignore[call-overload]

    def identity(self, region: str) -> Identity:
        """GetCallerIdentity."""
        try:
            found = self._client("sts", region).get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise CloudError(
                "AWS does not say whose credentials these are.",
                why=str(error),
                next_step="check them with: aws sts get-caller-identity",
            ) from error
        return Identity(found["Account"], found["Arn"], seconds_left())

    def docker(self) -> str:
        """`docker version` also asks the daemon."""
        try:
            done = subprocess.run(["docker", "version"], capture_output=True, text=True)
        except FileNotFoundError:
            return "there is no docker on this machine (./bootstrap)"
        return done.stderr.strip() if done.returncode else ""

    def address(self) -> str:
        """AWS's own mirror says."""
        try:
            with urllib.request.urlopen("https://checkip.amazonaws.com", timeout=10) as answer:
                return str(ipaddress.IPv4Address(answer.read().decode().strip()))
        except (OSError, ValueError):
            return ""

    def answer(self, question: str) -> str | None:
        """Asked on a terminal only."""
        return input(question) if sys.stdin.isatty() else None

    def suite(self, where: Where, only: str, junit: Path) -> None:
        """pytest, with the environment variable that makes the fixtures take this account."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "-m",
            "cloud",
            "-p",
            "no:cacheprovider",
            "packages/local-aws/tests/contract",
            *map(str, ELSEWHERE),
        ]
        command += [
            "--ignore=packages/local-aws/tests/contract/account",
            f"--junitxml={junit}",
            *(["-k", only] if only else []),
        ]
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, RUN: where.as_text()})
        try:
            child.wait()
        except KeyboardInterrupt:
            # A terminal's Ctrl-C reached it as well; a signal to this process alone did not.
            child.terminate()
            child.wait()
            raise

    def leftovers(self, where: Where, mark: str) -> list[Left]:
        """Asked of AWS now."""
        return removal.leftovers(Aws(where), mark)

    def remove(self, where: Where, mark: str, say: Callable[[str], None]) -> list[Left]:
        """In the order in which AWS lets things go; on this machine, the run's images."""
        left = removal.remove(Aws(where), mark, say, CLEAN_UP_PATIENCE)
        forget(mark)
        return left


def seconds_left() -> float | None:
    """Until the shell's credentials end; None if they do not."""
    expiry = getattr(boto3.session.Session().get_credentials(), "_expiry_time", None)
    return (expiry - datetime.datetime.now(expiry.tzinfo)).total_seconds() if expiry else None
