"""An earlier image with the configuration of now: a release that never ran, deployed like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.choice import goes_back
from release_lane.decide.decision import Decision, Deploy, Refuse, Requested, TrafficOnly, decide
from release_lane.record.contract import PREFIX, Labels
from release_lane.record.evidence import Proof
from release_lane.record.placement import Release
from release_lane.record.records import Observed, Recorded
from tests.decide.situations import (
    BLUE,
    GREEN,
    OTHER_SERVICE,
    SERVICE,
    A,
    B,
    C,
    observed,
    proof,
    recorded,
    release,
)

pytestmark = pytest.mark.pure

RECORD = recorded(GREEN, A, B)
SETTLED = observed(A, B, GREEN)
ASKED = Requested(service=OTHER_SERVICE, digest=A.digest, redeploy_from=B.digest)
TODAY = release("a", OTHER_SERVICE)


def decision(record: Recorded, cloud: Observed, request: Requested, *evidence: Proof) -> Decision:
    return decide(record, cloud, request, evidence).decision


def refusal(found: Decision) -> str:
    assert isinstance(found, Refuse), found
    return str(found.error)


def test_it_is_deployed_although_the_idle_colour_holds_the_complete_release() -> None:
    found = decision(RECORD, SETTLED, ASKED)
    assert isinstance(found, Deploy)
    assert (found.target, found.release, found.rollback) == (BLUE, TODAY, False)
    assert "an earlier image with the configuration of now (env.LOG_LEVEL)" in found.reason


def test_it_is_no_way_back_so_it_moves_in_steps_and_alarms_stop_it() -> None:
    found = decide(RECORD, SETTLED, ASKED)
    assert not goes_back(found.decision, found.standing)


def test_the_complete_release_is_what_a_rollback_brings_whatever_the_stack_file_says() -> None:
    found = decision(RECORD, SETTLED, replace(ASKED, redeploy_from=None, rollback_from=B.digest))
    assert isinstance(found, TrafficOnly)
    assert found.release == A


def test_where_the_configuration_is_the_one_that_it_had_it_is_the_past_release_and_a_way_back() -> None:
    found = decide(RECORD, SETTLED, replace(ASKED, service=SERVICE))
    assert isinstance(found.decision, TrafficOnly)
    assert (found.decision.release, found.decision.rollback) == (A, True)
    returned = recorded(GREEN, A, B, A)
    again = decide(returned, observed(B, A, GREEN), Requested(service=SERVICE, digest=B.digest, redeploy_from=A.digest))
    assert isinstance(again.decision, TrafficOnly)
    assert not again.decision.rollback, "users were rolled back from it"


def test_where_the_idle_colour_runs_exactly_that_only_traffic_moves_and_no_way_back_is_meant() -> None:
    found = decide(RECORD, observed(TODAY, B, GREEN), ASKED)
    assert isinstance(found.decision, TrafficOnly)
    assert (found.decision.release, found.decision.rollback) == (TODAY, False)


@pytest.mark.parametrize("said", [None, C.digest], ids=["not at all", "of another digest"])
def test_it_has_to_be_asked_for_with_the_digest_that_is_live_now(said: object) -> None:
    words = refusal(decision(RECORD, SETTLED, replace(ASKED, redeploy_from=said)))  # type: ignore[arg-type]
    assert "was live here before, so releasing it is a rollback" in words
    key = "redeployFrom" if said else "rollbackFrom"
    assert f"give {key}={B.digest} as well" in words


def test_it_needs_no_proof_elsewhere_since_it_was_live_here_but_no_new_image_gets_in_by_it() -> None:
    held = replace(ASKED, promotes_from="staging")
    assert isinstance(decision(RECORD, SETTLED, held), Deploy)
    assert "never proven" in refusal(decision(RECORD, SETTLED, replace(held, digest=C.digest), proof(A)))


def test_an_image_that_only_the_evidence_remembers_is_one_as_well() -> None:
    forgotten = recorded(GREEN, B, proven=(A, B))
    found = decision(forgotten, observed(None, B, GREEN), ASKED)
    assert isinstance(found, Deploy)
    assert found.release.digest == A.digest
    assert found.release.service == OTHER_SERVICE


def test_it_is_held_to_what_its_image_declares_and_the_registry_must_have_it() -> None:
    declared = Labels(found={f"{PREFIX}env.optional": ""})
    assert "env.LOG_LEVEL" in refusal(decision(RECORD, SETTLED, replace(ASKED, labels=declared)))
    assert "not in the registry" in refusal(decision(RECORD, SETTLED, replace(ASKED, in_registry=False)))


def test_a_later_rollback_brings_each_release_back_as_it_was() -> None:
    record = recorded(BLUE, A, B, TODAY, previous=B)
    cloud = observed(TODAY, B, BLUE)

    def back_to(digest: str) -> Release:
        found = decision(record, cloud, Requested(service=SERVICE, digest=digest, rollback_from=A.digest))  # type: ignore[arg-type]
        assert isinstance(found, TrafficOnly)
        return found.release

    assert back_to(B.digest) == B
