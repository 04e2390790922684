"""`release probe`: which URL it asks, what it counts as a failure, and what it writes."""

from __future__ import annotations

import pytest
from release_lane.command.adapters.engine import FakeEngine
from release_lane.command.adapters.prober import FakeProber
from release_lane.engine.state import StackState
from release_lane.record.asking import Identify
from tests.command.words import GREEN, A, Stage, release, state, states

pytestmark = pytest.mark.cli

URL = "http://127.0.0.1:8080/api/v1/status"


def stage(failed: int = 0) -> Stage:
    return Stage(engine=FakeEngine(states=states()), prober=FakeProber(failed=failed))


def test_a_url_is_asked_as_it_is() -> None:
    on = stage()
    assert on.run("probe", URL, "--rate", "50", "--for", "1m30s") == 0
    ((settings, seconds),) = on.prober.asked
    assert (settings.url, settings.rate, seconds) == (URL, 50, 90)
    assert "4500 ok, 0 failed" in on.out


def test_an_environment_is_asked_at_its_recorded_address() -> None:
    on = stage()
    assert on.run("probe", "staging", "--for", "2") == 0
    assert on.prober.asked[0][0].url == "http://127.0.10.1/api/v1/status"


def test_an_environments_answers_have_to_say_what_its_release_says() -> None:
    on = stage()
    on.run("probe", "staging", "--for", "2")
    settings = on.prober.asked[0][0]
    assert (settings.identify, settings.well) == ("status", True)
    on.run("probe", "staging", "--path", "/health", "--for", "2")
    assert (on.prober.asked[1][0].identify, on.prober.asked[1][0].well) == ("", False), "only its status says it"
    on.run("probe", URL, "--identify", "header", "--for", "2")
    assert on.prober.asked[2][0].identify == "header"


@pytest.mark.parametrize(("identify", "path"), [(Identify.HEADER, "/other"), (Identify.NONE, "/other")])
def test_a_release_without_a_status_is_asked_for_its_health(identify: Identify, path: str) -> None:
    foreign = release("b", health_path="/healthz", status_path="", identify=identify)
    on = stage()
    on.engine.states["staging"] = state(GREEN, A, foreign)
    assert on.run("probe", "staging", "--for", "2", "--json") == 0
    settings = on.prober.asked[0][0]
    assert (settings.url, settings.identify, settings.well) == ("http://127.0.10.1/healthz", identify, False)
    assert on.data["unchecked"] == list(foreign.service.asked.unchecked)
    on.run("probe", "staging", "--path", path, "--for", "2")
    assert on.prober.asked[1][0].identify == identify, "headers are on every answer"


def test_answers_that_name_no_release_are_reported_and_not_taken_for_whole_ones() -> None:
    on = stage()
    on.prober.unnamed = 90
    assert on.run("probe", URL, "--for", "1") == 0
    assert "not checked: 90 answers named no release, so mixed ones among them were not seen" in on.out


def test_a_probe_that_counted_nothing_has_seen_nothing() -> None:
    on = stage()
    on.prober.unready = "refused"
    assert on.run("probe", URL, "--for", "1", "--wait-ready") == 1
    assert "nothing was counted: refused" in on.out


def test_another_path_may_be_asked_for() -> None:
    on = stage()
    on.run("probe", "staging", "--path", "health", "--for", "2")
    assert on.prober.asked[0][0].url == "http://127.0.10.1/health"


def test_a_url_has_its_path_already_and_no_option_is_ignored() -> None:
    on = stage()
    assert on.run("probe", URL, "--path", "/health", "--for", "2") == 2
    assert "--path needs an environment" in on.err
    assert on.prober.asked == []


def test_a_failed_request_ends_with_1_and_is_counted() -> None:
    on = stage(failed=3)
    assert on.run("probe", URL, "--for", "1", "--json") == 1
    assert (on.data["flawless"], on.data["total"]["failed"]) == (False, 3)
    assert on.data["total"]["reasons"] == {"status 500": 3}


def test_the_report_is_all_that_stdout_gets() -> None:
    on = stage()
    on.run("probe", URL, "--for", "1")
    assert on.out.startswith(f"{URL}: 100 sent at 100/s\n")
    assert on.err == f"Probing {URL} at 100 requests a second.\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("ftp://x/",), "should be a URL"),
        ((URL, "--rate", "0"), "should be above 0"),
        ((URL, "--for", "soon"), "'soon' is not a duration"),
        ((URL, "--for", "0"), "would send no request"),
        (("nowhere",), "nowhere"),
    ],
)
def test_what_cannot_be_meant_ends_with_2(argv: tuple[str, ...], said: str) -> None:
    on = stage()
    assert on.run("probe", *argv) == 2
    assert said in on.err
    assert on.prober.asked == []


def test_an_environment_without_an_address_is_said() -> None:
    on = stage()
    on.engine.states["staging"] = StackState()
    assert on.run("probe", "staging") == 2
    assert "has no address yet" in on.err
