"""What HAProxy says of a server, in AWS's words."""

from __future__ import annotations

import pytest
from local_aws.emulator.edge.health import (
    CHECKING,
    DRAINING,
    FAILED,
    HEALTHY,
    REGISTERING,
    TIMED_OUT,
    Server,
    backend_of,
    of_server,
    servers,
)
from local_aws.emulator.elbv2.model import TargetHealth

pytestmark = pytest.mark.pure

MISMATCH = TargetHealth("unhealthy", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")


@pytest.mark.parametrize(
    ("status", "check", "code", "before", "expected"),
    [
        ("MAINT", "", "", CHECKING, REGISTERING),
        ("NOLB", "INI", "", REGISTERING, CHECKING),
        ("NOLB", "L7OK", "200", REGISTERING, CHECKING),  # of the slot's last tenant
        ("NOLB 1/2", "L7STS", "503", CHECKING, CHECKING),
        ("UP", "L7OK", "200", CHECKING, HEALTHY),
        ("UP 1/2", "L7STS", "503", HEALTHY, HEALTHY),  # not yet as many as the threshold
        ("DOWN", "L7STS", "503", HEALTHY, MISMATCH),
        ("DOWN", "* L7STS", "503", HEALTHY, MISMATCH),  # a check is under way
        ("DOWN", "L7TOUT", "", HEALTHY, TIMED_OUT),
        ("DOWN", "L4TOUT", "", HEALTHY, TIMED_OUT),
        ("DOWN", "L4CON", "", HEALTHY, FAILED),
        ("DOWN", "L7RSP", "", HEALTHY, FAILED),
        ("DOWN 1/3", "L7OK", "200", MISMATCH, MISMATCH),  # recovering: the reason stays
        ("DOWN 1/3", "L7OK", "200", HEALTHY, FAILED),
    ],
)
def test_health(status: str, check: str, code: str, before: TargetHealth, expected: TargetHealth) -> None:
    assert of_server(Server(status, check, code), before) == expected


def test_a_server_that_haproxy_does_not_show_is_being_registered() -> None:
    assert of_server(None, HEALTHY) == REGISTERING


def test_reasons_are_awss() -> None:
    known = {
        "Elb.RegistrationInProgress",
        "Elb.InitialHealthChecking",
        "Target.Timeout",
        "Target.FailedHealthChecks",
        "Target.DeregistrationInProgress",
    }
    assert {one.reason for one in (REGISTERING, CHECKING, TIMED_OUT, FAILED, DRAINING)} == known
    assert (HEALTHY.reason, HEALTHY.description) == ("", "")


def test_servers_are_read_from_csv_with_quotes() -> None:
    text = (
        "# pxname,svname,status,check_status,check_code,last_chk\n"
        'b,s1,UP,L7OK,200,"fine, ""thanks"""\n'
        "b,open1,no check,,,\n"
    )
    assert servers(text) == {"s1": Server("UP", "L7OK", "200"), "open1": Server("no check", "", "")}


@pytest.mark.parametrize(
    ("event", "backend"),
    [
        (b"<133>Nov 21 08:15:57 haproxy[1]: Server blue.0a1b/s1 is UP. 1 active and 0 backup servers", "blue.0a1b"),
        (b"<129>Nov 21 08:16:30 haproxy[1]: Server my-app.0a1b/s12 is DOWN. 0 active and 1 backup", "my-app.0a1b"),
        (
            b"<133>Nov 21 08:16:29 haproxy[1]: Health check for server blue.0a1b/s1 failed, reason: Layer7 wrong "
            b'status, code: 500, info: "Internal Server Error", check duration: 1ms, status: 1/2 UP.',
            "blue.0a1b",
        ),
        (b"<128>Nov 21 08:16:30 haproxy[1]: backend blue.0a1b has no server available!", None),
        (b"", None),
    ],
)  # fmt: skip
def test_events_name_their_backend(event: bytes, backend: str | None) -> None:
    assert backend_of(event) == backend
