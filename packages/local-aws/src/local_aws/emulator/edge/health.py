"""What HAProxy says of a server -> target health with AWS's reason codes and sentences. Pure.

A target that has just been registered is `NOLB` ("stopping") in HAProxy: checked, but without traffic. One check that
passes makes it UP, `fall` failed ones make it DOWN, and from there `rise` passed ones are needed: AWS's own rules.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html#target-health-states
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

from local_aws.emulator.elbv2.model import TargetHealth

HEALTHY = TargetHealth("healthy")
REGISTERING = TargetHealth("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = TargetHealth("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
DRAINING = TargetHealth("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
TIMED_OUT = TargetHealth("unhealthy", "Target.Timeout", "Request timed out")
FAILED = TargetHealth("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


EVENT = re.compile(rb"[Ss]erver ([^\s/]+)/")


@dataclass(frozen=True)
class Server:
    """One line of `show stat`."""

    status: str  # UP, "UP 1/2", DOWN, "DOWN 1/3", NOLB, MAINT, DRAIN …
    check: str  # L7OK, L7STS, L4CON, L4TOUT, L7TOUT, INI …
    code: str  # HTTP status of the last check, if any


def backend_of(event: bytes) -> str | None:
    """The backend that a line of HAProxy's log is about, if it is about a server's state or check."""
    found = EVENT.search(event)
    return found[1].decode() if found else None


def servers(stat: str) -> dict[str, Server]:
    """By name, from HAProxy's CSV."""
    rows = csv.DictReader(stat.lstrip("# ").splitlines())
    return {row["svname"]: Server(row["status"], row["check_status"], row["check_code"]) for row in rows}


def of_server(server: Server | None, before: TargetHealth) -> TargetHealth:
    """`before`: as last seen, whose reason stays while an unhealthy target begins to pass checks again."""
    match server.status.split(" ")[0] if server else "MAINT":
        case "UP":
            return HEALTHY
        case "NOLB":
            return CHECKING
        case "DOWN":
            assert server is not None
            return _why_down(server, before)
        case _:
            return REGISTERING


def _why_down(server: Server, before: TargetHealth) -> TargetHealth:
    match server.check.removeprefix("* "):
        case "L7STS":
            said = f"Health checks failed with these codes: [{server.code}]"
            return TargetHealth("unhealthy", "Target.ResponseCodeMismatch", said)
        case "L4TOUT" | "L6TOUT" | "L7TOUT":
            return TIMED_OUT
        case "L7OK" | "L7OKC" | "L4OK" | "L6OK":
            return before if before.state == "unhealthy" else FAILED
        case _:
            return FAILED
