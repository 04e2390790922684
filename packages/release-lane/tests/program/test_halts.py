"""What the ledger says against a release, as the program asks for it: before it decides, and only where it matters."""

from __future__ import annotations

import pytest
from release_lane.errors import CloudError, Refused
from release_lane.record.halts import Halts
from release_lane.record.ledger import Draft, EntryKind
from tests.program.mocks import FIRST, SECOND, World, run
from tests.program.test_intent import DEPLOY, LEDGER, world

pytestmark = pytest.mark.program

SAID = Draft(id="1", kind=EntryKind.STOPPED, at="2026-12-25T11:00:00Z", environment="staging", reason="orders are lost")
ENTRY = SAID.after(None, "")


def test_a_digest_and_the_line_are_asked_about_where_the_stack_file_names_a_ledger() -> None:
    (asked,) = run(world(), DEPLOY).halts_asked
    assert (asked["ledger"], asked["environment"], asked["digest"]) == ("s3://shop-releases", "staging", SECOND)


EXCUSED = {**DEPLOY, "release-lane:withoutLedger": "it is down"}


@pytest.mark.parametrize("config", [LEDGER, {"release-lane:imageDigest": SECOND}])
def test_without_a_digest_or_a_ledger_nothing_is_asked(config: dict[str, str]) -> None:
    assert run(world(unread=True), config).halts_asked == []


@pytest.mark.parametrize(
    ("halts", "said"),
    [
        (Halts(stopped=ENTRY), "The line of staging is stopped"),
        (Halts(quarantined=ENTRY), "is in quarantine: no environment releases it"),
    ],
    ids=["a stopped line", "quarantine"],
)
def test_what_is_said_against_a_release_refuses_it_before_anything_is_registered(halts: Halts, said: str) -> None:
    there = world(halts=halts)
    with pytest.raises(Refused) as refused:
        run(there, DEPLOY)
    assert said in refused.value.what
    assert "orders are lost" in refused.value.why
    assert not there.registered
    ((what, _),) = there.ledger
    assert what == "refuse"


def test_a_reason_to_begin_without_the_ledger_is_no_way_past_what_it_says() -> None:
    there = world(halts=Halts(stopped=ENTRY))
    with pytest.raises(Refused, match="The line of staging is stopped"):
        run(there, EXCUSED)
    assert not there.registered


def test_with_a_reason_a_ledger_that_does_not_answer_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    there = run(world(unread=True, away=True), EXCUSED)
    assert there.one("TrafficSwitch").inputs["decision"] == "deploy"
    assert "Whether the line is stopped, or the image in quarantine, is not known" in caplog.text


def test_what_is_live_is_kept_in_a_stopped_line_and_in_quarantine() -> None:
    there: World = world(halts=Halts(stopped=ENTRY, quarantined=ENTRY))
    run(there, {**LEDGER, "release-lane:imageDigest": FIRST})
    assert there.one("TrafficSwitch").inputs["decision"] == "keep"


def test_a_ledger_that_does_not_answer_is_not_taken_for_a_silent_one() -> None:
    there = world(unread=True)
    with pytest.raises(CloudError, match=r"cannot be read\. Nothing was changed\.") as away:
        run(there, DEPLOY)
    assert "--without-ledger REASON" in away.value.next_step
    assert not there.registered
