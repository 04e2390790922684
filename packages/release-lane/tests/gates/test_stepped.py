"""The switch in steps: what it does when all is well, and where users are after a breach, an abort or an interrupt."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from provider_kit import Cancelled, Context
from release_lane.aws import patience, session
from release_lane.decide.shift import Course
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, Users
from release_lane.gates.move import Move
from release_lane.gates.moving import perform
from release_lane.gates.passes import RUN, Pass
from release_lane.gates.recording import Recording
from release_lane.gates.watching import LOOK
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.alarms import Watched
from release_lane.record.asking import Identify
from release_lane.record.digest import Digest
from release_lane.record.intended import Intended
from release_lane.record.journal import ABORT, Abort, End, Journal, Phase
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import Recorded
from release_lane.record.times import epoch
from release_lane.smoke.checks import Expected
from release_lane.watch.rollout import Task
from tests.gates.fake_cloud import FakeCloud, holding, names, sick
from tests.gates.fake_senses import AT_ONCE, NOON, FakeSenses

pytestmark = pytest.mark.pure

BLUE, GREEN = Colour.BLUE, Colour.GREEN
A, B = (Release(digest=Digest("sha256:" + letter * 64), service=Service(), commit=letter * 40) for letter in "ab")
RECORD = Recorded(live_colour=BLUE, live=A, history=(A,))
MOVE = Move(
    live=GREEN,
    release=B,
    expected=all_on(BLUE),
    standing=RECORD,
    passed=Pass(digest=B.digest, run=RUN, colour="green", taskDefinition=f"app:{B.id}", deployment="ecs-svc/2"),
    smoke_deadline=10.0,
    course=Course(steps=(10, 50, 100), bake=120, home=BLUE),
    watched=Watched(own={"green-errors": GREEN, "blue-errors": BLUE}, theirs=("orders",)),
)
STEPS = ["weights blue 90 green 10", "weights blue 50 green 50", "weights blue 0 green 100"]
TO_B = Journal(source=End(BLUE, A.digest, A.id), to=End(GREEN, B.digest, B.id), phase=Phase.MOVING)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session.forget()
    yield
    session.forget()


@dataclass
class Stage:
    """A on blue serves users, B waits on green."""

    cloud: FakeCloud = field(
        default_factory=lambda: FakeCloud(
            names=names(80),
            sides={BLUE: holding(A, "ecs-svc/1"), GREEN: holding(B, "ecs-svc/2", colour_number=2)},
            releases={BLUE: A, GREEN: B},
            weights=all_on(BLUE),
        )
    )
    senses: FakeSenses = field(default_factory=FakeSenses)
    said: list[str] = field(default_factory=list)
    lasting: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    recording: Recording = field(default_factory=Recording)

    def perform(self, move: Move = MOVE) -> Recorded | None:
        def log(text: str, urn: str, *, severity: str, ephemeral: bool) -> None:
            del urn, severity
            (self.said if ephemeral else self.lasting).append(text)

        ctx = Context(config={}, cancelled=self.cancelled, log=log, name="traffic-switch")
        done = perform(ctx, self.cloud, move, self.senses.of, AT_ONCE, self.recording)  # type: ignore[arg-type]
        return Recorded.from_outputs(done)

    def fails(self, error: type[Exception], move: Move = MOVE) -> Any:
        with pytest.raises(error) as failed:
            self.perform(move)
        assert type(failed.value) is error
        return failed.value

    @property
    def journal(self) -> Journal | None:
        return Journal.from_tags(self.cloud.tags)

    @property
    def seconds(self) -> float:
        return self.senses.clock.now() - NOON

    def after(self, seconds: float, happens: Any) -> None:
        self.senses.clock.at(seconds, happens)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def refused(_: int) -> None:
    """What the checks say then."""
    raise CheckFailed("The smoke gate refused green.", users=Users.UNTOUCHED)


# ---- all is well


def test_users_are_moved_step_by_step_and_watched_after_each(stage: Stage) -> None:
    recorded = stage.perform()
    assert stage.cloud.writes == ["moving", *STEPS, "moved"]
    assert recorded is not None
    assert (recorded.live_colour, recorded.live, recorded.previous) == (GREEN, B, A)
    assert stage.seconds >= 3 * 120
    assert stage.journal == replace(TO_B, phase=Phase.MOVED)


def test_the_ledger_gets_the_moment_at_which_the_first_users_met_the_release(stage: Stage) -> None:
    objects = Memory()
    kept = stage.recording = Recording(store_of=lambda _: in_memory(objects), environ={})
    ctx = Context(config={}, cancelled=stage.cancelled, log=lambda *_, **__: None)
    kept.begin(ctx, Intended(ledger="memory", access=stage.cloud.names.access, environment="production", release=B))
    stage.perform()
    kept.done()
    *_, outcome = in_memory(objects).entries()
    met = epoch(outcome.details["movedAt"])
    assert met is not None
    assert NOON <= met < NOON + 120  # before the first bake is over


def test_while_two_releases_share_the_live_url_the_new_one_is_checked_by_itself_too(stage: Stage) -> None:
    stage.perform()
    new = Expected(digest=B.digest, colour="green", commit=B.commit)
    both = replace(new, next_to=Expected(digest=A.digest, colour="blue", commit=A.commit))
    live, alone = "http://127.0.0.1", "http://127.0.0.1:9002"
    assert stage.senses.checked == [(live, both), (alone, new), (live, both), (alone, new), (live, new)]


def test_the_time_that_the_checks_take_is_no_part_of_the_bake(stage: Stage) -> None:
    """Their requests would count as user traffic."""
    stage.senses.on_check = lambda _: setattr(stage.senses.clock, "time", stage.senses.clock.time + 30)
    stage.perform()
    assert stage.seconds >= 3 * 120 + 5 * 30


def test_probes_go_to_the_live_url_and_to_the_new_colours_own_and_end_with_the_switch(stage: Stage) -> None:
    stage.perform()
    prober = stage.senses.prober
    assert prober is not None
    live, alone = prober.places
    assert (live.endpoint.url, [each.colour for each in live.known], live.colour) == (
        "http://127.0.0.1",
        [GREEN, BLUE],
        None,
    )
    assert (alone.endpoint.url, [each.colour for each in alone.known], alone.colour) == (
        "http://127.0.0.1:9002",
        [GREEN],
        GREEN,
    )
    assert prober.stopped


def test_progress_says_step_weight_seconds_targets_requests_and_errors(stage: Stage) -> None:
    stage.perform()
    last = [line for line in stage.said if line.startswith("step 2 of 3")][-1]
    assert last.startswith("step 2 of 3: green 50 %, 10 s left; 2 of 2 targets of green healthy; users: ")
    assert "requests, 0 errors; own probes:" in last
    assert stage.lasting == [
        "users: blue 90%, green 10% (step 1 of 3)",
        "users: blue 50%, green 50% (step 2 of 3)",
        "users: blue 0%, green 100% (step 3 of 3)",
    ]


def test_progress_is_said_each_ten_seconds_and_not_at_each_look(stage: Stage) -> None:
    stage.perform()
    left = [int(found[1]) for line in stage.said if (found := re.search(r"^step 2 .*, (\d+) s left", line))]
    assert left == list(range(left[0], 0, -10))


def test_cloudwatch_is_asked_less_often_than_targets_are_looked_at(stage: Stage) -> None:
    stage.perform()
    assert len(stage.senses.asked) < stage.seconds / LOOK / 4
    assert stage.senses.asked[0][1] == NOON, "once before anybody is moved"


def test_steps_without_a_bake_ask_cloudwatch_for_no_traffic_and_send_no_probes(stage: Stage) -> None:
    stage.senses.per_minute = {}
    stage.perform(replace(MOVE, course=replace(MOVE.course, bake=0)))
    assert stage.cloud.writes == ["moving", *STEPS, "moved"]
    assert (stage.senses.asked, stage.senses.prober, stage.seconds) == ([], None, 0)


def test_a_release_that_goes_at_once_may_be_watched_too(stage: Stage) -> None:
    stage.perform(replace(MOVE, course=Course(steps=(100,), bake=120, home=BLUE)))
    assert stage.cloud.writes == ["moving", STEPS[2], "moved"]
    assert stage.seconds >= 120


def test_a_task_that_dies_and_is_replaced_in_time_is_no_breach(stage: Stage) -> None:
    well = stage.cloud.sides[GREEN]
    stage.after(10, lambda: stage.cloud.sides.update({GREEN: sick(well)}))
    stage.after(30, lambda: stage.cloud.sides.update({GREEN: well}))
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_tasks_that_die_again_and_again_are_each_forgiven_that_long(stage: Stage) -> None:
    well = stage.cloud.sides[GREEN]
    for begin in (10, 50, 90):
        stage.after(begin, lambda: stage.cloud.sides.update({GREEN: sick(well)}))
        stage.after(begin + 24, lambda: stage.cloud.sides.update({GREEN: well}))
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_a_colour_that_aws_scales_out_is_given_the_time_that_new_tasks_need(stage: Stage) -> None:
    """Nothing it had is lost: it is to have more."""
    well, more = stage.cloud.sides[GREEN], holding(B, "ecs-svc/2", tasks=4, colour_number=2)
    stage.after(10, lambda: stage.cloud.sides.update({GREEN: replace(well, wanted=4)}))
    stage.after(100, lambda: stage.cloud.sides.update({GREEN: more}))
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_a_colour_whose_new_tasks_never_become_healthy_is_left(stage: Stage) -> None:
    well = stage.cloud.sides[GREEN]
    stage.after(10, lambda: stage.cloud.sides.update({GREEN: replace(well, wanted=4)}))
    assert "green has had only 2 of 4 targets healthy for" in stage.fails(CheckFailed).what
    assert stage.cloud.weights == all_on(BLUE)


def test_a_task_that_dies_while_a_colour_is_scaled_out_and_is_replaced_in_time_is_no_breach(stage: Stage) -> None:
    well = replace(stage.cloud.sides[GREEN], wanted=4)
    stage.after(10, lambda: stage.cloud.sides.update({GREEN: well}))
    stage.after(60, lambda: stage.cloud.sides.update({GREEN: sick(well)}))
    stage.after(80, lambda: stage.cloud.sides.update({GREEN: well}))
    stage.after(100, lambda: stage.cloud.sides.update({GREEN: holding(B, "ecs-svc/2", tasks=4, colour_number=2)}))
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_a_task_that_dies_while_a_colour_is_scaled_out_counts_as_ever(stage: Stage) -> None:
    well = stage.cloud.sides[GREEN]
    stage.after(10, lambda: stage.cloud.sides.update({GREEN: sick(replace(well, wanted=4))}))
    assert "green has had only 1 of 4 targets healthy for 32 s" in stage.fails(CheckFailed).what


def test_probes_are_counted_anew_in_each_step(stage: Stage) -> None:
    """What the second step breaks must not be outweighed by a long first one."""
    stage.perform()
    assert stage.senses.prober is not None
    assert stage.senses.prober.counted_anew == 3


def test_datapoints_that_come_late_make_the_bake_longer_but_no_breach(stage: Stage) -> None:
    stage.senses.late = 100
    stage.perform()
    assert 3 * 120 < stage.seconds <= 3 * (120 + 180)


# ---- before anybody is moved


@pytest.mark.parametrize("name", ["blue-errors", "orders"])
def test_an_alarm_that_was_firing_before_stops_it(stage: Stage, name: str) -> None:
    stage.senses.firing = {name: 1.0}
    assert f"the alarm {name} is firing" in stage.fails(Refused).what
    assert stage.cloud.writes == []


@pytest.mark.parametrize(
    "move",
    [
        replace(MOVE, proceeds=True),
        replace(MOVE, course=Course(home=BLUE, goes_back=True)),
    ],
    ids=["onAlarm=proceed", "a rollback"],
)
def test_it_goes_on_where_that_was_said_or_users_go_back(stage: Stage, move: Move) -> None:
    stage.senses.firing = {"blue-errors": 1.0, "orders": 1.0}
    stage.perform(move)
    assert stage.cloud.weights == all_on(GREEN)
    assert any("the alarm orders is firing already" in line for line in stage.lasting)


def test_an_alarm_that_the_new_colour_got_from_an_earlier_release_counts_when_it_rings_again(stage: Stage) -> None:
    stage.senses.firing = {"green-errors": 1.0}
    stage.after(50, stage.senses.firing.clear)
    stage.after(150, lambda: stage.senses.firing.update({"green-errors": 2.0}))
    stage.fails(CheckFailed)
    assert stage.cloud.writes == ["moving", *STEPS[:2], "weights blue 100 green 0", "restored"]


def test_an_alarm_of_the_new_colour_that_never_cleared_is_a_breach_after_the_warm_up_window(
    stage: Stage,
) -> None:
    """It fired while its tasks were starting, and what users get keeps it firing."""
    stage.senses.firing = {"green-errors": 1.0}
    assert "the alarm green-errors is firing" in stage.fails(CheckFailed).what
    assert stage.cloud.weights == all_on(BLUE)
    assert stage.seconds >= 60 + 120


def test_an_alarm_of_the_new_colour_that_clears_in_time_is_none(stage: Stage) -> None:
    stage.senses.firing = {"green-errors": 1.0}
    stage.after(170, stage.senses.firing.clear)
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_a_cloudwatch_that_does_not_answer_is_reported_before_anybody_depends_on_it(stage: Stage) -> None:
    def denied(*_: float) -> Any:
        raise CloudError("AWS refused GetMetricData.")

    stage.senses._traffic = denied  # type: ignore[method-assign]
    stage.fails(CloudError)
    assert stage.cloud.writes == []


def test_credentials_have_to_last_for_all_checks_and_the_longest_bakes() -> None:
    bake = MOVE.bake((), 0.0, had_users=False)
    assert MOVE.longest(bake) == 3 * (2 * 10 + 120 + 60 + 120)
    quick = replace(MOVE, course=Course(home=BLUE))
    assert quick.longest(quick.bake((), 0.0, had_users=False)) == 20


@pytest.mark.parametrize("phase", [None, Phase.MOVED, Phase.RESTORED], ids=str)
def test_an_abort_request_for_a_switch_that_ended_is_removed_first(stage: Stage, phase: Phase | None) -> None:
    journal = replace(TO_B, phase=phase).as_tags() if phase else {}
    stage.cloud.tags = journal | Abort(B.id, "ann").as_tags()
    stage.perform()
    assert stage.cloud.writes == ["untag abort", "moving", *STEPS, "moved"]
    assert ABORT not in stage.cloud.tags


# ---- alarms that say nothing


@pytest.mark.parametrize("name", ["orders", "green-errors"])
def test_an_alarm_that_is_not_there_when_the_switch_begins_is_refused(stage: Stage, name: str) -> None:
    stage.senses.deleted = {name}
    assert stage.fails(Refused).what == f"The alarm {name} cannot be watched: deleted, or never made."
    assert stage.cloud.writes == []


@pytest.mark.parametrize("course", [Course(home=BLUE, goes_back=True), None], ids=["going back", "onAlarm=proceed"])
def test_where_alarms_do_not_stop_it_one_that_is_not_there_is_reported(stage: Stage, course: Course | None) -> None:
    stage.senses.deleted = {"orders"}
    stage.perform(replace(MOVE, course=course) if course else replace(MOVE, proceeds=True))
    assert stage.cloud.weights == all_on(GREEN)
    assert (
        "The alarm orders cannot be watched: deleted, or never made. That does not stop this switch." in stage.lasting
    )


@pytest.mark.parametrize("name", ["orders", "green-errors", "blue-errors"])
def test_an_alarm_that_is_deleted_in_the_middle_rolls_the_traffic_back(stage: Stage, name: str) -> None:
    stage.after(130, lambda: stage.senses.deleted.add(name))
    assert f"the alarm {name} can no longer be watched: deleted" in stage.fails(CheckFailed).what
    assert stage.cloud.weights == all_on(BLUE)


def test_an_alarm_that_one_answer_of_aws_does_not_have_is_not_deleted(stage: Stage) -> None:
    stage.after(130, lambda: stage.senses.deleted.add("orders"))
    stage.after(134, stage.senses.deleted.clear)
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_an_alarm_without_data_is_reported_in_the_timeline_and_is_no_breach(stage: Stage) -> None:
    stage.senses.no_data = {"green-errors"}
    stage.after(50, lambda: stage.senses.no_data.clear())
    stage.after(130, lambda: stage.senses.no_data.update({"green-errors", "orders"}))
    stage.after(140, lambda: probes_fail(stage))
    told = stage.fails(CheckFailed).what
    assert "12:00:00  no data for the alarm green-errors: no sign of health" in told
    assert "12:02:10  no data for the alarms green-errors, orders: no sign of health" in told
    assert sum("no data" in line for line in stage.lasting) == 2


def test_alarms_without_data_all_the_time_do_not_stop_a_switch(stage: Stage) -> None:
    stage.senses.no_data = {"green-errors", "orders"}
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_where_nothing_is_watched_an_alarm_without_data_is_also_reported(stage: Stage) -> None:
    stage.senses.no_data = {"orders"}
    stage.perform(replace(MOVE, course=Course(home=BLUE)))
    assert "no data for the alarm orders: no sign of health" in stage.lasting


# ---- breaches


def no_targets(stage: Stage) -> None:
    stage.cloud.sides[GREEN] = replace(stage.cloud.sides[GREEN], targets=())


def one_sick_target(stage: Stage) -> None:
    stage.cloud.sides[GREEN] = sick(stage.cloud.sides[GREEN])


def an_alarm(stage: Stage) -> None:
    stage.senses.firing["orders"] = 5.0


def probes_fail(stage: Stage) -> None:
    stage.senses.failing["green's test listener"] = "HTTP 500"


def users_errors(stage: Stage) -> None:
    stage.senses.errors[GREEN] = 60.0


def no_answers(stage: Stage) -> None:
    stage.senses.unanswered = 18


def users_stay_away(stage: Stage) -> None:
    stage.senses.per_minute[GREEN] = 0.0


def hands_move_weights(stage: Stage) -> None:
    stage.cloud.weights = {BLUE: 70, GREEN: 30}


def hands_delete_the_rule(stage: Stage) -> None:
    stage.cloud.weights = None


BREACHES = [
    (no_targets, "green has no healthy target"),
    (one_sick_target, "green has had only 1 of 2 targets healthy for 32 s"),
    (an_alarm, "the alarm orders is firing"),
    (probes_fail, "probes of green's test listener failed, the last one with: HTTP 500"),
    (users_errors, "requests to green failed, but only 0.0 % of"),
    (no_answers, "the load balancer itself answered 36 requests with 5xx in 120 s"),
    (users_stay_away, "no traffic: CloudWatch counted 0 user requests to green"),
    (hands_move_weights, "somebody else changed the weights"),
]


@pytest.mark.parametrize(("breach", "reason"), BREACHES, ids=[breach.__name__ for breach, _ in BREACHES])
def test_a_breach_rolls_all_traffic_back_and_says_why(stage: Stage, breach: Any, reason: str) -> None:
    stage.after(130, lambda: breach(stage))
    failed = stage.fails(CheckFailed)
    assert reason in failed.what
    assert stage.cloud.weights == all_on(BLUE)
    assert stage.cloud.writes[-2:] == ["weights blue 100 green 0", "restored"]
    assert stage.journal == replace(TO_B, phase=Phase.RESTORED)
    assert stage.senses.prober is not None
    assert stage.senses.prober.stopped


def test_the_failure_tells_the_timeline_and_the_last_words_of_the_release(stage: Stage) -> None:
    well = stage.cloud.sides[GREEN]
    ill = replace(well, targets=(well.targets[0], replace(well.targets[1], state="unhealthy")))
    earlier = Task(arn="task/refused", deployment="ecs-svc/1", status="STOPPED")
    ill = replace(ill, tasks=(earlier, *ill.tasks))
    stage.after(128, lambda: stage.cloud.sides.update({GREEN: ill}))
    stage.after(130, lambda: an_alarm(stage))
    told = stage.fails(CheckFailed).what
    first, *lines = told.splitlines()
    had = "green had up to 50 % of the users within 130 s; their traffic was rolled back to blue"
    assert first == f"{had}: the alarm orders is firing"
    assert [line.strip() for line in lines] == [
        "timeline of weights (UTC):",
        "12:00:00  blue 90%, green 10%  step 1 of 3",
        "12:02:00  blue 50%, green 50%  step 2 of 3",
        "12:02:10  blue 100%, green 0%  rolled back",
        "last log lines of green:",
        "task/10.0.2.2 says 0",
        "task/10.0.2.2 says 1",
    ]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_checks_that_fail_at_any_step_roll_the_traffic_back(stage: Stage, number: int) -> None:
    def fails(run: int) -> None:
        if run == number:
            refused(run)

    stage.senses.on_check = fails
    failed = stage.fails(CheckFailed)
    assert "The smoke gate refused green" in failed.what
    assert failed.users is Users.RESTORED, "the check did not know of the move"
    assert stage.cloud.writes == ["moving", *STEPS[: (number + 1) // 2], "weights blue 100 green 0", "restored"]


def test_a_colour_that_was_deployed_to_between_two_steps_is_left(stage: Stage) -> None:
    stage.after(119, lambda: stage.cloud.sides.update({GREEN: holding(B, "ecs-svc/3", colour_number=2)}))
    assert "no longer what passed the gates" in stage.fails(CheckFailed).what
    assert stage.cloud.writes == ["moving", STEPS[0], "weights blue 100 green 0", "restored"]


def test_an_answer_of_aws_that_is_old_is_no_hand(stage: Stage) -> None:
    def old() -> None:
        stage.cloud.weights = all_on(BLUE)

    def new() -> None:
        stage.cloud.weights = {BLUE: 90, GREEN: 10}

    stage.after(10, old)
    stage.after(14, new)
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


def test_a_rule_that_was_deleted_by_hand_is_no_way_back_and_reported(stage: Stage) -> None:
    stage.after(10, lambda: hands_delete_the_rule(stage))
    stage.cloud.before_write = lambda what: _gone(stage, what)
    failed = stage.fails(CloudError)
    assert failed.what.startswith("THE TRAFFIC COULD NOT BE ROLLED BACK")
    assert failed.users is Users.UNSURE
    assert "deleted the production rule" in failed.why


def _gone(stage: Stage, what: str) -> None:
    if stage.cloud.weights is None and what.startswith("weights"):
        raise CloudError(f"there is no rule for: {what}")


# ---- a person


def test_an_interrupt_while_it_is_watched_rolls_back_the_traffic(stage: Stage) -> None:
    stage.after(130, stage.cancelled.set)
    told = str(stage.fails(Cancelled))
    assert told.endswith("\nKind: Interrupted\nUsers: restored")
    assert told.startswith(
        "The switch was interrupted. green had up to 50 % of the users within 130 s; their traffic was"
    )
    assert stage.cloud.writes[-2:] == ["weights blue 100 green 0", "restored"]


def test_a_person_may_abort_it(stage: Stage) -> None:
    stage.after(130, lambda: stage.cloud.tags.update(Abort(B.id, "ann").as_tags()))
    failed = stage.fails(Interrupted)
    assert "ann asked to abort this switch." in failed.what
    assert stage.cloud.writes[-3:] == ["weights blue 100 green 0", "restored", "untag abort"]
    assert stage.journal == replace(TO_B, phase=Phase.RESTORED)
    assert ABORT not in stage.cloud.tags


def test_an_abort_request_is_honoured_where_nothing_is_watched(stage: Stage) -> None:
    stage.senses.on_check = lambda _: stage.cloud.tags.update(Abort(B.id, "ann").as_tags())
    stage.fails(Interrupted, replace(MOVE, course=Course(home=BLUE)))
    assert stage.cloud.weights == all_on(BLUE)


def test_an_abort_request_for_another_release_is_none(stage: Stage) -> None:
    stage.after(10, lambda: stage.cloud.tags.update(Abort("0123456789ab", "ann").as_tags()))
    stage.perform()
    assert stage.cloud.weights == all_on(GREEN)


# ---- where the traffic is rolled back to


def blue_dies(stage: Stage) -> None:
    stage.cloud.sides[BLUE] = replace(stage.cloud.sides[BLUE], targets=())


def test_traffic_is_not_rolled_back_to_a_colour_that_died(stage: Stage) -> None:
    stage.after(130, lambda: (blue_dies(stage), an_alarm(stage)))
    failed = stage.fails(CheckFailed)
    assert failed.users is Users.UNSURE
    assert failed.what.startswith(
        "THE TRAFFIC COULD NOT BE ROLLED BACK: blue has no healthy target any more. All users stay on"
    )
    assert stage.cloud.weights == all_on(GREEN)
    assert stage.journal == TO_B, "the next update finishes or undoes it"


def test_traffic_rolls_back_although_aws_does_not_say_who_is_healthy(stage: Stage) -> None:
    def broken(_: Any) -> Any:
        raise CloudError("AWS does not answer.")

    stage.after(130, lambda: (an_alarm(stage), setattr(stage.cloud, "health", broken)))
    stage.fails(CloudError)
    assert stage.cloud.weights == all_on(BLUE)


DIVIDED = {BLUE: 50, GREEN: 50}
RESUMED = replace(MOVE, expected=DIVIDED, course=Course(steps=(100,), bake=120, home=BLUE))


def divided(stage: Stage) -> None:
    stage.cloud.weights, stage.cloud.tags = dict(DIVIDED), TO_B.as_tags()


def test_a_resumed_switch_goes_on_from_where_users_are(stage: Stage) -> None:
    divided(stage)
    stage.perform(RESUMED)
    assert stage.cloud.writes == ["moving", STEPS[2], "moved"]


REQUESTED = Abort(B.id, "ann").as_tags()


def test_an_abort_request_that_came_while_a_resumed_switch_was_at_its_gates_is_honoured(stage: Stage) -> None:
    """`release abort` takes it as soon as the update holds the lock: the journal says that the switch is under way."""
    divided(stage)
    stage.cloud.tags |= REQUESTED
    failed = stage.fails(Interrupted, RESUMED)
    assert failed.users is Users.RESTORED, "some were on green"
    text = "The switch was interrupted: ann asked to abort this switch. No more traffic was moved; all"
    assert failed.what.startswith(text)
    assert stage.cloud.writes == ["weights blue 100 green 0", "restored", "untag abort"]
    assert (stage.senses.checked, stage.seconds) == ([], 0)


def test_an_abort_request_for_a_resumed_switch_is_honoured_although_an_alarm_is_firing(stage: Stage) -> None:
    divided(stage)
    stage.cloud.tags |= REQUESTED
    stage.senses.firing = {"orders": 1.0}
    stage.fails(Interrupted, RESUMED)
    assert stage.cloud.weights == all_on(BLUE)


def test_an_abort_request_for_a_switch_that_moved_no_traffic_is_honoured_when_it_begins_anew(stage: Stage) -> None:
    stage.cloud.tags = TO_B.as_tags() | REQUESTED
    failed = stage.fails(Interrupted)
    assert failed.users is Users.UNTOUCHED, "all of them were on blue"
    text = "The switch was interrupted: ann asked to abort this switch. No more traffic was moved;"
    assert failed.what.startswith(text)
    assert stage.journal == replace(TO_B, phase=Phase.RESTORED)


def test_an_undo_removes_the_abort_request_that_it_fulfils(stage: Stage) -> None:
    stage.cloud.weights, stage.cloud.tags = dict(DIVIDED), TO_B.as_tags() | REQUESTED
    back = Pass(digest=A.digest, run=RUN, colour="blue", taskDefinition=f"app:{A.id}", deployment="ecs-svc/1")
    course = Course(home=BLUE, goes_back=True)
    stage.perform(replace(MOVE, live=BLUE, release=A, expected=DIVIDED, passed=back, course=course))
    assert stage.cloud.writes == ["untag abort", "moving", "weights blue 100 green 0", "moved"]


def test_a_resumed_switch_that_breaks_puts_all_users_on_the_recorded_colour(stage: Stage) -> None:
    divided(stage)
    stage.after(30, lambda: an_alarm(stage))
    stage.fails(CheckFailed, RESUMED)
    assert stage.cloud.weights == all_on(BLUE)
    assert stage.journal == replace(TO_B, phase=Phase.RESTORED)


FINISH = replace(MOVE, expected=all_on(GREEN), course=Course(steps=(), bake=120, home=BLUE))


def all_there(stage: Stage) -> None:
    stage.cloud.weights, stage.cloud.tags = all_on(GREEN), TO_B.as_tags()


def test_a_finish_makes_up_for_the_bake_and_writes_only_the_end_of_the_journal(stage: Stage) -> None:
    all_there(stage)
    stage.perform(FINISH)
    assert stage.cloud.writes == ["moved"]
    assert stage.seconds >= 120


def test_an_abort_request_for_a_finish_is_honoured_at_once(stage: Stage) -> None:
    all_there(stage)
    stage.cloud.tags |= REQUESTED
    assert "ann asked to abort" in stage.fails(Interrupted, FINISH).what
    assert stage.cloud.writes == ["weights blue 100 green 0", "restored", "untag abort"]


def test_an_abort_request_that_came_too_late_for_a_switch_does_not_undo_its_record(stage: Stage) -> None:
    """The journal says that it was done; only the record is missing."""
    stage.cloud.weights, stage.cloud.tags = all_on(GREEN), replace(TO_B, phase=Phase.MOVED).as_tags() | REQUESTED
    stage.perform(replace(FINISH, course=Course(steps=(), home=BLUE)))
    assert stage.cloud.writes == ["untag abort", "moved"]


def test_a_finish_that_breaks_rolls_the_traffic_back_to_what_is_recorded(stage: Stage) -> None:
    all_there(stage)
    stage.after(30, lambda: an_alarm(stage))
    told = stage.fails(CheckFailed, FINISH).what
    back = "Users were on green, which is not recorded; their traffic was rolled back to blue"
    assert told.startswith(f"{back}: the alarm orders")
    assert stage.cloud.writes == ["weights blue 100 green 0", "restored"]


@pytest.mark.parametrize("name", ["green-errors", "orders"])
def test_an_alarm_that_is_firing_when_a_finish_begins_counts_against_the_release(stage: Stage, name: str) -> None:
    """Users have been on it since the switch that was killed; it must not be recorded, and be proof, all the same."""
    all_there(stage)
    stage.senses.firing = {name: 1.0}
    assert f"the alarm {name} is firing" in stage.fails(CheckFailed, FINISH).what
    assert stage.cloud.writes == ["weights blue 100 green 0", "restored"]


def test_a_finish_goes_on_in_spite_of_an_alarm_where_that_was_said(stage: Stage) -> None:
    all_there(stage)
    stage.senses.firing = {"green-errors": 1.0, "orders": 1.0}
    stage.perform(replace(FINISH, proceeds=True))
    assert stage.cloud.writes == ["moved"]


def test_a_finish_with_no_home_that_fails_leaves_everything_as_it_was(stage: Stage) -> None:
    """As when what somebody moved by hand was to be adopted, or two switches were interrupted."""
    all_there(stage)

    stage.senses.on_check = refused
    told = stage.fails(CheckFailed, replace(FINISH, course=Course(steps=(), goes_back=True))).what
    assert told.startswith("Users were not moved by this update; they are on green: The smoke gate refused green.")
    assert (stage.cloud.writes, stage.journal) == ([], TO_B)


UNDO = replace(MOVE, expected=DIVIDED, standing=replace(RECORD, live_colour=GREEN, live=B))
UNDO = replace(UNDO, course=Course(home=GREEN, goes_back=True))


def test_a_way_back_does_not_wait_for_the_alarms(stage: Stage) -> None:
    """CloudWatch may be away just then."""

    waited: list[float] = []

    def away() -> Any:
        waited.append(patience.current().seconds)
        raise CloudError("AWS did not do cloudwatch:DescribeAlarms")

    senses_of = stage.senses.of
    stage.senses.of = lambda *given: replace(senses_of(*given), alarms=away)  # type: ignore[method-assign]
    back = replace(MOVE, course=Course(home=BLUE, goes_back=True))
    assert stage.perform(back)
    assert stage.cloud.weights == all_on(GREEN)
    assert max(waited) <= patience.SPARED_WITHIN
    assert any("The alarms were not read" in each for each in stage.lasting)
    stage.cloud.weights = all_on(BLUE)
    assert "DescribeAlarms" in stage.fails(CloudError, replace(MOVE, course=Course(home=BLUE))).what


def test_an_undo_whose_check_fails_leaves_users_on_the_recorded_release(stage: Stage) -> None:
    """And says so in the journal: it is over."""
    divided(stage)

    stage.senses.on_check = refused
    told = stage.fails(CheckFailed, UNDO).what
    assert told.startswith("A check failed, but users stay on green, where they are recorded to be")
    assert stage.cloud.weights == all_on(GREEN)
    end = End(GREEN, B.digest, B.id)
    assert stage.journal == Journal(source=end, to=end, phase=Phase.RESTORED)


def test_an_undo_whose_colour_dies_leaves_no_user_on_it(stage: Stage) -> None:
    """They were divided; all of them go to the colour that can serve them, with the journal of then."""
    divided(stage)

    def dies(_: int) -> None:
        stage.cloud.sides[GREEN] = replace(stage.cloud.sides[GREEN], targets=())
        refused(0)

    stage.senses.on_check = dies
    failed = stage.fails(CheckFailed, UNDO)
    assert failed.users is Users.UNSURE
    text = "THE TRAFFIC COULD NOT BE ROLLED BACK: green has no healthy target any more. All users"
    assert failed.what.startswith(text)
    assert stage.cloud.weights == all_on(BLUE)
    assert stage.journal == TO_B


@pytest.mark.parametrize("found", [TO_B.as_tags(), {}, {"release-lane:phase": "moved", "team": "x"}], ids=str)
def test_where_users_go_back_to_where_they_were_found_the_journal_of_then_is_written_back(
    stage: Stage, found: dict[str, str]
) -> None:
    """Else it would explain what somebody did by hand."""
    stage.cloud.weights, stage.cloud.tags = dict(DIVIDED), dict(found)

    stage.senses.on_check = refused
    stage.fails(CheckFailed, replace(MOVE, expected=DIVIDED, course=Course()))
    assert (stage.cloud.weights, stage.cloud.tags) == (DIVIDED, found)


def test_an_abort_that_is_honoured_at_the_beginning_leaves_users_where_no_rollback_is_possible(stage: Stage) -> None:
    """The recorded release is nowhere any more: users and journal stay as they were found, and the request is gone."""
    divided(stage)
    stage.cloud.tags |= REQUESTED
    failed = stage.fails(Interrupted, replace(RESUMED, course=Course(steps=(100,), bake=120)))
    assert "No more traffic was moved; users are served blue 50%, green 50%" in failed.what
    assert failed.users is Users.UNTOUCHED
    assert (stage.cloud.weights, stage.cloud.tags) == (DIVIDED, TO_B.as_tags())


# ---- a service whose answers name no release


FOREIGN = {"port": 3000, "health_path": "/healthz", "status_path": ""}


def answering(stage: Stage, old: Release, new: Release) -> Move:
    """The same switch between two releases that are asked in other ways."""
    stage.cloud.releases = {BLUE: old, GREEN: new}
    stage.cloud.sides = {BLUE: holding(old, "ecs-svc/1"), GREEN: holding(new, "ecs-svc/2", colour_number=2)}
    passed = replace(MOVE.passed, taskDefinition=f"app:{new.id}", unchecked=new.service.asked.unchecked)
    return replace(MOVE, release=new, standing=replace(RECORD, live=old, history=(old,)), passed=passed)


def urls(stage: Stage) -> list[str]:
    return [url.removeprefix("http://127.0.0.1") for url, _ in stage.senses.checked]


def test_users_of_a_service_that_names_no_release_are_moved_step_by_step(stage: Stage) -> None:
    """Its probes ask the new colour alone, whose target group says which one it is: CloudWatch counts are exact."""
    old, new = (replace(each, service=Service(**FOREIGN, identify=Identify.NONE)) for each in (A, B))
    recorded = stage.perform(answering(stage, old, new))
    assert stage.cloud.writes == ["moving", *STEPS, "moved"]
    assert recorded is not None
    assert stage.senses.prober is not None
    (place,) = stage.senses.prober.places
    assert (place.name, place.colour, place.asked.path) == ("green's test listener", GREEN, "/healthz")
    assert urls(stage) == ["", ":9002", "", ":9002", ""], "the live URL is checked, no matter which release answers"
    unchecked = recorded.evidence[-1].unchecked
    assert unchecked[:2] == new.service.asked.unchecked
    assert unchecked[2:] == ("the switch did not probe the live URL: its answers do not say which release gave them",)


def test_a_probe_that_fails_is_a_breach_although_no_release_is_named(stage: Stage) -> None:
    old, new = (replace(each, service=Service(**FOREIGN, identify=Identify.NONE)) for each in (A, B))
    stage.senses.failing["green's test listener"] = "HTTP 503"
    assert "probes of green's test listener failed" in stage.fails(CheckFailed, answering(stage, old, new)).what
    assert stage.cloud.weights == all_on(BLUE)


def test_two_releases_that_are_asked_in_different_ways_are_not_asked_together(stage: Stage) -> None:
    """One of them knows nothing of the other one's paths; that is no fault of either."""
    new = replace(B, service=Service(**FOREIGN, identify=Identify.HEADER))
    recorded = stage.perform(answering(stage, A, new))
    assert urls(stage) == [":9002", ":9002", ""]
    assert recorded is not None
    assert stage.senses.prober is not None
    assert [place.colour for place in stage.senses.prober.places] == [GREEN]
    (switched,) = recorded.evidence[-1].unchecked[len(new.service.asked.unchecked) :]
    assert switched == (
        "the live URL was neither checked nor probed while two releases shared it: they are asked in different ways"
    )


def test_without_steps_the_two_share_nothing_but_the_live_url_is_not_probed(stage: Stage) -> None:
    new = replace(B, service=Service(**FOREIGN, identify=Identify.HEADER))
    move = answering(stage, A, new)
    once = replace(move, course=replace(move.course, steps=(100,)))
    for course, said in ((once.course, "was not probed: the two releases"), (replace(once.course, bake=0), "")):
        text = "; ".join(replace(move, course=course).unchecked())
        assert "shared it" not in text
        assert said in text
        assert said or "probe" not in text


def test_a_service_that_names_itself_in_headers_is_probed_at_the_live_url(stage: Stage) -> None:
    old, new = (replace(each, service=Service(**FOREIGN, identify=Identify.HEADER)) for each in (A, B))
    recorded = stage.perform(answering(stage, old, new))
    assert stage.senses.prober is not None
    assert [place.name for place in stage.senses.prober.places] == ["the live URL", "green's test listener"]
    assert recorded is not None
    assert recorded.evidence[-1].unchecked == new.service.asked.unchecked


# ---- which image runs, by ECS's own word


def test_a_task_of_another_image_is_not_what_passed_the_gates(stage: Stage) -> None:
    """Whatever its answers say: the digest of every task is asked for."""
    first, *others = stage.cloud.sides[GREEN].tasks
    stage.cloud.sides[GREEN] = replace(stage.cloud.sides[GREEN], tasks=(replace(first, digest=A.digest), *others))
    assert "green is no longer what passed the gates" in stage.fails(CheckFailed).what
    assert stage.cloud.weights == all_on(BLUE)


def test_tasks_that_run_the_image_of_their_platform_are(stage: Stage) -> None:
    amd64 = "sha256:" + "d" * 64
    green = stage.cloud.sides[GREEN]
    stage.cloud.sides[GREEN] = replace(green, tasks=tuple(replace(task, digest=amd64) for task in green.tasks))
    assert "no longer what passed" in stage.fails(CheckFailed).what
    stage.cloud.images = {B.digest: frozenset({B.digest, amd64})}
    assert stage.perform() is not None
