"""Which ends of which verbs are reported to people, and that this never decides about a release."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.notify import FakeNotifier
from release_lane.engine.locks import Origin
from release_lane.settings.notify import Event
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    Stage,
    becomes,
    failed,
    log,
    plan,
    ran,
    refused_by_gate,
    said,
    state,
    states,
    urn,
)

pytestmark = pytest.mark.cli

TOPIC = {"topic": "arn:aws:sns:us-east-1:123456789012:releases"}
HEALED = ran(*plan("heal", BLUE, A, target=GREEN, starts=True))
PROMOTED = becomes("production", state(GREEN, A, B, idle=A), ran(*plan("deploy", GREEN, B, target=GREEN)))
BACK = becomes("staging", state(BLUE, A, B, A, idle=B), ran(*plan("traffic-only", BLUE, A, target=BLUE)))


def stage(*runs: Any, notify: dict[str, Any] | None = TOPIC, **over: Any) -> Stage:
    origin = Origin(who="ann", run="https://ci.example/7")
    return Stage(engine=FakeEngine(states=states(), runs=list(runs)), notify=notify, origin=origin, **over)


def test_a_refusal_is_sent_with_what_who_and_where() -> None:
    on = stage(refused_by_gate(), HEALED)
    assert on.run("promote", "production", "--yes") == 1
    (notice,) = on.notifier.sent
    assert (notice.event, notice.environment, notice.digest) == (Event.REFUSED, "production", B.digest)
    assert notice.sentence == "The rollout gate refused green: it exits."
    assert notice.origin == Origin(who="ann", run="https://ci.example/7")


def test_a_rollback_that_somebody_else_had_done_already_is_not_sent_again() -> None:
    """Two of them waited for the same lock."""
    done = becomes("staging", state(BLUE, A, B, A, idle=B), ran(*plan("keep", BLUE, A, target=None)))
    on = stage(done)
    assert on.run("rollback", "staging") == 0
    assert on.notifier.sent == []


def test_traffic_that_was_rolled_back_are_reported_as_a_breach() -> None:
    switch = urn("release:index:TrafficSwitch", "traffic-switch")
    text = (
        "Users were on green for a moment, and were back where they were before: smoke failed\nKind: CheckFailed"
        "\nUsers: restored"
    )
    on = stage(failed(said(text, about=switch)), HEALED)
    assert on.run("promote", "production", "--yes") == 1
    assert [notice.event for notice in on.notifier.sent] == [Event.BREACH]


def test_a_rollback_is_sent() -> None:
    on = stage(BACK)
    assert on.run("rollback", "staging") == 0
    (notice,) = on.notifier.sent
    assert (notice.event, notice.digest) == (Event.ROLLBACK, A.digest)


def test_a_release_that_went_well_sends_no_notification() -> None:
    on = stage(PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert on.notifier.sent == []


def test_a_lock_an_interrupt_or_a_no_at_the_question_sends_no_notification() -> None:
    locked = Run(exit_code=255, log=log(), stderr="error: the stack is currently locked by 1 lock(s).")
    assert stage(locked).run("promote", "production", "--yes") == 4
    for on in (stage(locked), stage(answer="n")):
        on.run("promote", "production", *(["--yes"] if on.answer is None else []))
        assert on.notifier.sent == []


def test_only_requested_events_are_sent() -> None:
    on = stage(refused_by_gate(), HEALED, notify={**TOPIC, "events": ["rollback"]})
    assert on.run("promote", "production", "--yes") == 1
    assert on.notifier.sent == []


def test_a_message_that_could_not_be_sent_is_said_and_changes_nothing() -> None:
    on = stage(BACK, notifier=FakeNotifier(problems=("the topic could not be reached: AuthorizationError",)))
    assert on.run("rollback", "staging", "--json") == 0
    assert on.data["decision"] == "traffic-only"
    assert "A notification (rollback) was not delivered: the topic could not be reached: AuthorizationError." in on.err


def test_a_notify_that_is_wrong_is_said_and_changes_nothing() -> None:
    on = stage(BACK, notify={"topic": "releases"})
    assert on.run("rollback", "staging") == 0
    assert "No notification was sent: The stack's settings are wrong (Pulumi.staging.yaml):" in on.err
    assert on.notifier.sent == []


def test_without_notify_nothing_is_sent() -> None:
    on = stage(BACK, notify=None)
    assert on.run("rollback", "staging") == 0
    assert on.notifier.sent == []
