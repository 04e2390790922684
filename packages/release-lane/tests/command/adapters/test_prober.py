"""Probes during a watch, sent for real on loopback."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import pytest
from release_lane.command.adapters.prober import OpenLoop, WatchProbes
from release_lane.probe.sampling import Place, Unheard
from release_lane.record.asking import Asked, Identify
from release_lane.record.endpoint import Endpoint
from release_lane.record.placement import Colour
from release_lane.smoke.checks import Expected
from release_lane.watch.judge import Tally
from tests.probe.probe_server import Server, serving

from tests.patience import PATIENCE

pytestmark = pytest.mark.cli

OTHER = "sha256:" + "b" * 64


def beside(server: Server, asked: Asked | None = None) -> AbstractContextManager[WatchProbes]:
    url = server.url.removesuffix("/api/v1/status")
    known = (Expected(digest=server.digest, asked=asked or Asked()),)
    return OpenLoop().during(Place(name="the live URL", endpoint=Endpoint(url), known=known, colour=Colour.BLUE))


def tally(probes: WatchProbes) -> Tally:
    (found,) = probes.tallies()
    return found


def test_a_place_that_cannot_be_reached_from_here_is_not_counted_until_it_can() -> None:
    with serving() as server:
        server.mode = "close"
        with beside(server) as probes:
            until(lambda: server.requests >= 3)
            assert tally(probes).sent == 0
            unheard = probes.unheard()
            assert unheard is not None
            assert unheard.why.startswith("no answer: ")
            assert not unheard.reached
            server.mode = 200
            until(lambda: tally(probes).sent >= 2)
            assert probes.unheard() is None
            assert tally(probes).failed == 0
            assert sum(sent for sent, _ in probes.own(Colour.BLUE).values()) >= tally(probes).sent
            server.mode = 500
            until(lambda: tally(probes).failed >= 1)


def test_a_release_that_fails_from_the_first_probe_on_is_counted() -> None:
    """Its answers say that it is the one: it can be reached, and is not well."""
    with serving() as server:
        server.mode = 500
        with beside(server) as probes:
            until(lambda: tally(probes).failed >= 2)


def test_answers_that_never_name_a_release_are_not_taken_for_good_ones() -> None:
    with serving() as server:
        server.names = ""
        with beside(server) as probes:
            until(lambda: server.requests >= 3)
            assert tally(probes).sent == 0
            unheard = probes.unheard()
            assert unheard == Unheard("status None (no problems named)", reached=True)


@pytest.mark.parametrize(
    ("asked", "change", "last"),
    [
        (Asked(), {"status": "error"}, "status 'error' (no problems named)"),
        (Asked(), {"names": "header"}, "status None (no problems named)"),
        (Asked(identify=Identify.HEADER), {"names": "status"}, "answered by ? ?, which is not known here"),
        (Asked(identify=Identify.NONE), {"status": "error"}, "status 'error' (no problems named)"),
    ],
    ids=["unwell", "plain text", "no headers", "unwell and nameless"],
)
def test_an_answer_that_stops_saying_what_is_asked_is_a_failure(
    asked: Asked, change: dict[str, str], last: str
) -> None:
    with serving() as server, beside(server, asked) as probes:
        until(lambda: tally(probes).sent >= 2)
        assert tally(probes).failed == 0
        vars(server).update(change)
        until(lambda: tally(probes).failed >= 1)
        assert tally(probes).last == last


@pytest.mark.parametrize(
    ("change", "last"),
    [({"body_colour": "green"}, "headers and body"), ({"digest": OTHER}, f"answered by blue {OTHER}")],
    ids=["mixed", "another image"],
)
def test_what_users_must_not_get_has_failed(change: dict[str, str], last: str) -> None:
    with serving() as server, beside(server) as probes:
        until(lambda: tally(probes).sent >= 2)
        vars(server).update(change)
        until(lambda: tally(probes).in_a_row >= 3)
        assert last in tally(probes).last
        vars(server).update(body_colour=None, digest="sha256:aa")
        until(lambda: tally(probes).in_a_row == 0)


def test_a_service_without_status_and_names_is_probed_by_its_health_path_alone() -> None:
    asked = Asked(health_path="/api/v1/status", status_path="", identify=Identify.NONE)
    with serving() as server:
        server.names = ""
        with beside(server, asked) as probes:
            until(lambda: tally(probes).sent >= 2)
            assert tally(probes).failed == 0
            server.mode = 503
            until(lambda: tally(probes).failed >= 1)


def until(look: object) -> None:
    end = time.monotonic() + PATIENCE
    while not look():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
