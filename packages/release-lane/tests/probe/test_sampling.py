"""Probes while a release is watched: what they count, and what they call a failure."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from release_lane.probe.sampling import Answer, Place, Probing, asked, counted, judged
from release_lane.record.asking import Asked, Identify
from release_lane.record.digest import Digest
from release_lane.record.endpoint import Endpoint
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.smoke.checks import Expected
from release_lane.watch.judge import Tally
from tests.gates.fake_cloud import FakeCloud, holding, names, site

from tests.patience import PATIENCE

BLUE, GREEN = Colour.BLUE, Colour.GREEN
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
OLD, NEW = Expected(digest=A, colour="blue"), Expected(digest=B, colour="green")
LIVE = Place(name="the live URL", endpoint=Endpoint("http://127.0.0.1:1"), known=(NEW, OLD))
ALONE = Place(name="green's test listener", endpoint=Endpoint("http://127.0.0.1:1"), known=(NEW,), colour=GREEN)


def said(**over: Any) -> dict[str, Any]:
    return {"status": "ok", "digest": B, "colour": "green", **over}


# ---- what an answer tells


@pytest.mark.pure
def test_a_good_answer_of_a_known_release_is_no_problem() -> None:
    assert judged(200, said(), {}, LIVE) == Answer("", 200, GREEN)
    assert judged(200, said(digest=A, colour="blue"), {}, LIVE) == Answer("", 200, BLUE)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (500, {}, "HTTP 500"),
        (503, said(), "HTTP 503"),
        (302, said(), "HTTP 302"),
        (200, said(status="error", problems=["db"]), "status 'error' (['db'])"),
        (200, {}, "status None (no problems named)"),
        (200, said(digest=A), f"answered by green {A}, which is not known here"),
        (200, said(colour="blue"), f"answered by blue {B}, which is not known here"),
        (200, {"status": "ok"}, "answered by ? ?, which is not known here"),
    ],
)
def test_anything_else_is_one(status: int, body: dict[str, Any], problem: str) -> None:
    assert judged(status, body, {}, LIVE).problem == problem


@pytest.mark.pure
def test_the_old_release_is_none_of_the_new_colours_own_place() -> None:
    assert "not known here" in judged(200, said(digest=A, colour="blue"), {}, ALONE).problem


@pytest.mark.pure
def test_an_error_without_a_body_still_says_by_its_header_whose_it_is() -> None:
    """So that it can be taken off what CloudWatch counts as errors of users."""
    assert judged(500, {}, {"X-Release-Colour": "green"}, LIVE).colour is GREEN
    assert judged(500, {}, {"X-Release-Colour": "red"}, LIVE).colour is None


@pytest.mark.pure
def test_headers_of_one_release_on_the_body_of_another_are_one() -> None:
    assert "name different releases" in judged(200, said(), {"X-Release-Digest": A}, LIVE).problem
    assert judged(200, said(), {"X-Release-Digest": B, "X-Release-Colour": "green"}, LIVE).problem == ""


def asks(**how: Any) -> Place:
    return replace(LIVE, known=tuple(replace(each, asked=Asked(**how)) for each in LIVE.known))


@pytest.mark.pure
def test_a_service_that_names_itself_in_headers_is_known_by_them_alone() -> None:
    place = asks(status_path="", health_path="/healthz", identify=Identify.HEADER)
    headers = {"X-Release-Digest": B, "X-Release-Colour": "green"}
    assert judged(200, {}, headers, place) == Answer("", 200, GREEN)
    assert "answered by ? ?" in judged(200, said(), {}, place).problem, "its body is not asked"
    assert "not known here" in judged(200, {}, {**headers, "X-Release-Digest": A}, place).problem


@pytest.mark.pure
def test_a_service_that_names_no_release_is_asked_only_whether_it_is_well() -> None:
    nameless = asks(status_path="", identify=Identify.NONE)
    assert judged(200, {}, {}, nameless) == Answer("", 200, None)
    assert judged(503, {}, {}, nameless).problem == "HTTP 503"
    assert "status 'error'" in judged(200, said(status="error"), {}, asks(identify=Identify.NONE)).problem


@pytest.mark.pure
def test_failures_are_counted_in_all_and_in_a_row() -> None:
    tally = Tally(place="x")
    for problem in ("", "one", "two", "", "three"):
        tally = counted(tally, problem)
    assert tally == Tally(place="x", sent=5, failed=3, in_a_row=1, last="three")


# ---- the thread


@pytest.mark.provider
def test_places_are_asked_in_turn_and_counted_by_who_answered() -> None:
    enough = threading.Event()
    turns: list[str] = []

    def ask(place: Place, within: float) -> Answer:
        del within
        turns.append(place.name)
        if len(turns) >= 5:
            enough.set()
        return Answer("HTTP 500", 500, None) if place is ALONE else Answer("", 200, BLUE)

    probing = Probing([LIVE, ALONE], ask)
    try:
        assert enough.wait(PATIENCE)
    finally:
        probing.stop()
        probing._thread.join()
    assert turns[:4] == [LIVE.name, ALONE.name] * 2
    live, alone = probing.tallies()
    assert (live.failed, alone.failed, alone.last) == (0, alone.sent, "HTTP 500")
    assert live.sent + alone.sent == len(turns)
    green, blue = (list(probing.own(colour).values()) for colour in (GREEN, BLUE))
    assert sum(sent for sent, _ in green) == sum(failed for _, failed in green) == alone.sent
    assert (sum(sent for sent, _ in blue), sum(failed for _, failed in blue)) == (live.sent, 0)
    probing.fresh()
    assert probing.tallies() == (Tally(place=LIVE.name), Tally(place=ALONE.name))
    assert probing.own(GREEN), "CloudWatch still counts those of earlier steps"


@pytest.mark.provider
def test_a_probe_that_was_never_answered_is_not_taken_off_what_cloudwatch_counts() -> None:
    enough = threading.Event()
    probing = Probing([ALONE], lambda *_: enough.set() or Answer("no answer", 0, None))  # type: ignore[func-returns-value]
    try:
        assert enough.wait(PATIENCE)
    finally:
        probing.stop()
        probing._thread.join()
    (tally,) = probing.tallies()
    assert tally.failed == tally.sent > 0
    assert probing.own(GREEN) == {}


def in_a_row(probing: Probing, least: int) -> Tally:
    """The one tally, as soon as so many failed in a row."""
    until = time.monotonic() + PATIENCE
    while (tally := probing.tallies()[0]).in_a_row < least and time.monotonic() < until:
        time.sleep(0.01)
    return tally


@pytest.mark.provider
def test_an_answer_that_never_ends_is_a_failure_and_not_silence() -> None:
    """One byte now and then keeps a request alive for ever: its time-out is for each of them."""
    ends = threading.Event()

    def ask(*_: object) -> Answer:
        return Answer("", 200, GREEN) if ends.wait(PATIENCE) else Answer("", 0, None)

    probing = Probing([ALONE], ask, within=0.02)
    try:
        tally = in_a_row(probing, 3)
        assert tally.failed == tally.sent == tally.in_a_row >= 3
        assert tally.last == "no answer within 0.02 s"
    finally:
        probing.stop()
        ends.set()
        probing._thread.join()
    (late,) = probing.tallies()
    assert (late.sent, late.failed) == (1, 1), "one probe, and it came too late"


@pytest.mark.provider
def test_a_probe_that_cannot_be_sent_is_a_failure_and_ends_nothing() -> None:
    def broken(*_: object) -> Answer:
        raise RuntimeError("no more sockets")

    probing = Probing([ALONE], broken)
    try:
        assert in_a_row(probing, 2).last == "RuntimeError: no more sockets"
    finally:
        probing.stop()
        probing._thread.join()


@pytest.mark.provider
def test_a_real_answer_is_read_and_a_closed_door_is_a_problem() -> None:
    release = Release(digest=Digest(B), service=Service())
    with site(lambda: cloud) as port:
        cloud = FakeCloud(
            names=names(port), sides={GREEN: holding(release, "d")}, releases={GREEN: release}, weights=all_on(GREEN)
        )
        there = Place(name="x", endpoint=Endpoint(f"http://127.0.0.1:{port}"), known=(NEW,))
        assert asked(there) == Answer("", 200, GREEN)
        cloud.weights = None
        assert asked(there).problem == "HTTP 503"
    assert asked(there).problem.startswith("no answer: ")


@pytest.mark.provider
def test_a_place_that_takes_too_long_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = Place(name="x", endpoint=Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}"), known=(NEW,))
        assert asked(there, 0.05) == Answer("no answer within 0.05 s", 0, None)
