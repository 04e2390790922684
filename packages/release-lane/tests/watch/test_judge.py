"""What counts for and against a release while its first users are on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.record.alarms import Alarm
from release_lane.record.placement import Colour
from release_lane.watch.judge import (
    LIMITS,
    Bake,
    Breach,
    Calm,
    Datapoint,
    Health,
    Judgement,
    Signals,
    Tally,
    Waiting,
    complete,
    judge,
    of_users,
    progress,
)
from release_lane.watch.remembered import Lately

pytestmark = pytest.mark.pure

BLUE, GREEN = Colour.BLUE, Colour.GREEN
BEGAN = 6000.0  # a whole minute
BAKE = Bake(receiving=GREEN, seconds=300, period=60, lateness=120)
WELL = {BLUE: Health(wanted=2, healthy=2), GREEN: Health(wanted=2, healthy=2)}


def minutes(*counts: tuple[float, float], p95: float | None = 0.1, since: float = BEGAN) -> tuple[Datapoint, ...]:
    """Datapoints of one minute after another, as (requests, errors)."""
    return tuple(
        Datapoint(at=since + 60 * number, requests=requests, errors=errors, p95=p95)
        for number, (requests, errors) in enumerate(counts)
    )


def signals(after: float = 300, **over: Any) -> Signals:
    """What is seen so many seconds after a step began; by default all is well, and users were served."""
    plain = Signals(
        now=BEGAN + after,
        step_began=BEGAN,
        health=WELL,
        traffic={GREEN: minutes(*[(100, 0)] * 5), BLUE: minutes(*[(900, 0)] * 5)},
    )
    return replace(plain, **over)


def reason(judgement: Judgement) -> str:
    assert isinstance(judgement, Breach), judgement
    return judgement.reason


# ---- time


def test_no_failed_signal_during_the_bake_is_calm() -> None:
    assert judge(signals(300), BAKE) == Calm()


def test_before_the_bake_is_over_it_waits_however_well_it_looks() -> None:
    assert judge(signals(299), BAKE) == Waiting("1 s left")


def test_without_a_bake_one_look_at_targets_alarms_and_probes_is_enough() -> None:
    assert judge(signals(0, traffic={}), replace(BAKE, seconds=0)) == Calm()
    assert isinstance(judge(signals(0, health={**WELL, GREEN: Health(wanted=2, healthy=0)}), BAKE), Breach)


@given(st.floats(0, 600), st.floats(1, 86400), st.sampled_from([5.0, 60.0, 300.0]), st.floats(0, 600))
def test_no_step_takes_longer_than_is_said_beforehand(
    second: float, bake: float, period: float, lateness: float
) -> None:
    """Credentials are held to this figure."""
    baking = replace(BAKE, seconds=bake, period=period, lateness=lateness, alarm_delay=3 * period + lateness)
    assert baking.ends_at_last(BEGAN + second) - (BEGAN + second) <= baking.longest + 1e-6
    assert baking.alarm_delay <= baking.longest
    assert replace(baking, seconds=0).longest == 0


# ---- targets


def test_no_healthy_target_is_a_breach_at_once() -> None:
    gone = {**WELL, GREEN: Health(wanted=2, healthy=0)}
    assert reason(judge(signals(1, health=gone), BAKE)) == "green has no healthy target"


def test_a_target_too_few_is_waited_for_since_ecs_replaces_a_task_that_died() -> None:
    short = {**WELL, GREEN: Health(wanted=2, healthy=1, short_for=30)}
    assert isinstance(judge(signals(10, health=short), BAKE), Waiting)
    assert judge(signals(300, health=short), BAKE) == Waiting("1 of 2 targets healthy")


def test_a_target_too_few_for_long_is_a_breach() -> None:
    short = {**WELL, GREEN: Health(wanted=2, healthy=1, short_for=31)}
    assert reason(judge(signals(40, health=short), BAKE)) == "green has had only 1 of 2 targets healthy for 31 s"


def test_the_targets_of_the_colour_that_users_leave_do_not_count_against_the_new_release() -> None:
    gone = {**WELL, BLUE: Health(wanted=2, healthy=0, short_for=99)}
    assert judge(signals(300, health=gone), BAKE) == Calm()


# ---- alarms


FIRING = Alarm(name="green-errors", firing=True, since=10.0, colour=GREEN, why="7 % > 5 %")


@pytest.mark.parametrize("colour", [GREEN, BLUE, None], ids=str)
def test_an_alarm_that_begins_to_fire_is_a_breach_of_either_colour_or_the_adopters(colour: Colour | None) -> None:
    told = reason(judge(signals(5, alarms=(replace(FIRING, colour=colour),)), BAKE))
    assert told == "the alarm green-errors is firing (7 % > 5 %)"


def test_an_alarm_that_is_ok_is_no_breach() -> None:
    assert judge(signals(alarms=(replace(FIRING, firing=False),)), BAKE) == Calm()


def test_an_alarm_that_was_firing_before_counts_only_when_it_fires_again() -> None:
    """As one of the receiving colour that an earlier, refused release left firing."""
    bake = replace(BAKE, before=frozenset({FIRING.episode}))
    assert judge(signals(alarms=(FIRING,)), bake) == Calm()
    assert judge(signals(alarms=(replace(FIRING, firing=False, since=20.0),)), bake) == Calm()
    assert isinstance(judge(signals(alarms=(replace(FIRING, since=30.0),)), bake), Breach)


def test_an_alarm_that_is_not_found_is_looked_for_again_and_then_a_breach() -> None:
    """An alarm that does not exist can never fire."""
    assert isinstance(judge(signals(5, unseen={"orders": 2}), BAKE), Waiting)
    assert judge(signals(300, unseen={"orders": 1}), BAKE) == Waiting("the alarm orders: not found; looking again")
    told = reason(judge(signals(5, unseen={"other": 1, "orders": 3}), BAKE))
    assert told == "the alarm orders can no longer be watched: deleted"


EARLY = replace(BAKE, began=BEGAN, alarm_delay=180)


def test_an_alarm_of_the_new_colour_counts_after_the_warm_up_window() -> None:
    """It is as late as CloudWatch's datapoints: at first it is about tasks that were starting."""
    waiting = judge(signals(10, alarms=(FIRING,)), replace(EARLY, seconds=0.1))
    assert isinstance(waiting, Waiting)
    assert waiting.why.startswith("the alarm green-errors is firing")
    assert isinstance(judge(signals(179, alarms=(FIRING,)), EARLY), Waiting)
    assert isinstance(judge(signals(180, alarms=(FIRING,)), EARLY), Breach)


@pytest.mark.parametrize("colour", [BLUE, None], ids=str)
def test_alarms_of_others_count_at_once(colour: Colour | None) -> None:
    assert isinstance(judge(signals(10, alarms=(replace(FIRING, colour=colour),)), EARLY), Breach)


def test_without_a_bake_alarms_of_the_new_colour_are_still_in_the_warm_up_window() -> None:
    assert judge(signals(0, alarms=(FIRING,)), replace(EARLY, seconds=0)) == Calm()


# ---- the switch's own probes


@pytest.mark.parametrize(
    ("tally", "breaks"),
    [
        (Tally(place="the live URL", sent=10, failed=2, in_a_row=2, last="HTTP 500"), False),
        (Tally(place="the live URL", sent=3, failed=3, in_a_row=3, last="HTTP 500"), True),
        (Tally(place="the live URL", sent=39, failed=10, in_a_row=1, last="HTTP 500"), False),
        (Tally(place="the live URL", sent=40, failed=2, in_a_row=0, last="HTTP 500"), False),
        (Tally(place="the live URL", sent=40, failed=3, in_a_row=0, last="HTTP 500"), True),
    ],
    ids=["two in a row", "three in a row", "too few to say", "five percent", "more"],
)
def test_probes_count_when_some_fail_in_a_row_or_a_share_of_many(tally: Tally, breaks: bool) -> None:
    seen = judge(signals(5, probes=(Tally(place="green's test listener", sent=50), tally)), BAKE)
    assert isinstance(seen, Breach if breaks else Waiting)
    if breaks:
        assert "probes of the live URL failed, the last one with: HTTP 500" in reason(seen)


LATE = [
    Tally(place="the live URL", sent=second * 5, failed=max(0, second - 3540), last="HTTP 500")
    for second in range(3600)
]


def test_probes_that_fail_late_in_a_long_watch_are_not_diluted_by_the_good_ones_before() -> None:
    """One of five, never three in a row: over the whole hour that is less than two percent."""
    lately, long = Lately(60), replace(BAKE, seconds=7200)
    seen = [judge(signals(at, probes=(lately.seen(tally, BEGAN + at),)), long) for at, tally in enumerate(LATE)]
    assert not any(isinstance(each, Breach) for each in seen[:3541])
    told = next(each for each in seen if isinstance(each, Breach))
    assert reason(told) == "16 of 300 probes of the live URL in the last 60 s failed, the last one with: HTTP 500"


def test_probes_that_failed_longer_ago_count_no_more_lately() -> None:
    lately = Lately(60)
    found = [lately.seen(Tally(place="x", sent=5 * at, failed=min(at, 10)), float(at)).lately for at in range(100)]
    assert (found[60], found[65], found[99]) == ((300, 10), (300, 5), (300, 0))


def test_what_is_known_lately_is_what_there_is_until_the_time_is_full() -> None:
    lately = Lately(60)
    assert lately.seen(Tally(place="x", sent=30, failed=2), 10.0).lately == (30, 2)
    assert lately.seen(Tally(place="y", sent=7), 10.0).lately == (7, 0)
    assert lately.seen(Tally(place="x", sent=40, failed=3), 12.0).lately == (40, 3)


def test_a_count_that_is_taken_back_is_none_lately() -> None:
    """An answer that was taken for endless came in the end."""
    lately = Lately(60)
    lately.seen(Tally(place="x", sent=10, failed=2), 0.0)
    assert lately.seen(Tally(place="x", sent=9, failed=0), 70.0).lately == (0, 0)


# ---- error rate and latency, compared over the same minutes


def compared(green: tuple[Datapoint, ...], blue: tuple[Datapoint, ...], after: float = 300, **bake: Any) -> Judgement:
    return judge(signals(after, traffic={GREEN: green, BLUE: blue}), replace(BAKE, **bake))


def test_more_errors_than_the_live_colour_has_in_the_same_time_are_a_breach() -> None:
    told = reason(compared(minutes((100, 5)), minutes((900, 9)), after=61))
    assert told == "5.0 % of 100 requests to green failed, but only 1.0 % of 900 to blue in the same time"


@pytest.mark.parametrize(
    ("green", "blue"),
    [
        (minutes((100, 3)), minutes((900, 9))),
        (minutes((100, 50)), minutes((900, 450))),
        (minutes((19, 19)), minutes((900, 0))),
        (minutes((100, 5)), minutes((19, 0))),
        (minutes((30, 2)), minutes((900, 0))),
        (minutes((100, 50)), ()),
    ],
    ids=["two points more", "both suffer", "too few on green", "too few on blue", "two errors", "blue gets no traffic"],
)
def test_what_says_nothing_about_the_new_release_is_no_breach(green: Any, blue: Any) -> None:
    assert isinstance(compared(green, blue, after=61), Waiting)


def test_only_minutes_in_which_both_colours_were_counted_are_compared() -> None:
    """Blue's good minutes from before the switch must not make green look bad."""
    before = minutes(*[(900, 0)] * 10, since=BEGAN - 600)
    assert isinstance(compared(minutes((100, 50)), (*before, *minutes((900, 450)))), Calm | Waiting)


def test_a_minute_that_is_not_over_is_not_counted() -> None:
    assert isinstance(compared(minutes((100, 50)), minutes((900, 0)), after=59), Waiting)
    assert isinstance(compared(minutes((100, 50)), minutes((900, 0)), after=60), Breach)


def test_errors_of_an_earlier_step_count_in_a_later_one() -> None:
    """Datapoints come late: what the first step did may be known only in the second."""
    earlier = {GREEN: minutes((100, 50), since=BEGAN - 60), BLUE: minutes((900, 0), since=BEGAN - 60)}
    assert isinstance(judge(signals(30, traffic=earlier), BAKE), Breach)


def test_errors_that_come_late_in_a_long_bake_are_not_diluted_by_the_good_minutes_before() -> None:
    green, blue = (
        (*minutes(*[(100, 0)] * 57), *minutes(*[(100, 10)] * 2, since=BEGAN + 57 * 60)),
        minutes(*[(900, 0)] * 59),
    )
    assert isinstance(compared(green, blue, after=57 * 60, seconds=3600), Waiting)
    told = reason(compared(green, blue, after=59 * 60, seconds=3600))
    assert told == "4.0 % of 500 requests to green failed, but only 0.0 % of 4500 to blue in the same time"


def test_errors_that_trickle_in_are_still_seen_in_all_minutes_together() -> None:
    """Too few requests in the last ones alone."""
    assert isinstance(compared(minutes(*[(2, 1)] * 12), minutes(*[(900, 0)] * 12), after=12 * 60), Breach)


def test_being_much_slower_than_the_live_colour_twice_in_a_row_is_a_breach() -> None:
    slow, quick = minutes((100, 0), (100, 0), p95=0.9), minutes((900, 0), (900, 0), p95=0.2)
    told = reason(compared(slow, quick, after=120))
    assert told == "green answers in 0.90 s (p95), blue in 0.20 s at the same time"
    assert isinstance(compared(slow[:1], quick[:1], after=120), Waiting)


@pytest.mark.parametrize(
    ("green", "blue"),
    [(0.4, 0.2), (0.15, 0.05), (2.0, 1.9), (0.1, 0.5), (None, 0.1), (0.9, None)],
    ids=["as much as allowed", "quick anyway", "both slow", "quicker", "nothing on green", "nothing on blue"],
)
def test_a_little_slower_is_no_breach(green: float | None, blue: float | None) -> None:
    slow, quick = minutes(*[(100, 0)] * 3, p95=green), minutes(*[(900, 0)] * 3, p95=blue)
    assert isinstance(compared(slow, quick, after=200), Waiting)


def test_being_slow_at_first_is_forgiven() -> None:
    cold = (*minutes((100, 0), (100, 0), p95=0.9), *minutes((100, 0), p95=0.1, since=BEGAN + 120))
    assert isinstance(compared(cold, minutes(*[(900, 0)] * 3), after=200), Waiting)


# ---- what the load balancer answered itself


def unanswered(
    *counts: float, usual: tuple[float, float] = (0, 0), requests: float = 100, failed: int = 0, **bake: Any
) -> Judgement:
    """So many a minute since the watch began. Blue has nine times as many requests. `usual`: requests and errors
    before."""
    own = {BEGAN + 60 * number: count for number, count in enumerate(counts)}
    traffic = {GREEN: minutes(*[(requests, 0)] * len(counts)), BLUE: minutes(*[(9 * requests, 0)] * len(counts))}
    before = Datapoint(at=BEGAN - 300, requests=usual[0], errors=usual[1])
    seen = signals(60 * len(counts), traffic=traffic, unanswered=own, before=before, probes_failed=failed)
    return judge(seen, replace(BAKE, seconds=3600, **bake))


def test_answers_that_the_load_balancer_had_to_give_itself_are_a_breach() -> None:
    """A target that breaks off or hangs: no count of its colour has them."""
    assert reason(unanswered(4, 5)) == (
        "the load balancer itself answered 9 requests with 5xx in 120 s, because targets broke off or gave no answer; "
        "by the minutes before, 0 were to be expected; green had 200 requests"
    )


@pytest.mark.parametrize(
    ("counts", "given"),
    [
        ((2,), {}),
        ((2, 2), {}),
        ((9,), {"requests": 19}),
        ((30, 30), {"usual": (5000, 150)}),
        ((34,), {"usual": (50_000, 150), "requests": 1000}),
        ((112,), {"usual": (50_000, 500), "requests": 1120}),
        ((9,), {"usual": (0, 40)}),
        ((3,), {"failed": 1}),
        ((15,), {"had_users": True}),
    ],
    ids=[
        "few",
        "2 percent",
        "too few requests",
        "as many as ever",
        "by chance",
        "more traffic",
        "before alone",
        "own probes",
        "of both colours, where that had users before",
    ],
)
def test_what_is_usual_or_few_is_none(counts: tuple[float, ...], given: dict[str, Any]) -> None:
    assert isinstance(unanswered(*counts, **given), Waiting)


@pytest.mark.parametrize(
    ("counts", "given"),
    [
        ((60,), {"usual": (50_000, 150), "requests": 1000}),
        ((14,), {"usual": (5000, 5)}),
        ((21,), {"had_users": True}),
        ((21,), {"had_users": True, "usual": (5000, 105)}),
    ],
    ids=["many more", "more than the few", "2 percent of all", "its own from before are not usual"],
)
def test_more_than_usual_is_a_breach(counts: tuple[float, ...], given: dict[str, Any]) -> None:
    assert f"answered {counts[0]} requests with 5xx in 60 s" in reason(unanswered(*counts, **given))


def test_those_that_come_late_are_not_diluted_by_the_good_minutes_before() -> None:
    assert "answered 11 requests with 5xx in 300 s" in reason(unanswered(*[0] * 40, 5, 6))


def test_a_minute_of_which_the_requests_are_not_known_yet_does_not_count() -> None:
    """Errors may be reported before the requests that they belong to."""
    own = {BEGAN + 60 * 5: 9.0}
    assert isinstance(judge(signals(361, unanswered=own), replace(BAKE, seconds=3600)), Waiting)


# ---- user traffic


def test_a_step_without_users_is_extended_once_and_then_a_breach() -> None:
    """By a period and the lateness; the datapoints of the last minutes may still be on their way."""
    for seen in ((), minutes((10, 0), (9, 0))):
        traffic = {GREEN: seen, BLUE: minutes(*[(900, 0)] * 9)}
        waiting = judge(signals(300, traffic=traffic), BAKE)
        assert waiting == Waiting("no user traffic on green yet; extended, 180 s left")
        assert isinstance(judge(signals(479, traffic=traffic), BAKE), Waiting)
        told = reason(judge(signals(480, traffic=traffic), BAKE))
        assert f"no traffic: CloudWatch counted {sum(point.requests for point in seen):.0f} user requests" in told


def test_a_step_is_judged_only_when_its_traffic_could_have_shown_a_breach() -> None:
    """Else a release that fails every request would go on, for want of requests to compare."""
    assert LIMITS.least_traffic >= LIMITS.least_requests
    few = {GREEN: minutes((19, 19)), BLUE: minutes((900, 0))}
    assert isinstance(judge(signals(300, traffic=few), BAKE), Waiting)


def test_traffic_that_is_seen_late_ends_the_extension() -> None:
    assert judge(signals(400, traffic={GREEN: minutes((10, 0), (10, 0))}), BAKE) == Calm()


def test_minutes_that_began_in_an_earlier_step_do_not_count_as_traffic_of_this_one() -> None:
    half = {GREEN: minutes((100, 0), since=BEGAN - 30)}
    assert isinstance(judge(signals(300, traffic=half), BAKE), Waiting)


def test_a_short_bake_is_extended_until_its_first_complete_minute_must_have_been_reported() -> None:
    short = replace(BAKE, seconds=10)
    began = BEGAN + 1  # so the first whole minute begins 59 s later, ends after 119 and is known after 239
    seen = replace(signals(traffic={}), step_began=began)
    assert isinstance(judge(replace(seen, now=began + 238), short), Waiting)
    assert isinstance(judge(replace(seen, now=began + 239), short), Breach)


def test_watching_after_the_switch_may_do_without_traffic() -> None:
    assert judge(signals(300, traffic={}), replace(BAKE, asks_traffic=False)) == Calm()


# ---- readings


def test_own_probes_are_taken_off_what_cloudwatch_counts() -> None:
    own = {6000: (1, 0), 6001: (2, 1), 6059: (1, 1), 6060: (4, 4), 5999: (9, 9)}
    (users,) = of_users(minutes((100, 5)), own, 60)
    assert (users.at, users.requests, users.errors) == (6000, 96, 3)


def test_more_own_probes_than_were_counted_leave_nothing_and_not_less() -> None:
    (users,) = of_users(minutes((3, 0)), {6000: (5, 2)}, 60)
    assert (users.requests, users.errors) == (0, 0)


FILLING = 0.0
"""Every datapoint may still grow."""


def test_probes_that_a_datapoint_does_not_contain_yet_make_no_share() -> None:
    """1 % of both colours' requests fail. A third of the period is not reported, but its probes are known."""
    own = {6000 + second: (5, 0) for second in range(60)}
    green, blue = minutes((200 + 200, 4)), minutes((2000, 20))
    filling = {GREEN: of_users(green, own, 60, final=FILLING), BLUE: of_users(blue, {}, 60, final=FILLING)}
    assert isinstance(judge(signals(100, traffic=filling), BAKE), Waiting)
    final = {GREEN: of_users(green, own, 60), BLUE: of_users(blue, {}, 60)}
    assert "4.0 % of 100 requests" in reason(judge(signals(100, traffic=final), BAKE))


def test_many_errors_are_a_breach_while_their_datapoint_may_still_grow() -> None:
    own = {6000 + second: (5, 0) for second in range(60)}
    traffic = {GREEN: of_users(minutes((400, 30)), own, 60, final=FILLING), BLUE: minutes((900, 0))}
    assert "7.5 % of 400 requests to green failed" in reason(judge(signals(100, traffic=traffic), BAKE))


def test_a_bake_does_not_end_while_its_errors_are_in_doubt() -> None:
    """4 errors of 100 users, or of 400 requests of which 300 are no probes."""
    own = {6000 + second: (5, 0) for second in range(60)}
    traffic = {GREEN: of_users(minutes((400, 4)), own, 60, final=FILLING), BLUE: minutes((900, 0))}
    judgement = judge(signals(300, traffic=traffic), BAKE)
    assert isinstance(judgement, Waiting)
    assert "may be too many" in judgement.why
    assert judge(signals(BAKE.ends_at_last(0), traffic=traffic), BAKE) == Calm()


def test_errors_whose_requests_have_not_been_reported_are_not_judged_yet() -> None:
    assert of_users(minutes((0, 5)), {}, 60, final=FILLING) == ()
    (point,) = of_users(minutes((2, 5)), {}, 60)
    assert (point.requests, point.errors) == (5, 5)


counts = st.integers(min_value=0, max_value=400)


@given(users=st.tuples(counts, counts), others=st.tuples(counts, counts), own=st.tuples(counts, counts), data=st.data())
def test_no_breach_that_the_users_counts_alone_would_not_be(
    users: tuple[int, int], others: tuple[int, int], own: tuple[int, int], data: st.DataObject
) -> None:
    """Good and failed requests of users to green and blue; any part of green's or blue's probes is counted so far."""
    probed = data.draw(st.sampled_from(Colour))
    inside = data.draw(st.tuples(st.integers(0, own[0]), st.integers(0, own[1])))
    probes = {6000: (sum(own), own[1])}
    alone = {GREEN: _counted(users), BLUE: _counted(others)}
    mixed = {
        colour: of_users(
            _counted(seen, inside if colour is probed else (0, 0)),
            probes if colour is probed else {},
            60,
            final=FILLING,
        )
        for colour, seen in ((GREEN, users), (BLUE, others))
    }
    for points in mixed.values():
        assert all(0 <= point.errors <= point.requests for one in points for point in (one, one.least, one.most))
    if isinstance(judge(signals(100, traffic=mixed), BAKE), Breach):
        assert isinstance(judge(signals(100, traffic=alone), BAKE), Breach)


def _counted(users: tuple[int, int], probes: tuple[int, int] = (0, 0)) -> tuple[Datapoint, ...]:
    good, failed = users[0] + probes[0], users[1] + probes[1]
    return minutes((good + failed, failed))


def test_datapoints_are_read_in_the_order_of_time() -> None:
    points = minutes((1, 0), (2, 0), (3, 0))
    assert complete(points[::-1], BEGAN + 120, 60) == points[:2]


def test_progress_shows_targets_users_and_own_probes() -> None:
    seen = signals(130, probes=(Tally(place="x", sent=40, failed=1), Tally(place="y", sent=10)))
    targets = "2 of 2 targets of green healthy"
    assert progress(seen, BAKE) == f"{targets}; users: 200 requests, 0 errors; own probes: 50, 1 failed"
    assert progress(signals(1, traffic={}), BAKE) == targets
