"""A control plane with a real HAProxy behind it, reached by boto3 over HTTP, and targets on 127.0.0.x. No Docker."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from local_aws.emulator import acm, elbv2
from local_aws.emulator.acm import api as acm_api
from local_aws.emulator.acm.authority import Authority
from local_aws.emulator.cloudwatch import api as cloudwatch_api
from local_aws.emulator.elbv2 import api, neighbours
from local_aws.emulator.elbv2.actions.call import Network
from local_aws.emulator.elbv2.model import Subnet
from local_aws.emulator.elbv2.service import Neighbours
from local_aws.emulator.query import Scope

from tests.patience import PATIENCE

SUBNETS = ["subnet-a", "subnet-b"]


def find_subnets(ids: Sequence[str], _scope: Scope) -> Network:
    zones = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b"}
    return Network(vpc="vpc-1", subnets=tuple(Subnet(one, zones[one]) for one in ids))


def no_logs(_bucket: str, _prefix: str, _scope: Scope) -> None:
    pass


BESIDE = Neighbours(find_subnets=find_subnets, fitness=neighbours.fitness, log_to=no_logs)


class _Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment for an answer: two would wait for a delayed acknowledgement

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        handle = HANDLERS[self.headers["Authorization"].split("/")[3]]
        answer = asyncio.run(handle("POST", self.path, dict(self.headers), body, {}))
        status, headers, content = answer
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


HANDLERS: dict[str, Any] = {
    "elasticloadbalancing": api.handle_request,
    "monitoring": cloudwatch_api.handle_request,
    "acm": acm_api.handle_request,
}


class Target:
    """A tiny HTTP server. `health`: status of /health; `status`: of the rest; `pause`: seconds before /slow answers."""

    def __init__(self, ip: str, port: int = 8080, *, name: str = "") -> None:
        self.ip, self.port, self.name = ip, port, name or ip
        self.health, self.status, self.pause = 200, 200, 1.0
        self.busy = 0  # slow requests under way
        self.asked: list[str] = []  # path and headers of every request
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one segment for an answer: two would wait for a delayed acknowledgement

            def do_GET(self) -> None:
                target.asked.append(f"{self.path} {dict(self.headers)}")
                if self.path.startswith("/slow"):
                    target.busy += 1
                    time.sleep(target.pause)
                    target.busy -= 1
                body = f"{target.name} {self.path} {dict(self.headers)}".encode()
                self.send_response(target.health if self.path == "/health" else target.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 512

        self._server = Server((ip, port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Cloud:
    """boto3's client for it, and shorthands."""

    def __init__(self, folder: Path, scale: float = 0.1) -> None:
        self.folder, self.scale = folder, scale
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Endpoint)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.client: Any = self._client("elbv2")
        self.metrics: Any = self._client("cloudwatch")
        self.acm: Any = self._client("acm")

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self._server.server_port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def start(self) -> None:
        environ = {
            "LOCAL_EMULATOR_STATE": str(self.folder / "emulator"),
            "LOCAL_EDGE_DIR": str(self.folder / "edge"),
            "LOCAL_TIME_SCALE": str(self.scale),
        }
        acm.start(environ)
        elbv2.start(environ, BESIDE)

    def stop(self) -> None:
        elbv2.stop()
        acm.stop()

    def close(self) -> None:
        self.stop()
        self._server.shutdown()
        self._server.server_close()

    def load_balancer(self, name: str = "lb") -> tuple[str, str]:
        """Arn and address."""
        made = self.client.create_load_balancer(Name=name, Subnets=SUBNETS)["LoadBalancers"][0]
        return made["LoadBalancerArn"], made["DNSName"]

    def target_group(self, name: str, delay: int = 10, **given: Any) -> str:
        defaults = {
            "Port": 8080,
            "HealthCheckPath": "/health",
            "HealthCheckIntervalSeconds": 5,
            "HealthCheckTimeoutSeconds": 2,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 2,
        }
        made = self.client.create_target_group(
            Name=name, Protocol="HTTP", TargetType="ip", VpcId="vpc-1", **{**defaults, **given}
        )
        arn: str = made["TargetGroups"][0]["TargetGroupArn"]
        self.client.modify_target_group_attributes(
            TargetGroupArn=arn,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}],
        )
        return arn

    def listener(self, load_balancer: str, port: int, *actions: Any, **given: Any) -> str:
        made = self.client.create_listener(
            LoadBalancerArn=load_balancer,
            Port=port,
            DefaultActions=list(actions) or [fixed(503)],
            **{"Protocol": "HTTP", **given},
        )
        arn: str = made["Listeners"][0]["ListenerArn"]
        return arn

    @property
    def authority(self) -> Path:
        """The folder of this cloud's authority."""
        return self.folder / "emulator/authority"

    def certificate(self, *names: str, again: str = "", algorithm: str = "EC_prime256v1", lasts: float = 3600) -> str:
        """Import one that the authority made, in place of the one `again`; its arn."""
        now = time.time()
        made = Authority.read(self.authority).issue(names, algorithm, now - 60, now + lasts)
        given = {"Certificate": made.certificate, "CertificateChain": made.chain, "PrivateKey": made.key}
        arn = {"CertificateArn": again} if again else {}
        return str(self.acm.import_certificate(**given, **arn)["CertificateArn"])

    def rule(self, listener: str, priority: int, action: Any, *conditions: Any) -> str:
        made = self.client.create_rule(
            ListenerArn=listener,
            Priority=priority,
            Actions=[action],
            Conditions=list(conditions) or [{"Field": "path-pattern", "Values": ["/*"]}],
        )
        arn: str = made["Rules"][0]["RuleArn"]
        return arn

    def register(self, group: str, *targets: Target) -> None:
        self.client.register_targets(
            TargetGroupArn=group, Targets=[{"Id": one.ip, "Port": one.port} for one in targets]
        )

    def deregister(self, group: str, *targets: Target) -> None:
        self.client.deregister_targets(
            TargetGroupArn=group, Targets=[{"Id": one.ip, "Port": one.port} for one in targets]
        )

    def health(self, group: str) -> dict[str, tuple[str, str]]:
        """ip -> (state, reason)."""
        found = self.client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return {
            one["Target"]["Id"]: (one["TargetHealth"]["State"], one["TargetHealth"].get("Reason", "")) for one in found
        }

    def until(self, group: str, **states: str) -> None:
        """Wait until the targets (`_0_21="healthy"` for 127.0.0.21) are in these states."""
        eventually(lambda: {ip: state for ip, (state, _) in self.health(group).items()} == dict(states))

    def until_healthy(self, group: str) -> None:
        eventually(lambda: {state for state, _ in self.health(group).values()} == {"healthy"})


def fixed(status: int, body: str = "") -> Any:
    config = {"StatusCode": str(status), "ContentType": "text/plain", "MessageBody": body}
    return {"Type": "fixed-response", "FixedResponseConfig": config}


def weighted(*groups: tuple[str, int]) -> Any:
    wanted = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": wanted}}


def eventually(holds: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait for a condition; the limit is a safety net, far beyond what it takes."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError("it never became true")
        time.sleep(0.02)


@contextmanager
def running(folder: Path, scale: float = 0.1) -> Iterator[Cloud]:
    cloud = Cloud(folder, scale)
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.close()
