"""The verdict of a watch after an update: calm, breach, no data, or somebody else's business."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.operate.aborting import ProductionRule
from release_lane.operate.watching import Look, NoData, Superseded, Verdict, bake_of, verdict
from release_lane.record.alarms import Alarm
from release_lane.record.journal import Phase
from release_lane.record.names import Access, Names
from release_lane.record.placement import all_on
from release_lane.watch.judge import Breach, Calm, Datapoint, Health, Signals, Waiting
from tests.decide.situations import BLUE, GREEN, A, B, C, journal, recorded

pytestmark = pytest.mark.pure

BEGAN = 6000.0
RELEASED = BEGAN - 600
RECORD = recorded(GREEN, A, B)
NAMES = Names.of_stack("lane", "staging", access=Access(region="r", account="1"))
WELL = {BLUE: Health(wanted=2, healthy=2), GREEN: Health(wanted=2, healthy=2)}
RULE = ProductionRule(weights=all_on(GREEN), journal=journal((BLUE, A), (GREEN, B), Phase.MOVED))
LOOK = Look(rule=RULE, health=WELL)
TIMING: dict[str, Any] = {"period": 60, "datapoints": 1, "lateness": 120}
BAKE = bake_of(GREEN, (), seconds=600, released=RELEASED, **TIMING)
TRAFFIC = {GREEN: tuple(Datapoint(at=BEGAN + 60 * minute, requests=100, errors=0, p95=0.1) for minute in range(10))}


def signals(after: float, **over: Any) -> Signals:
    plain = Signals(now=BEGAN + after, step_began=BEGAN, health=WELL, traffic=TRAFFIC)
    return replace(plain, **over)


def seen(after: float, look: Look = LOOK, **over: Any) -> Verdict:
    return verdict(look, signals(after, **over), BAKE, RECORD)


def test_to_the_end_without_a_breach_is_calm() -> None:
    assert isinstance(seen(599), Waiting)
    assert seen(600) == Calm()


def test_a_failing_signal_counts_at_once() -> None:
    found = seen(5, health={**WELL, GREEN: Health(wanted=2, healthy=0)})
    assert found == Breach("green has no healthy target")


def test_an_alarm_that_fires_since_the_release_counts_at_the_first_look() -> None:
    firing = Alarm(name="orders-low", firing=True, since=RELEASED + 60)
    bake = bake_of(GREEN, [firing], seconds=600, released=RELEASED, **TIMING)
    assert isinstance(verdict(LOOK, signals(0, alarms=(firing,)), bake, RECORD), Breach)


def test_an_alarm_that_was_firing_before_the_release_counts_only_if_it_fires_again() -> None:
    firing = Alarm(name="orders-low", firing=True, since=RELEASED - 60)
    bake = bake_of(GREEN, [firing], seconds=600, released=RELEASED, **TIMING)
    assert isinstance(verdict(LOOK, signals(5, alarms=(firing,)), bake, RECORD), Waiting)
    again = replace(firing, since=BEGAN + 3)
    assert isinstance(verdict(LOOK, signals(5, alarms=(again,)), bake, RECORD), Breach)


def test_an_alarm_of_the_live_colour_that_never_cleared_counts_after_the_warm_up_window() -> None:
    """Before the release it spoke of tasks that were starting, at most."""
    firing = Alarm(name="green-errors", firing=True, since=RELEASED - 60, colour=GREEN)
    bake = bake_of(GREEN, [firing], seconds=600, released=RELEASED, **TIMING)
    assert isinstance(verdict(LOOK, signals(5, alarms=(firing,)), bake, RECORD), Breach)
    young = bake_of(GREEN, [firing], seconds=600, released=BEGAN, **TIMING)
    assert isinstance(verdict(LOOK, signals(5, alarms=(firing,)), young, RECORD), Waiting)


def test_without_users_there_is_no_verdict_once_late_data_would_have_come() -> None:
    assert isinstance(seen(600, traffic={}), Waiting)
    found = seen(600 + 60 + 120, traffic={})
    assert isinstance(found, NoData)
    assert "are needed to judge it" in found.reason


def test_without_users_a_breach_is_a_breach_all_the_same() -> None:
    assert isinstance(seen(800, traffic={}, health={**WELL, GREEN: Health(wanted=2, healthy=0)}), Breach)


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        (None, "the production rule does not exist"),
        (replace(RULE, weights={BLUE: 10, GREEN: 90}), "the traffic is at blue 10%, green 90%"),
        (replace(RULE, weights=all_on(BLUE)), "the traffic is at blue 100%, green 0%"),
        (replace(RULE, journal=journal((GREEN, B), (BLUE, C), Phase.MOVING)), "a switch is under way"),
        (replace(RULE, journal=journal((BLUE, A), (GREEN, C), Phase.MOVED)), "switched to another release"),
    ],
)
def test_once_users_are_elsewhere_nothing_is_judged_any_more(rule: ProductionRule | None, where: str) -> None:
    found = seen(5, replace(LOOK, rule=rule), health={**WELL, GREEN: Health(wanted=2, healthy=0)})
    assert isinstance(found, Superseded)
    assert where in found.where


@pytest.mark.parametrize("written", [None, journal((GREEN, B), (BLUE, C), Phase.RESTORED)])
def test_a_rule_that_knows_of_no_other_release_is_of_the_recorded_one(written: Any) -> None:
    assert isinstance(seen(5, replace(LOOK, rule=replace(RULE, journal=written))), Waiting)


def test_a_deleted_alarm_is_nothing_to_roll_back_from_but_never_calm() -> None:
    gone = {"orders-low": 3}
    assert isinstance(seen(5, unseen=gone), Waiting)
    assert seen(600, unseen=gone) == NoData("the alarm orders-low cannot be watched: deleted, or never made")
    assert isinstance(seen(600, unseen={"orders-low": 1}), Waiting)
    assert isinstance(seen(5, unseen=gone, health={**WELL, GREEN: Health(wanted=2, healthy=0)}), Breach)
