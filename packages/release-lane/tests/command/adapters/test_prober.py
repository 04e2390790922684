"""Probes beside a watch: how sums become a tally, and one real prober on loopback."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

import pytest
from release_lane.command.adapters.prober import Beside, OpenLoop, Unheard, tally_of
from release_lane.probe.tally import Tally as Sums
from release_lane.record.asking import Asked, Identify
from tests.probe.probe_server import Server, serving

from tests.patience import PATIENCE

pytestmark = pytest.mark.cli

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def sums(ok: int = 0, failed: int = 0, under_way: int = 0, mixed: int = 0, others: int = 0) -> Sums:
    made = Sums("start", 0.0)
    made.sent, made.ok, made.mixed = ok + failed + under_way, ok, mixed
    for _ in range(failed):
        made.failed(0.0, "status 500")
    for digest, count in ((DIGEST, ok - others), (OTHER, others)):
        for _ in range(count):
            made.named(0.0, digest, "blue")
    return made


def test_good_answers_of_the_right_image_are_good() -> None:
    found = tally_of("live", sums(ok=9, under_way=1).counts(), DIGEST, None)
    assert (found.sent, found.failed, found.in_a_row, found.last) == (9, 0, 0, "")


@pytest.mark.parametrize(
    ("what", "last"),
    [
        (sums(ok=6, failed=3), "status 500"),
        (sums(ok=9, mixed=3), "headers and body"),
        (sums(ok=9, others=3), f"answered by {OTHER[:19]}"),
    ],
    ids=["failed", "mixed", "another image"],
)
def test_what_users_must_not_get_has_failed(what: Sums, last: str) -> None:
    found = tally_of("live", what.counts(), DIGEST, None)
    assert (found.sent, found.failed) == (9, 3)
    assert last in found.last


def test_failures_are_in_a_row_while_no_look_saw_a_good_one() -> None:
    first = tally_of("live", sums(ok=10).counts(), DIGEST, None)
    second = tally_of("live", sums(ok=10, failed=2).counts(), DIGEST, first)
    third = tally_of("live", sums(ok=10, failed=5).counts(), DIGEST, second)
    fourth = tally_of("live", sums(ok=11, failed=6).counts(), DIGEST, third)
    assert [each.in_a_row for each in (first, second, third, fourth)] == [0, 2, 5, 0]


def test_a_look_that_saw_nothing_new_changes_nothing() -> None:
    before = tally_of("live", sums(failed=2).counts(), DIGEST, None)
    assert tally_of("live", sums(failed=2).counts(), DIGEST, before).in_a_row == 2


def beside(server: Server, asked: Asked | None = None) -> AbstractContextManager[Beside]:
    return OpenLoop().beside(server.url.removesuffix("/api/v1/status"), server.digest, asked or Asked())


def test_a_place_that_cannot_be_reached_from_here_is_not_counted_until_it_can() -> None:
    with serving() as server:
        server.mode = "close"
        with beside(server) as probes:
            until(lambda: server.requests >= 3)
            assert probes.tally().sent == 0
            assert probes.unheard() == Unheard("closed without an answer", reached=False)
            server.mode = 200
            until(lambda: probes.tally().sent >= 2)
            assert probes.unheard() is None
            assert probes.tally().failed == 0
            assert sum(sent for sent, _ in probes.own().values()) >= probes.tally().sent
            server.mode = 500
            until(lambda: probes.tally().failed >= 1)


def test_a_release_that_fails_from_the_first_probe_on_is_counted() -> None:
    """Its answers say that it is the one: it can be reached, and is not well."""
    with serving() as server:
        server.mode = 500
        with beside(server) as probes:
            until(lambda: probes.tally().failed >= 2)


def test_answers_that_never_name_a_release_are_not_taken_for_good_ones() -> None:
    with serving() as server:
        server.names = ""
        with beside(server) as probes:
            until(lambda: server.requests >= 3)
            assert probes.tally().sent == 0
            unheard = probes.unheard()
            assert unheard == Unheard("it does not say `status: ok`", reached=True)


@pytest.mark.parametrize(
    ("asked", "change", "last"),
    [
        (Asked(), {"status": "error"}, "it does not say `status: ok`"),
        (Asked(), {"names": "header"}, "it does not say `status: ok`"),
        (Asked(identify=Identify.HEADER), {"names": "status"}, "its headers do not say which release answered"),
        (Asked(identify=Identify.NONE), {"status": "error"}, "it does not say `status: ok`"),
    ],
    ids=["unwell", "plain text", "no headers", "unwell and nameless"],
)
def test_an_answer_that_stops_saying_what_is_asked_is_a_failure(
    asked: Asked, change: dict[str, str], last: str
) -> None:
    with serving() as server, beside(server, asked) as probes:
        until(lambda: probes.tally().sent >= 2)
        assert probes.tally().failed == 0
        vars(server).update(change)
        until(lambda: probes.tally().failed >= 1)
        assert probes.tally().last == last


def test_a_service_without_status_and_names_is_probed_by_its_health_path_alone() -> None:
    asked = Asked(health_path="/api/v1/status", status_path="", identify=Identify.NONE)
    with serving() as server:
        server.names = ""
        with beside(server, asked) as probes:
            until(lambda: probes.tally().sent >= 2)
            assert probes.tally().failed == 0
            server.mode = 503
            until(lambda: probes.tally().failed >= 1)


def until(look: object) -> None:
    end = time.monotonic() + PATIENCE
    while not look():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
