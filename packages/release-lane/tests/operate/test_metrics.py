"""Each figure of the release metrics, counted from a ledger that is made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.operate.history import rollbacks_in
from release_lane.operate.metrics import WEEK, Metrics, Share, Spread, measured
from release_lane.record.ledger import EntryKind, Result
from tests.operate.ledgers import DAY, HOUR, START, Chronicle, at

pytestmark = pytest.mark.pure


def counted(ledger: Chronicle, *, environment: str = "production", days: float = 28, **committed: float) -> Metrics:
    """Until so many days after START; `committed`: seconds after START of the commit of a letter."""
    times = {letter * 40: START + second for letter, second in committed.items()}
    return measured(ledger.entries, environment, since=START, until=START + days * DAY, committed=times)


@pytest.fixture
def ledger() -> Chronicle:
    """Its first entry is of START, so the period begins there."""
    ledger = Chronicle()
    ledger.add(EntryKind.OTHER, 0)
    return ledger


# ---- Deployments and lead time


def test_a_deployment_is_a_release_that_went_live_in_this_environment(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b")
    ledger.released(2 * DAY, "b", environment="staging")
    found = counted(ledger)
    assert (found.deployments, found.a_week) == (2, 0.5)


@pytest.mark.parametrize("result", [each for each in Result if each not in (Result.DONE, Result.NONE)])
def test_what_did_not_go_live_is_no_deployment(ledger: Chronicle, result: Result) -> None:
    ledger.ended(ledger.began(DAY), DAY + 60, result)
    assert counted(ledger).deployments == 0


def test_an_update_that_moved_no_users_is_no_deployment(ledger: Chronicle) -> None:
    ledger.ended(ledger.began(DAY), DAY + 60, moved=False)
    assert counted(ledger).deployments == 0


def test_restoring_the_standby_after_a_refused_rollback_is_no_rollback(ledger: Chronicle) -> None:
    ledger.ended(ledger.began(DAY, verb="rollback", details={"decision": "heal"}), DAY + 60, moved=False)
    ledger.ended(ledger.began(2 * DAY, verb="rollback", details={"decision": "traffic-only"}), 2 * DAY + 20)
    assert counted(ledger).rollbacks == Share(part=1, of=1)


def test_a_rollback_and_a_drill_are_no_deployments(ledger: Chronicle) -> None:
    ledger.back(DAY)
    ledger.released(2 * DAY, verb="drill")
    ledger.released(3 * DAY, verb="update", details={"goesBack": True})
    assert counted(ledger).deployments == 0


def test_an_update_that_is_under_way_counts_nowhere(ledger: Chronicle) -> None:
    ledger.began(DAY)
    found = counted(ledger)
    nothing = Share(part=0, of=0)
    assert (found.deployments, found.stopped, found.pipeline, found.rollbacks) == (0, 0, nothing, nothing)


def test_lead_time_is_from_the_commit_to_live(ledger: Chronicle) -> None:
    ledger.released(DAY, "a", takes=300)
    assert counted(ledger, a=DAY - HOUR).lead == Spread(count=1, median=HOUR + 300, ninety=HOUR + 300)


def test_a_commit_that_git_does_not_know_has_no_lead_time_and_is_counted(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b")
    found = counted(ledger, a=0.0)
    assert found.lead is not None
    assert (found.lead.count, found.undated) == (1, 1)


def test_a_commit_of_a_later_clock_has_no_lead_time(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    assert counted(ledger, a=2 * DAY).lead is None


def test_the_median_and_the_90th_percentile_are_durations_that_were_measured() -> None:
    assert Spread.of([float(each) for each in range(10, 0, -1)]) == Spread(count=10, median=5.0, ninety=9.0)
    assert Spread.of([]) is None


# ---- Failures, and what restored users


def test_a_release_whose_traffic_was_rolled_back_has_failed_and_its_own_end_restored_users(ledger: Chronicle) -> None:
    intent = ledger.began(DAY)
    ledger.ended(intent, DAY + 400, Result.ROLLED_BACK, movedAt=at(DAY + 380))
    ledger.released(2 * DAY, "b")
    found = counted(ledger)
    assert found.failures == Share(part=1, of=2)
    assert found.restore == Spread(count=1, median=20.0, ninety=20.0)


def test_a_release_that_was_rolled_back_from_has_failed_and_the_rollback_restored_users(ledger: Chronicle) -> None:
    ledger.released(DAY, "a", takes=300)
    ledger.back(DAY + HOUR, takes=20)
    found = counted(ledger)
    assert found.failures == Share(part=1, of=1)
    assert found.restore == Spread(count=1, median=HOUR + 20 - 300, ninety=HOUR + 20 - 300)


def test_a_release_that_a_hotfix_followed_has_failed(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b", details={"hotfix": True})
    ledger.released(3 * DAY, "c")
    found = counted(ledger)
    assert found.failures == Share(part=1, of=3)
    assert found.hotfixes == Spread(count=1, median=300.0, ninety=300.0)


def test_a_failed_release_is_restored_by_the_first_intervention_that_ends_well(ledger: Chronicle) -> None:
    ledger.released(DAY, "a", takes=0)
    ledger.back(DAY + 100, result=Result.FAILED)
    assert counted(ledger).unrestored == 1
    ledger.back(DAY + 200, takes=20)
    found = counted(ledger)
    assert (found.failures, found.unrestored) == (Share(part=1, of=1), 0)
    assert found.restore == Spread(count=1, median=220.0, ninety=220.0)


def test_a_release_that_a_plain_next_one_followed_is_no_failure(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b")
    assert counted(ledger).failures == Share(part=0, of=2)


def test_going_back_twice_fails_one_release_only(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b")
    ledger.back(3 * DAY, "a")
    ledger.back(4 * DAY, "c")
    assert counted(ledger).failures == Share(part=1, of=2)


@pytest.mark.parametrize("result", [Result.REFUSED, Result.FAILED])
def test_what_a_gate_stopped_is_no_failure_of_a_change_but_stopped_in_time(ledger: Chronicle, result: Result) -> None:
    ledger.ended(ledger.began(DAY), DAY + 60, result)
    found = counted(ledger)
    assert (found.failures, found.stopped) == (Share(part=0, of=0), 1)


def test_a_refusal_before_anything_began_is_counted_as_stopped_in_time(ledger: Chronicle) -> None:
    ledger.add(EntryKind.OUTCOME, DAY, verb="promote", result=Result.REFUSED)
    ledger.add(EntryKind.OUTCOME, DAY, verb="promote", result=Result.DONE)  # there was nothing to do
    ledger.add(EntryKind.OUTCOME, DAY, verb="recover", result=Result.REFUSED)
    found = counted(ledger)
    assert (found.stopped, found.deployments) == (1, 0)


def test_a_seal_that_no_longer_held_stopped_no_release(ledger: Chronicle) -> None:
    ledger.add(EntryKind.OUTCOME, DAY, verb="promote", result=Result.REFUSED, details={"voidSeal": True})
    assert counted(ledger).stopped == 0


def test_a_release_whose_switch_was_interrupted_and_finished_by_recover_went_live(ledger: Chronicle) -> None:
    ledger.ended(ledger.began(DAY), DAY + 60, Result.INTERRUPTED)
    ledger.ended(ledger.began(DAY + HOUR, verb="recover", details={"decision": "finish"}), DAY + HOUR + 60)
    found = counted(ledger, a=DAY - HOUR)
    assert (found.deployments, found.lead) == (1, Spread(count=1, median=2 * HOUR + 60, ninety=2 * HOUR + 60))


@pytest.mark.parametrize("verb", ["recover", "update"])
def test_undoing_an_interrupted_switch_is_no_failure_of_the_release_that_stays_live(
    ledger: Chronicle, verb: str
) -> None:
    ledger.released(DAY, "a")
    ledger.ended(ledger.began(2 * DAY, "b"), 2 * DAY + 60, Result.INTERRUPTED)
    undo = {"decision": "traffic-only", "goesBack": True}
    ledger.ended(ledger.began(2 * DAY + HOUR, "a", verb=verb, details=undo), 2 * DAY + HOUR + 20)
    assert counted(ledger).failures == Share(part=0, of=1)


def test_a_call_that_was_refused_before_it_began_makes_no_failure_of_what_is_live(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.add(EntryKind.OUTCOME, 2 * DAY, verb="rollback", result=Result.REFUSED)
    ledger.add(EntryKind.OUTCOME, 2 * DAY, verb="promote", result=Result.REFUSED, details={"hotfix": "x"})
    found = counted(ledger)
    assert (found.failures, found.rollbacks) == (Share(part=0, of=1), Share(part=0, of=0))


@pytest.mark.parametrize(("verb", "timed"), [("rollback", (20.0,)), ("update", (20.0,)), ("heal", ()), ("recover", ())])
def test_only_a_rollback_says_how_long_one_takes(ledger: Chronicle, verb: str, timed: tuple[float, ...]) -> None:
    back = {"decision": "traffic-only", "goesBack": True}
    ledger.ended(ledger.began(DAY, "a", verb=verb, details=back), DAY + 20)
    assert rollbacks_in(ledger.entries, "production") == timed
    found = counted(ledger)
    assert found.rollbacks == Share(part=len(timed), of=len(timed)), "one meaning everywhere"
    assert found.rollback == Spread.of(timed)
    assert found.deployments == 0


# ---- The lane's own


def test_the_share_from_a_pipeline_and_of_plain_updates(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.released(2 * DAY, "b", run="")
    ledger.released(3 * DAY, "c", run="", verb="update")
    found = counted(ledger)
    assert (found.pipeline, found.plain) == (Share(part=1, of=3), Share(part=1, of=3))


def test_overrides_are_counted_by_rule_even_of_a_refused_release(ledger: Chronicle) -> None:
    ledger.released(DAY, details={"overrides": {"onAlarm": "proceed", "allowOlder": "sha256:b"}})
    intent = ledger.began(2 * DAY, details={"overrides": {"onAlarm": "proceed"}})
    ledger.ended(intent, 2 * DAY, Result.REFUSED)
    assert counted(ledger).overrides == {"allowOlder": 1, "onAlarm": 2}


def test_rollbacks_that_ended_well_of_those_begun_and_how_long_they_took(ledger: Chronicle) -> None:
    ledger.back(DAY, takes=20)
    ledger.back(2 * DAY, takes=40, result=Result.INTERRUPTED)
    ledger.ended(ledger.began(3 * DAY, verb="watch"), 3 * DAY + 30)
    found = counted(ledger)
    assert (found.rollbacks, found.rollback) == (Share(part=2, of=3), Spread(count=2, median=20.0, ninety=30.0))


# ---- The period


def test_the_period_does_not_reach_back_behind_the_ledger(ledger: Chronicle) -> None:
    ledger.released(DAY)
    found = measured(ledger.entries, "production", since=START - 90 * DAY, until=START + 7 * DAY, committed={})
    assert (found.since, found.a_week) == (START, 1.0)


def test_less_than_a_week_is_not_extrapolated_to_one(ledger: Chronicle) -> None:
    ledger.released(HOUR)
    assert counted(ledger, days=0.5).a_week == 1.0


def test_what_began_before_the_period_is_not_counted(ledger: Chronicle) -> None:
    ledger.released(DAY, "a")
    ledger.back(3 * DAY)
    found = measured(ledger.entries, "production", since=START + 2 * DAY, until=START + 4 * DAY, committed={})
    assert (found.deployments, found.rollbacks) == (0, Share(part=1, of=1))


def test_an_empty_ledger_has_no_figures_and_no_error() -> None:
    found = counted(Chronicle())
    assert (found.deployments, found.a_week, found.lead, len(found.weeks)) == (0, 0.0, None, 1)


def test_each_release_is_in_one_week(ledger: Chronicle) -> None:
    for day in (0, 6.9, 7, 13, 28):
        ledger.released(day * DAY)
    found = counted(ledger)
    assert [week.released for week in found.weeks] == [2, 2, 0, 1]
    assert [week.begins for week in found.weeks] == [START + WEEK * each for each in range(4)]


def test_a_week_has_its_failures_and_its_own_lead_time(ledger: Chronicle) -> None:
    ledger.released(DAY, "a", takes=0)
    ledger.back(2 * DAY)
    ledger.released(8 * DAY, "b", takes=0)
    first, second, *_ = counted(ledger, a=0, b=0).weeks
    assert (first.released, first.failed, first.lead) == (1, 1, DAY)
    assert (second.released, second.failed, second.lead) == (1, 0, 8 * DAY)


Step = st.tuples(
    st.sampled_from(["promote", "rollback", "update", "watch", "drill", "heal"]),
    st.sampled_from([*Result]),
    st.booleans(),
    st.floats(min_value=0, max_value=2 * DAY),
)


@given(st.lists(Step, max_size=12))
def test_no_share_exceeds_one_and_no_duration_is_negative(steps: list[Any]) -> None:
    ledger, now = Chronicle(), 0.0
    for verb, result, hotfix, pause in steps:
        intent = ledger.began(now, "a", verb=verb, details={"hotfix": hotfix})
        now += pause
        if result is not Result.NONE:
            ledger.ended(intent, now, result)
    found = counted(ledger, a=0.0)
    for share in (found.failures, found.pipeline, found.plain, found.rollbacks):
        assert 0 <= share.part <= share.of
    for spread in (found.lead, found.restore, found.hotfixes, found.rollback):
        assert spread is None or 0 <= spread.median <= spread.ninety
    assert found.unrestored <= found.failures.part
    assert sum(week.released for week in found.weeks) == found.failures.of
    assert sum(week.failed for week in found.weeks) == found.failures.part
