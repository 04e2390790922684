"""Listeners and target groups for one test or one file, on the run's load balancer; and clients that ask through it."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from botocore.exceptions import ClientError
from tests.contract.aws import Aws
from tests.contract.stage import ACTOR_PORT, Stage

IN_A_ROW = 40
"""Answers in a row that show that a changed rule has spread (a load balancer has several nodes)."""


@dataclass(frozen=True)
class Listener:
    """A listener of the run's load balancer."""

    arn: str
    port: int
    url: str


class Balancing:
    """Makes listeners and target groups, and removes those that it made."""

    def __init__(self, aws: Aws, stage: Stage) -> None:
        self.aws, self.stage = aws, stage
        self.api = aws.client("elbv2")
        self._listeners: list[str] = []
        self._groups: list[str] = []

    def group(self, label: str, *, drain: int = 10, **settings: Any) -> str:
        """ARN of a target group that checks `/health/<label>` every 5 AWS seconds; `label` is short."""
        defaults = {
            "Protocol": "HTTP",
            "Port": 80,
            "TargetType": "ip",
            "HealthCheckPath": f"/health/{label}",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
        }
        wanted = {**defaults, **settings, "VpcId": self.stage.network.vpc, "Tags": self.aws.tags()}
        made = self.api.create_target_group(Name=self.aws.named(label), **wanted)["TargetGroups"][0]
        arn = str(made["TargetGroupArn"])
        self._groups.append(arn)
        attribute = {"Key": "deregistration_delay.timeout_seconds", "Value": str(drain)}
        self.api.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[attribute])
        return arn

    def listener(self, action: Mapping[str, Any], **given: Any) -> Listener:
        """A listener on a port of its own, with this default action; for HTTP unless `given` says otherwise."""
        balancer, port = self.stage.balancer, self.stage.next_port()
        made = self.api.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Port=port,
            DefaultActions=[action],
            Tags=self.aws.tags(),
            **{"Protocol": "HTTP", **given},
        )["Listeners"][0]["ListenerArn"]
        self._listeners.append(made)
        scheme = given.get("Protocol", "HTTP").lower()
        return Listener(arn=made, port=port, url=f"{scheme}://{balancer['DNSName']}:{port}")

    def rule(self, listener: Listener, action: Mapping[str, Any], priority: int = 1, path: str = "/*") -> str:
        """ARN of a rule for a path."""
        condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}
        made = self.api.create_rule(
            ListenerArn=listener.arn, Priority=priority, Conditions=[condition], Actions=[action]
        )
        return str(made["Rules"][0]["RuleArn"])

    def health(self, group: str) -> dict[str, tuple[str, str]]:
        """IP -> (state, reason)."""
        found = self.api.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {
            each["Target"]["Id"]: (each["TargetHealth"]["State"], each["TargetHealth"].get("Reason", ""))
            for each in found
        }

    def states(self, group: str) -> list[str]:
        """The state of each target."""
        return sorted(state for state, _ in self.health(group).values())

    def until(self, group: str, *states: str) -> None:
        """Wait until the targets are in these states."""
        self.aws.eventually(lambda: self.states(group) == sorted(states), f"targets {states}")

    def register(self, group: str, *actors: Actor) -> None:
        """Add actors to a group."""
        targets = [{"Id": actor.ip, "Port": ACTOR_PORT} for actor in actors]
        self.api.register_targets(TargetGroupArn=group, Targets=targets)

    def deregister(self, group: str, *actors: Actor) -> None:
        """Take actors out of a group."""
        targets = [{"Id": actor.ip, "Port": ACTOR_PORT} for actor in actors]
        self.api.deregister_targets(TargetGroupArn=group, Targets=targets)

    def only(self, listener: Listener, *answers: str) -> None:
        """Wait until these and no others answer, many times in a row."""
        self.aws.eventually(lambda: set(ask_often(listener.url, IN_A_ROW)) == set(answers), f"answers of {answers}")

    def close(self) -> None:
        """Remove them; what is still in use is left to `leftovers`."""
        for listener in self._listeners:
            with contextlib.suppress(ClientError):
                self.api.delete_listener(ListenerArn=listener)
        for group in self._groups:
            with contextlib.suppress(ClientError):
                self.api.delete_target_group(TargetGroupArn=group)


@dataclass(frozen=True)
class Actor:
    """A task that follows instructions, by a listener of its own."""

    name: str
    ip: str
    url: str

    def become(self, check: str, status: int, times: int = 0) -> None:
        """The next `times` answers of `/health/<check>` (0: from now on) have this status; counting begins anew."""
        requests.get(f"{self.url}/become/{check}", params={"status": status, "times": times}, timeout=10)

    def checked(self, check: str) -> tuple[int, int]:
        """How often `/health/<check>` was asked since its last instruction, and how often it said no."""
        found = requests.get(f"{self.url}/who", timeout=10).json()
        return found["asked"].get(check, 0), found["refused"].get(check, 0)


def forward(*groups: tuple[str, int]) -> dict[str, Any]:
    """An action that shares requests among groups by weight."""
    shares = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}


def fixed(status: int, text: str = "") -> dict[str, Any]:
    """An action that answers by itself."""
    config = {"StatusCode": str(status), "ContentType": "text/plain", "MessageBody": text}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def word(answer: requests.Response) -> str:
    """Who answered: an actor's name, or the status of what is none."""
    if not answer.ok:
        return str(answer.status_code)
    try:
        return str(answer.json()["name"])
    except (ValueError, KeyError):
        return answer.text


def ask(url: str) -> str:
    """Who answers now."""
    return word(requests.get(url, timeout=10))


def ask_often(url: str, times: int) -> Counter[str]:
    """Who answers how often, over connections that are kept."""
    counted: Counter[str] = Counter()
    with requests.Session() as session:
        for _ in range(times):
            try:
                counted[word(session.get(url, timeout=10))] += 1
            except requests.RequestException as error:
                counted[type(error).__name__] += 1
    return counted
