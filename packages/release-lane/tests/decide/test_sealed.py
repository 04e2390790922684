"""Under the lock an update is held to the decision that was reviewed, and where required none goes forward without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.decide.decision import Deploy, Keep, OnDrift, Refuse, Requested, TrafficOnly, decide
from release_lane.record.placement import all_on
from release_lane.record.records import Observed, Recorded
from release_lane.record.seal import bound
from tests.decide.situations import BLUE, GREEN, SERVICE, A, B, observed, recorded

pytestmark = pytest.mark.pure

STANDING, SEEN = recorded(BLUE, A), observed(A, None, BLUE)
ASKED = Requested(service=SERVICE, digest=B.digest, commit=B.commit)
SEALED = bound(Deploy.kind, GREEN, B.id, all_on(BLUE), STANDING)


def decided(asked: Requested, standing: Recorded | None = STANDING, seen: Observed = SEEN) -> Any:
    return decide(standing, seen, asked).decision


def why(decision: Any) -> str:
    assert isinstance(decision, Refuse)
    return f"{decision.error.what} {decision.error.why}"


def test_the_decision_that_was_reviewed_is_carried_out() -> None:
    assert isinstance(decided(replace(ASKED, sealed=SEALED)), Deploy)


@pytest.mark.parametrize(
    ("standing", "seen", "over"),
    [
        (STANDING, observed(A, B, BLUE), {}),
        (recorded(GREEN, A), observed(None, A, GREEN), {}),
        (STANDING, SEEN, {"digest": A.digest}),
        (STANDING, SEEN, {"service": replace(SERVICE, memory=1024)}),
        (None, observed(None, None, None), {}),
    ],
    ids=["the idle colour runs it by now", "another colour is live", "another digest", "other settings", "no record"],
)
def test_any_other_decision_is_refused(standing: Recorded | None, seen: Observed, over: dict[str, Any]) -> None:
    without = decided(replace(ASKED, **over), standing, seen)
    assert isinstance(without, Deploy | TrafficOnly | Keep)
    said = why(decided(replace(ASKED, sealed=SEALED, **over), standing, seen))
    assert said.startswith("This update is no longer the one that was reviewed.")
    assert f"it would now {without.kind}" in said


def test_weights_that_moved_since_void_a_restore() -> None:
    drifted = observed(A, B, {BLUE: 90, GREEN: 10})
    asked = Requested(service=SERVICE, on_drift=OnDrift.RESTORE)
    verdict = decide(STANDING, drifted, asked)
    sealed = bound(verdict.decision.kind, BLUE, A.id, {BLUE: 90, GREEN: 10}, verdict.standing)
    assert not isinstance(decided(replace(asked, sealed=sealed), STANDING, drifted), Refuse)
    further = observed(A, B, {BLUE: 80, GREEN: 20})
    assert isinstance(decided(replace(asked, sealed=sealed), STANDING, further), Refuse)


@pytest.mark.parametrize(
    ("standing", "seen", "over"),
    [(STANDING, SEEN, {}), (STANDING, observed(A, B, BLUE), {}), (None, observed(None, None, None), {})],
    ids=["a deployment", "only traffic", "the first release"],
)
def test_where_a_seal_is_required_nothing_goes_forward_without(
    standing: Recorded | None, seen: Observed, over: dict[str, Any]
) -> None:
    said = why(decided(replace(ASKED, needs_seal=True, **over), standing, seen))
    assert said.startswith("This environment takes a release only with the seal of its review.")


@pytest.mark.parametrize(
    ("standing", "seen", "asked"),
    [
        (STANDING, SEEN, Requested(service=SERVICE)),
        (recorded(BLUE, B, A), SEEN, replace(ASKED, rollback_from=A.digest)),
        (recorded(BLUE, B, A), observed(A, B, BLUE), replace(ASKED, rollback_from=A.digest)),
    ],
    ids=["nothing to do", "a rollback by deployment", "a rollback by traffic alone"],
)
def test_a_rollback_and_an_update_that_keeps_need_none(standing: Recorded, seen: Observed, asked: Requested) -> None:
    assert not isinstance(decided(replace(asked, needs_seal=True), standing, seen), Refuse)
