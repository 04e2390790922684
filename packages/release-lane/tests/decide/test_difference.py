"""Releases of one image are told apart by their settings, and no variable's value is ever shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.decision import Deploy, Heal, Requested, decide
from release_lane.decide.difference import release_named, settings_apart
from release_lane.decide.refusals import changed_meanwhile
from release_lane.decide.whereabouts import Drift, locate
from release_lane.record.asking import Identify
from release_lane.record.journal import Phase
from release_lane.record.placement import Release, Service
from release_lane.record.records import Side
from tests.decide.situations import (
    GREEN,
    OTHER_SERVICE,
    SERVICE,
    SICK,
    A,
    B,
    C,
    journal,
    observed,
    recorded,
    release,
    side,
)

pytestmark = pytest.mark.pure

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("found", "meant", "shown"),
    [
        (Service(), Service(), ""),
        (Service(env={"LOG_LEVEL": SECRET}), Service(), "env.LOG_LEVEL"),
        (Service(), Service(env={"LOG_LEVEL": SECRET}), "env.LOG_LEVEL"),
        (Service(env={"A": SECRET, "B": "1"}), Service(env={"A": "2", "B": "1"}), "env.A"),
        (Service(secrets={"TOKEN": SECRET}), Service(), "secrets.TOKEN"),
        (Service(cpu=512, port=80), Service(), "service.cpu 512 (not 256), service.port 80 (not 8080)"),
        (
            Service(),
            Service(status_path="", identify=Identify.HEADER),
            "smoke.identify status (not header), service.statusPath /api/v1/status (not none)",
        ),
    ],
    ids=["the same", "added", "removed", "one of two", "a secret", "sizes", "defaults that no record repeats"],
)
def test_settings_are_named_as_in_the_stack_file_and_values_of_variables_never(
    found: Service, meant: Service, shown: str
) -> None:
    assert settings_apart(found, meant) == shown


def test_every_setting_of_a_service_can_be_named() -> None:
    """One that is added later is also named."""
    for key, value in Service().as_dict().items():
        other = {"X": "y"} if isinstance(value, dict) else type(value)(f"{value}1")
        assert key in settings_apart(Service.from_dict({**Service().as_dict(), key: other}), Service())


def test_another_image_is_named_by_its_digest_alone() -> None:
    assert release_named(replace(A, service=OTHER_SERVICE), B) == A.digest[:19]
    assert release_named(replace(B, service=OTHER_SERVICE), B) == f"{B.digest[:19]} with other settings: env.LOG_LEVEL"


# ---- In every message that compares two releases ------------------------------------------------------------

RECORD = recorded(GREEN, A, B)
A_OTHERWISE, B_OTHERWISE = (replace(each, service=OTHER_SERVICE) for each in (A, B))


@pytest.mark.parametrize(
    ("idle", "reason"),
    [
        (A_OTHERWISE, f"blue runs the image of the previous release {A.digest[:19]}, but with other settings: "
                      "env.LOG_LEVEL"),
        (side(A, **SICK), f"blue runs the previous release {A.digest[:19]}, but only 1 of 2 wanted tasks are healthy"),
        (side(A, release=None), f"blue runs the image of the previous release {A.digest[:19]}, but from a task "
                                "definition that this program did not write"),
        (C, f"blue runs {C.digest[:19]}; it should run the previous release {A.digest[:19]}"),
        (side(C, digest="several"), f"blue runs several images; it should run the previous release {A.digest[:19]}"),
        (None, f"blue is not fully healthy; it should run the previous release {A.digest[:19]}"),
    ],
    ids=["configuration", "sick", "not ours", "another image", "in a rollout", "empty"],
)  # fmt: skip
def test_why_the_idle_colour_is_healed_names_what_is_other_about_it(idle: Release | Side | None, reason: str) -> None:
    healed = decide(RECORD, observed(idle, B, GREEN), Requested(service=SERVICE)).decision
    assert isinstance(healed, Heal)
    assert healed.reason == reason


def test_drift_of_the_settings_of_live_tasks_names_them() -> None:
    found = locate(RECORD, observed(A, side(B_OTHERWISE), GREEN))
    assert isinstance(found, Drift)
    name = B.digest[:19]
    assert found.what == f"green runs {name} with other settings: env.LOG_LEVEL, recorded is {name}"


def test_a_colour_that_was_changed_meanwhile_is_reported_with_what_it_runs() -> None:
    end = journal(None, (GREEN, B), Phase.MOVED).to
    for found, words in (
        (C, f"but runs {C.digest[:19]}."),
        (B_OTHERWISE, f"but runs it with other settings (release {B_OTHERWISE.id}, not {B.id})."),
        (None, "but runs a task definition that this program did not write."),
    ):
        assert changed_meanwhile(end, found, recorded=True).what.endswith(words)


def test_a_release_of_changed_settings_alone_says_which() -> None:
    wanted = Requested(service=OTHER_SERVICE, digest=B.digest)
    deploys = decide(RECORD, observed(A, B, GREEN), wanted).decision
    assert isinstance(deploys, Deploy)
    assert deploys.reason == "same image, new configuration (env.LOG_LEVEL)"
    assert release("b", OTHER_SERVICE) == deploys.release
