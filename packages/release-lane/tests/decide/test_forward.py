"""What may go forward, and what passes in any case: ways back, the end of an interrupted switch, healing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from release_lane.decide.decision import (
    Decision,
    Deploy,
    Finish,
    Heal,
    Keep,
    OnDrift,
    Prepare,
    Refuse,
    Requested,
    TrafficOnly,
    decide,
)
from release_lane.decide.forward import of_one_switch
from release_lane.decide.freeze import Freeze, Window
from release_lane.errors import Refused
from release_lane.record.journal import Phase
from release_lane.record.records import Observed, Recorded
from release_lane.record.times import epoch, minute_of
from tests.decide.situations import (
    BLUE,
    GREEN,
    OTHER_SERVICE,
    SCALED_TO_ZERO,
    SERVICE,
    SICK,
    A,
    B,
    C,
    journal,
    observed,
    recorded,
    side,
)

pytestmark = pytest.mark.pure

RECORD, SETTLED = recorded(GREEN, A, B), observed(A, B, GREEN)
MOVING = journal((GREEN, B), (BLUE, C), Phase.MOVING)
DIVIDED = {BLUE: 50, GREEN: 50}
DRIFTED = observed(A, B, BLUE)


def minute(text: str) -> int:
    found = minute_of(text)
    assert found is not None
    return found


CHRISTMAS = Window(
    begins=minute("2026-12-24"),
    ends=minute("2026-12-27"),
    weekly=False,
    words="2026-12-24 to 2026-12-26",
    reason="rest",
)
NOW = epoch("2026-12-25T12:00:00") or 0.0
NOTHING = Requested(service=SERVICE)
NEW = replace(NOTHING, digest=C.digest)
ROLLBACK = replace(NOTHING, digest=A.digest, rollback_from=B.digest)


def frozen(request: Requested) -> Requested:
    return replace(request, freeze=Freeze(zone="Europe/Berlin", windows=(CHRISTMAS,)), now=NOW)


def decision(record: Recorded | None, cloud: Observed, request: Requested) -> Decision:
    return decide(record, cloud, request).decision


FORWARD = {
    "a new image": (RECORD, SETTLED, NEW),
    "a new image that the idle colour runs": (RECORD, observed(C, B, GREEN), NEW),
    "the first release": (None, observed(None, None, None), NEW),
    "new settings": (RECORD, SETTLED, replace(NOTHING, digest=B.digest, service=OTHER_SERVICE)),
    "another image while a switch is unfinished": (
        RECORD,
        observed(C, B, BLUE, journal((GREEN, B), (BLUE, C), Phase.MOVED)),
        replace(NOTHING, digest="sha256:" + "d" * 64),
    ),
    "an image whose switch was rolled back": (
        RECORD,
        observed(C, B, GREEN, journal((GREEN, B), (BLUE, C), Phase.RESTORED)),
        NEW,
    ),
}


@pytest.mark.parametrize(("record", "cloud", "request_"), FORWARD.values(), ids=FORWARD)
def test_nothing_goes_forward_in_a_freeze_window_and_the_refusal_says_when_it_ends(
    record: Recorded | None, cloud: Observed, request_: Requested
) -> None:
    assert isinstance(decision(record, cloud, request_), Deploy | TrafficOnly)
    refused = decision(record, cloud, frozen(request_))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, Refused)
    assert "until Sun 2026-12-27 00:00 Europe/Berlin (2026-12-26 23:00:00 UTC)" in refused.error.what
    assert "2026-12-24 to 2026-12-26 Europe/Berlin (rest)" in refused.error.why
    assert "--through-freeze REASON" in refused.error.next_step


@pytest.mark.parametrize(("record", "cloud", "request_"), FORWARD.values(), ids=FORWARD)
def test_a_reason_lets_it_through_and_stays_in_the_evidence(
    record: Recorded | None, cloud: Observed, request_: Requested
) -> None:
    plain = decide(record, cloud, request_)
    through = decide(record, cloud, replace(frozen(request_), through_freeze="the certificate expires"))
    assert through.decision == plain.decision
    said = "released in the freeze window 2026-12-24 to 2026-12-26 Europe/Berlin (rest): the certificate expires"
    assert through.unchecked == (*plain.unchecked, said)
    assert of_one_switch(said), "it is true of this switch, and not of the image"


def test_a_reason_is_kept_only_where_it_was_needed() -> None:
    outside = replace(frozen(NEW), now=NOW + 7 * 86_400, through_freeze="just in case")
    assert decide(RECORD, SETTLED, outside) == decide(RECORD, SETTLED, NEW)


PASSES = {
    "nothing to do": (RECORD, SETTLED, NOTHING, Keep),
    "healing": (RECORD, observed(side(A, **SCALED_TO_ZERO), B, GREEN), NOTHING, Heal),
    "building an environment without a release": (None, observed(None, None, None), NOTHING, Prepare),
    "a rollback that moves only traffic": (RECORD, SETTLED, ROLLBACK, TrafficOnly),
    "a rollback that starts tasks": (RECORD, observed(C, B, GREEN), ROLLBACK, Deploy),
    "finishing a switch that had moved the traffic": (RECORD, observed(C, B, BLUE, MOVING), NOTHING, Finish),
    "finishing a switch in the middle": (RECORD, observed(C, B, DIVIDED, MOVING), NEW, TrafficOnly),
    "undoing a switch in the middle": (
        RECORD,
        observed(C, B, DIVIDED, MOVING),
        replace(NOTHING, on_drift=OnDrift.RESTORE),
        TrafficOnly,
    ),
    "undoing a switch whose release is sick": (
        RECORD,
        observed(side(C, **SICK), B, BLUE, MOVING),
        replace(NOTHING, digest=B.digest),
        TrafficOnly,
    ),
    "restoring what was recorded": (RECORD, DRIFTED, replace(NOTHING, on_drift=OnDrift.RESTORE), TrafficOnly),
    "adopting what is live": (RECORD, DRIFTED, replace(NOTHING, on_drift=OnDrift.ADOPT), Finish),
}


@pytest.mark.parametrize(("record", "cloud", "request_", "kind"), PASSES.values(), ids=PASSES)
def test_ways_back_and_the_end_of_what_began_pass_in_a_freeze_window(
    record: Recorded | None, cloud: Observed, request_: Requested, kind: type[Decision]
) -> None:
    passed = decision(record, cloud, frozen(request_))
    assert isinstance(passed, kind), passed
    assert passed == decision(record, cloud, request_)
