"""How a service is asked, and what stays unseen where it does not say."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from release_lane.record.asking import Asked, Identify, Named
from release_lane.record.digest import Digest
from release_lane.record.placement import Release, Service
from release_lane.smoke.checks import Expected

pytestmark = pytest.mark.pure

FOREIGN = Asked(health_path="/healthz", status_path="", identify=Identify.NONE)
HEADERS = {"x-release-digest": "sha256:aa", "X-RELEASE-COLOUR": "blue"}
BODY = {"status": "ok", "digest": "sha256:bb", "colour": "green"}


def test_where_there_is_no_status_the_health_path_is_what_is_probed() -> None:
    assert (Asked().path, FOREIGN.path) == ("/api/v1/status", "/healthz")


@pytest.mark.parametrize(
    ("identify", "named"),
    [
        (Identify.STATUS, Named("sha256:bb", "green", mixed=True)),
        (Identify.HEADER, Named("sha256:aa", "blue")),
        (Identify.NONE, Named()),
    ],
)
def test_an_answer_names_its_release_where_it_was_said_to(identify: Identify, named: Named) -> None:
    assert Asked(identify=identify).named(BODY, HEADERS) == named


def test_headers_that_a_status_does_not_need_have_to_agree_with_it() -> None:
    agreeing = {"X-Release-Digest": "sha256:bb", "X-Release-Colour": "green"}
    assert Asked().named(BODY, agreeing) == Asked().named(BODY, {}) == Named("sha256:bb", "green")


def test_what_a_service_does_not_say_is_named() -> None:
    assert Asked().unchecked == ()
    assert [len(replace(FOREIGN, identify=how).unchecked) for how in (Identify.HEADER, Identify.NONE)] == [2, 2]
    assert "200 from /healthz is all that is asked" in FOREIGN.unchecked[0]
    assert "mixed and late answers are not seen" in FOREIGN.unchecked[1]


def test_only_what_is_not_the_default_is_given_to_the_checks() -> None:
    assert Expected().options() == []
    options = ["--health-path", "/healthz", "--status-path", "", "--identify", "none"]
    assert Expected(digest="sha256:aa", asked=FOREIGN).options() == [*options, "--expect-digest", "sha256:aa"]


def test_it_survives_being_handed_on() -> None:
    assert Asked.from_dict(json.loads(json.dumps(FOREIGN.as_dict()))) == FOREIGN
    assert Asked.from_dict({}) == Asked()


def test_a_release_carries_it_so_that_it_goes_back_with_it() -> None:
    service = Service(health_path="/healthz", status_path="", identify=Identify.NONE)
    assert Service.from_dict(json.loads(json.dumps(service.as_dict()))) == service
    assert service.asked == FOREIGN


def test_releases_of_before_keep_their_record_and_their_id() -> None:
    """The journal and the evidence name ids: with others, a running environment would look like drift."""
    assert not {"statusPath", "identify"} & Service().as_dict().keys()
    assert Release(digest=Digest("sha256:" + "a" * 64), service=Service()).id == "eae22a61978c"
    changed = Service(identify=Identify.HEADER)
    assert Release(digest=Digest("sha256:" + "a" * 64), service=changed).id != "eae22a61978c"
