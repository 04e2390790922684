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
from release_lane.decide.shift import Shift, course
from release_lane.errors import Refused
from release_lane.record.alarms import Alarm
from release_lane.record.halts import Halts
from release_lane.record.journal import Phase
from release_lane.record.ledger import Draft, Entry, EntryKind
from release_lane.record.placement import Release
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
AGAIN = replace(NOTHING, digest=B.digest)
ROLLBACK = replace(NOTHING, digest=A.digest, rollback_from=B.digest)


def said(kind: EntryKind, environment: str, reason: str) -> Entry:
    draft = Draft(id="1", kind=kind, at="2026-12-25T11:00:00Z", environment=environment, who="ada", reason=reason)
    return draft.after(None, "")


QUARANTINE = said(EntryKind.QUARANTINE, "staging", "it charges twice")
STOPPED = said(EntryKind.STOPPED, "production", "the ledger of orders is being moved")


def frozen(request: Requested) -> Requested:
    return replace(request, freeze=Freeze(zone="Europe/Berlin", windows=(CHRISTMAS,)), now=NOW)


def decision(record: Recorded | None, cloud: Observed, request: Requested) -> Decision:
    return decide(record, cloud, request).decision


RETURNED = recorded(GREEN, A, B, A)
"""Users were rolled back from B to A."""

FORWARD = {
    "going forward again after a rollback": (RETURNED, observed(B, A, GREEN), replace(AGAIN, forward_from=A.digest)),
    "the same, asked for as a rollback": (RETURNED, observed(B, A, GREEN), replace(AGAIN, rollback_from=A.digest)),
    "the same, where the idle colour runs something else": (
        RETURNED,
        observed(C, A, GREEN),
        replace(AGAIN, forward_from=A.digest),
    ),
    "an earlier image with the configuration of now": (
        RECORD,
        SETTLED,
        replace(NOTHING, digest=A.digest, redeploy_from=B.digest, service=OTHER_SERVICE),
    ),
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
    assert "`--through-freeze REASON`" in refused.error.next_step


def test_the_end_of_a_window_is_said_once_where_the_clock_is_utc() -> None:
    record, cloud, request_ = next(iter(FORWARD.values()))
    refused = decision(record, cloud, replace(frozen(request_), freeze=Freeze(windows=(CHRISTMAS,))))
    assert isinstance(refused, Refuse)
    assert refused.error.what.endswith("until Sun 2026-12-27 00:00 UTC.")


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


@pytest.mark.parametrize(("record", "cloud", "request_", "kind"), PASSES.values(), ids=PASSES)
def test_ways_back_and_the_end_of_what_began_pass_while_the_line_is_stopped(
    record: Recorded | None, cloud: Observed, request_: Requested, kind: type[Decision]
) -> None:
    passed = decision(record, cloud, replace(request_, halts=Halts(stopped=STOPPED)))
    assert isinstance(passed, kind), passed


@pytest.mark.parametrize(("record", "cloud", "request_"), FORWARD.values(), ids=FORWARD)
def test_nothing_goes_forward_while_the_line_is_stopped_not_even_for_a_reason(
    record: Recorded | None, cloud: Observed, request_: Requested
) -> None:
    refused = decision(record, cloud, replace(request_, halts=Halts(stopped=STOPPED), through_freeze="it is urgent"))
    assert isinstance(refused, Refuse)
    assert refused.error.what == "The line of production is stopped: nothing goes forward there."
    assert "the ledger of orders is being moved (ada, 2026-12-25T11:00:00Z, entry 1" in refused.error.why
    assert "`release resume production" in refused.error.next_step


WAYS_BACK = {
    "one was live before": (RECORD, SETTLED, NEW, True),
    "nothing is live": (None, observed(None, None, None), NEW, False),
    "users were rolled back from all others": (RETURNED, observed(B, A, GREEN), NEW, False),
}


@pytest.mark.parametrize(("record", "cloud", "request_", "offered"), WAYS_BACK.values(), ids=WAYS_BACK)
@pytest.mark.parametrize("halt", ["a stopped line", "a freeze window"])
def test_a_halt_offers_a_rollback_where_there_is_a_release_to_go_back_to(
    record: Recorded | None, cloud: Observed, request_: Requested, offered: bool, halt: str
) -> None:
    halted = frozen(request_) if "freeze" in halt else replace(request_, halts=Halts(stopped=STOPPED))
    refused = decision(record, cloud, halted)
    assert isinstance(refused, Refuse)
    assert ("`release rollback`" in refused.error.next_step) == offered


# ---- quarantine


@pytest.mark.parametrize(
    ("record", "cloud", "request_"),
    [*FORWARD.values(), (RECORD, SETTLED, ROLLBACK), (RECORD, observed(C, B, GREEN), ROLLBACK)],
    ids=[*FORWARD, "a rollback to it", "a rollback to it that starts tasks"],
)
def test_what_is_in_quarantine_is_not_released_and_the_refusal_names_the_fault(
    record: Recorded | None, cloud: Observed, request_: Requested
) -> None:
    refused = decision(record, cloud, replace(request_, halts=Halts(quarantined=QUARANTINE)))
    assert isinstance(refused, Refuse)
    assert "is in quarantine: no environment releases it" in refused.error.what
    assert "fault was found in it in staging: it charges twice (ada, 2026-12-25T11:00:00Z, entry 1" in refused.error.why
    assert f"`release pardon {request_.digest} --reason" in refused.error.next_step


def test_what_a_person_put_into_quarantine_names_no_environment() -> None:
    by_hand = Halts(quarantined=replace(QUARANTINE, environment=""))
    refused = decision(RECORD, SETTLED, replace(NEW, halts=by_hand))
    assert isinstance(refused, Refuse)
    assert refused.error.why.startswith("it charges twice (ada, ")


NOT_RELEASED = {name: case for name, case in PASSES.items() if "rollback" not in name}


@pytest.mark.parametrize(("record", "cloud", "request_", "kind"), NOT_RELEASED.values(), ids=NOT_RELEASED)
def test_what_is_live_in_quarantine_is_kept_healed_restored_and_its_switch_is_finished_or_undone(
    record: Recorded | None, cloud: Observed, request_: Requested, kind: type[Decision]
) -> None:
    """Another environment may have found the fault; a refusal would leave users between two releases."""
    passed = decision(record, cloud, replace(request_, halts=Halts(quarantined=QUARANTINE)))
    assert isinstance(passed, kind), passed


# ---- going forward again


@pytest.mark.parametrize("key", ["forward_from", "rollback_from"])
def test_going_forward_again_after_a_rollback_is_called_that(key: str) -> None:
    again = decision(RETURNED, observed(B, A, GREEN), replace(AGAIN, **{key: A.digest}))
    assert isinstance(again, TrafficOnly)
    assert again.reason == "going forward again from sha256:aaaaaaaaaaaa"


@pytest.mark.parametrize("said", [None, B, C], ids=["nothing", "the target", "another digest"])
def test_it_must_be_asked_for_with_the_digest_that_is_live(said: Release | None) -> None:
    refused = decision(RETURNED, observed(B, A, GREEN), replace(AGAIN, forward_from=said.digest if said else None))
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, Refused)
    assert "releasing it is going forward again" in refused.error.what
    assert "is a rollback" not in refused.error.what
    assert "--again" in refused.error.next_step
    assert f"forwardFrom={A.digest}" in refused.error.next_step


@pytest.mark.parametrize("idle", [B, C], ids=["traffic alone", "a deployment"])
def test_it_moves_in_steps_and_is_watched_like_any_release(idle: Release) -> None:
    cloud, shift = observed(idle, A, GREEN), Shift(steps=(10, 100), bake=60)
    again, asked_as_a_rollback = (
        decision(RETURNED, cloud, replace(AGAIN, **{key: A.digest})) for key in ("forward_from", "rollback_from")
    )
    assert isinstance(again, Deploy | TrafficOnly)
    assert isinstance(asked_as_a_rollback, Deploy | TrafficOnly)
    watched = course(again, RETURNED, cloud, shift)
    assert (watched.steps, watched.bake, watched.goes_back) == ((10, 100), 60, False)
    assert course(asked_as_a_rollback, RETURNED, cloud, shift).goes_back


def test_a_firing_alarm_stops_it_like_any_release() -> None:
    firing = Alarm(name="orders", firing=True, why="late")
    cloud = replace(observed(B, A, GREEN), alarms=(firing,))
    refused = decision(RETURNED, cloud, replace(AGAIN, forward_from=A.digest))
    assert isinstance(refused, Refuse)
    assert "Users are not moved while the alarm orders is firing" in refused.error.what
    assert isinstance(decision(RETURNED, cloud, replace(AGAIN, rollback_from=A.digest)), TrafficOnly)


def test_to_ask_for_it_does_not_ask_for_a_rollback() -> None:
    refused = decision(RECORD, SETTLED, replace(NOTHING, digest=A.digest, forward_from=B.digest))
    assert isinstance(refused, Refuse)
    assert "is a rollback" in refused.error.what


# ---- next steps that work


@pytest.mark.parametrize(
    ("record", "request_", "words"),
    [
        (RECORD, frozen(NEW), "--through-freeze REASON`"),
        (RETURNED, AGAIN, "--again`"),
    ],
)
def test_what_can_be_overridden_leads_to_the_review_of_the_environment_and_then_to_its_seal(
    record: Recorded, request_: Requested, words: str
) -> None:
    cloud = observed(B, A, GREEN) if record is RETURNED else SETTLED
    refused = decision(record, cloud, replace(request_, environment="production"))
    assert isinstance(refused, Refuse)
    assert (
        f"`release review production {words}; once that is approved, `release promote` (or `deploy`) with its seal"
        in (refused.error.next_step)
    )


def test_a_rollback_to_an_image_in_quarantine_is_led_to_another_release_of_the_history() -> None:
    halted = replace(ROLLBACK, halts=Halts(quarantined=QUARANTINE), environment="production")
    refused = decision(RECORD, SETTLED, halted)
    assert isinstance(refused, Refuse)
    assert "`release rollback production --to DIGEST`" in refused.error.next_step
    assert "another image" not in refused.error.next_step
    forward = decision(RECORD, SETTLED, replace(NEW, halts=Halts(quarantined=QUARANTINE), environment="production"))
    assert isinstance(forward, Refuse)
    assert "release another image" in forward.error.next_step
