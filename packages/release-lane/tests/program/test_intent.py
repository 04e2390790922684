"""What the program has written to the ledger, and when."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest
from release_lane.errors import CloudError, Refused
from release_lane.record.intended import VOID_SEAL, Intended
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour
from tests.program.mocks import ARTIFACTS, FIRST, SECOND, THIRD, World, observed, outputs_of, release, run

pytestmark = pytest.mark.program

BLUE, GREEN = Colour.BLUE, Colour.GREEN
ON_GREEN = release(SECOND)
LEDGER = {"release-lane:ledger": "s3://shop-releases"}
DEPLOY = {**LEDGER, "release-lane:imageDigest": SECOND}


def world(**over: Any) -> World:
    """FIRST is live on blue, SECOND is in the registry."""
    return World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)},
        observed=observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND),
        **over,
    )


def test_the_intent_is_written_before_anything_is_registered() -> None:
    ((what, given),) = run(world(), DEPLOY).ledger
    assert (what, given["before"]) == ("begin", 0)
    intended = Intended.from_dict(given)
    assert (intended.ledger, intended.environment) == ("s3://shop-releases", "staging")
    assert intended.release == release(SECOND)
    assert intended.standing.live == release(FIRST).id
    details = intended.details
    assert (details["decision"], details["to"]["colour"], details["from"]["colour"]) == ("deploy", "green", "blue")


def test_what_stands_is_what_is_recorded_and_not_what_an_interrupted_switch_is_counted_as() -> None:
    """What came of that switch is read from it: it was killed, whatever becomes of this update."""
    first, second = (End(colour, each.digest, each.id) for colour, each in ((BLUE, release(FIRST)), (GREEN, ON_GREEN)))
    seen = observed(blue=release(FIRST), green=ON_GREEN, live=GREEN, image=THIRD)
    seen["rule"]["tags"] = Journal(source=first, to=second, phase=Phase.MOVED).as_tags()
    there = replace(world(), observed=seen)
    ((what, given),) = run(there, {**LEDGER, "release-lane:imageDigest": THIRD}).ledger
    assert what == "begin"
    assert Intended.from_dict(given).standing.live == release(FIRST).id


def test_the_intent_says_which_rules_are_overridden_and_a_refusal_does_as_well() -> None:
    ((_, given),) = run(world(), {**DEPLOY, "release-lane:onAlarm": "proceed"}).ledger
    assert Intended.from_dict(given).details["overrides"] == {"onAlarm": "proceed"}
    there = world()
    with pytest.raises(Refused):
        run(there, {**DEPLOY, "release-lane:promotesFrom": "dev", "release-lane:allowOlder": FIRST})
    ((_, given),) = there.ledger
    assert Intended.from_dict(given).details["overrides"] == {"allowOlder": FIRST}


def test_the_intent_of_a_rollback_by_plain_update_says_that_it_goes_back() -> None:
    there = World(
        outputs={**ARTIFACTS, "staging": outputs_of(release(SECOND), Colour.BLUE, release(FIRST))},
        observed=observed(blue=release(SECOND), live=Colour.BLUE, image=FIRST),
    )
    ((_, given),) = run(
        there, {**LEDGER, "release-lane:imageDigest": FIRST, "release-lane:rollbackFrom": SECOND}
    ).ledger
    assert Intended.from_dict(given).details["goesBack"] is True


def test_without_a_ledger_nothing_is_written() -> None:
    assert run(world(), {"release-lane:imageDigest": SECOND}).ledger == []


def test_an_update_with_nothing_to_do_writes_nothing() -> None:
    assert run(world(), LEDGER).ledger == []


def test_a_preview_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    assert run(world(), DEPLOY).ledger == []


def test_a_decision_that_refuses_is_written() -> None:
    there = world()
    with pytest.raises(Refused) as refused:
        run(there, {**DEPLOY, "release-lane:promotesFrom": "dev"})
    ((what, given),) = there.ledger
    assert what == "refuse"
    assert (given["digest"], given["error"]) == (SECOND, str(refused.value))


def test_a_refusal_for_want_of_a_seal_is_told_apart_from_one_of_the_release() -> None:
    there = world()
    with pytest.raises(Refused, match="only with the seal of its review"):
        run(there, {**DEPLOY, "release-lane:approval": json.dumps({"required": True})})
    ((_, given),) = there.ledger
    assert Intended.from_dict(given).details[VOID_SEAL] is True
    unproven = world()
    with pytest.raises(Refused):
        run(unproven, {**DEPLOY, "release-lane:promotesFrom": "dev"})
    assert VOID_SEAL not in Intended.from_dict(unproven.ledger[0][1]).details


def test_a_ledger_that_is_away_stops_an_update_before_it_registers_anything() -> None:
    there = world(away=True)
    with pytest.raises(CloudError, match=r"cannot be written\. Nothing was changed") as away:
        run(there, DEPLOY)
    assert there.registered == []
    assert "--without-ledger REASON" in away.value.next_step


def test_a_ledger_that_is_away_hides_no_refusal() -> None:
    with pytest.raises(Refused, match="never proven"):
        run(world(away=True), {**DEPLOY, "release-lane:promotesFrom": "dev"})


def test_with_a_reason_an_update_begins_without_the_ledger_and_the_evidence_says_so() -> None:
    there = run(world(away=True), {**DEPLOY, "release-lane:withoutLedger": "users need the fix"})
    assert there.ledger == []
    assert (
        "the ledger does not have this release (users need the fix)" in there.one("TrafficSwitch").inputs["unchecked"]
    )
