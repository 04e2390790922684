"""The switch and the ledger: what was said since the decision stops it, and its own breach means quarantine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from provider_kit import Context
from release_lane.aws import session
from release_lane.errors import CheckFailed, Interrupted, Refused, Users
from release_lane.gates.move import Move
from release_lane.gates.recording import Recording
from release_lane.ledger.halts import halts_in
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.course import Course
from release_lane.record.evidence import Drill
from release_lane.record.halts import Halts, State, of_digest, of_line
from release_lane.record.journal import Abort, Phase
from release_lane.record.ledger import Draft, EntryKind, Mark
from release_lane.record.placement import Colour, all_on
from release_lane.record.records import Recorded
from tests.gates.fake_cloud import holding
from tests.gates.test_recording import INTENDED
from tests.gates.test_stepped import MOVE, TO_B, A, B, Stage

pytestmark = pytest.mark.pure

BLUE, GREEN = Colour.BLUE, Colour.GREEN
BACK = replace(MOVE, course=Course(steps=(100,), home=BLUE, goes_back=True))
AGAIN = replace(BACK, standing=Recorded(live_colour=BLUE, live=A, history=(A, B, A)))
LINE, DIGEST = of_line("production", State.STOPPED), of_digest(B.digest, State.QUARANTINED)


class Ledgered(Stage):
    """A switch whose intent is in a ledger, and whose watch sees errors of green if `errors`."""

    def __init__(self) -> None:
        super().__init__()
        self.objects = Memory()
        self.recording = Recording(store_of=lambda _: in_memory(self.objects))
        self.warned: list[str] = []
        ctx = Context(config={}, cancelled=threading.Event(), log=self._log)
        self.recording.begin(ctx, replace(INTENDED, release=B))

    def _log(self, text: str, urn: str, **more: Any) -> None:
        del urn, more
        self.warned.append(text)

    def say(self, mark: Mark) -> None:
        draft = Draft(id=mark.subject, kind=EntryKind.STOPPED, at="2026-12-25T11:00:00Z", environment="production")
        in_memory(self.objects).append(replace(draft, who="ada", reason="orders are lost", marks=(mark,)))

    def ended(self, error: Any) -> Halts:
        """What the ledger says once the update has ended with this."""
        self.recording.failed(error)
        return halts_in(in_memory(self.objects), "", B.digest)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledgered]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session.forget()
    yield Ledgered()
    session.forget()


@pytest.mark.parametrize("mark", [LINE, DIGEST], ids=["the line", "the digest"])
@pytest.mark.parametrize("move", [MOVE, AGAIN], ids=["a release", "going forward again"])
def test_what_was_said_since_the_decision_stops_a_switch_before_any_traffic_moves(
    stage: Ledgered, mark: Mark, move: Move
) -> None:
    stage.say(mark)
    refused = stage.fails(Refused, move)
    assert "orders are lost (ada, " in refused.why
    assert refused.users is Users.UNTOUCHED
    assert stage.cloud.writes == []


@pytest.mark.parametrize("mark", [LINE, DIGEST], ids=["the line", "the digest"])
def test_a_way_back_and_the_end_of_an_interrupted_switch_go_on(stage: Ledgered, mark: Mark) -> None:
    stage.say(mark)
    stage.perform(BACK)
    assert stage.cloud.weights == all_on(GREEN)
    stage.cloud.weights = {BLUE: 50, GREEN: 50}
    stage.cloud.tags = {**TO_B.as_tags()}
    stage.perform(replace(MOVE, expected={BLUE: 50, GREEN: 50}))
    assert stage.cloud.weights == all_on(GREEN)


def test_a_drill_does_not_begin_once_the_line_is_stopped_but_goes_forward_again(stage: Ledgered) -> None:
    stage.say(LINE)
    stage.fails(Refused, replace(BACK, drill=Drill.BACK))
    stage.perform(replace(AGAIN, drill=Drill.FORWARD))
    assert stage.cloud.weights == all_on(GREEN)


def test_one_that_was_rolled_back_is_no_interrupted_switch(stage: Ledgered) -> None:
    stage.say(LINE)
    stage.cloud.tags = {**replace(TO_B, phase=Phase.RESTORED).as_tags()}
    stage.fails(Refused)


def test_one_that_was_killed_before_it_moved_any_traffic_is_none_either(stage: Ledgered) -> None:
    """Its journal says so, but nothing is left to finish: it goes forward anew."""
    stage.say(LINE)
    stage.cloud.tags = {**TO_B.as_tags()}
    stage.fails(Refused)
    assert stage.cloud.writes == []


def test_a_ledger_that_is_away_by_now_stops_no_switch(stage: Ledgered) -> None:
    stage.objects.away = True
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)
    assert "Whether the line was stopped meanwhile is not known" in stage.warned[-1]


def test_a_breach_puts_the_release_into_quarantine_with_its_outcome(stage: Ledgered) -> None:
    stage.after(150, lambda: stage.senses.firing.update({"green-errors": 2.0}))
    found = stage.ended(stage.fails(CheckFailed)).quarantined
    assert found is not None
    assert "the alarm green-errors is firing" in found.details["fault"]
    assert "timeline" not in found.details["fault"], "the reason alone: every refusal shows it"


def test_an_abort_does_not(stage: Ledgered) -> None:
    stage.after(130, lambda: stage.cloud.tags.update(Abort(B.id, "ann").as_tags()))
    assert stage.ended(stage.fails(Interrupted)) == Halts()


def test_another_deployment_of_the_receiving_service_does_not(stage: Ledgered) -> None:
    stage.after(130, lambda: stage.cloud.sides.update({GREEN: holding(B, "ecs-svc/3", colour_number=2)}))
    failed = stage.fails(CheckFailed)
    assert "its tasks are of another deployment (ecs-svc/3)" in failed.what
    assert stage.ended(failed) == Halts()


def test_another_writer_of_the_weights_does_not(stage: Ledgered) -> None:
    stage.after(130, lambda: stage.cloud.weights.update({BLUE: 70, GREEN: 30}))
    failed = stage.fails(CheckFailed)
    assert "somebody else changed the weights" in failed.what
    assert stage.ended(failed) == Halts()
