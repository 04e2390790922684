"""What is looked at again and again is reported when it changes, and now and then: each line stays in a CI log."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

import pytest
from provider_kit import Context, Progress
from release_lane.errors import CheckFailed
from release_lane.gates.rollout import wait_for
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import Known
from release_lane.watch.rollout import HealthCheck, Reading, Target, Wanted
from tests.gates.fake_cloud import FakeCloud, holding, names, sick

pytestmark = pytest.mark.pure

B = Release(digest=Digest("sha256:" + "b" * 64), service=Service())
CHECK = HealthCheck(port=3001, path="/healthz")


@dataclass
class Heard:
    """What a person sees; `time` in seconds."""

    time: float = 0.0
    said: list[str] = field(default_factory=list)

    @property
    def context(self) -> Context:
        def log(text: str, urn: str, *, severity: str, ephemeral: bool) -> None:
            del urn, severity, ephemeral
            self.said.append(text)

        return Context(config={}, cancelled=threading.Event(), log=log, name="rollout")


def test_the_same_is_said_again_after_ten_seconds_and_something_else_at_once() -> None:
    heard = Heard()
    told = Progress(heard.context, lambda: heard.time)
    for time in range(0, 25, 2):
        heard.time = time
        told.say(f"{'one' if time < 22 else 'two'} runs ({time} s)", "one" if time < 22 else "two")
    assert heard.said == ["one runs (0 s)", "one runs (10 s)", "one runs (20 s)", "two runs (22 s)"]


def test_the_rollout_gate_does_not_say_each_of_its_looks() -> None:
    whole = holding(B, "ecs-svc/2")
    looks = iter([sick(whole)] * 4 + [whole])

    class Starting(FakeCloud):
        def read(self, colour: Colour, target_group: str | None, known: Known | None = None) -> Reading:
            del colour, target_group, known
            return next(looks)

    cloud = Starting(names=names(80), sides={}, releases={}, weights=all_on(Colour.BLUE))
    wanted = Wanted(tasks=2, task_definition=f"app:{B.id}", manifests=frozenset({B.digest}))
    heard = Heard()
    assert wait_for(heard.context, cloud, Colour.GREEN, wanted, 60, CHECK) == whole  # type: ignore[arg-type]
    assert heard.said == ["green: 2 of 2 tasks running, 1 healthy (0 of 60 s)"]


def refused(*looks: Reading, deadline: float = 60) -> tuple[CheckFailed, Heard]:
    seen = iter(looks)

    class Starting(FakeCloud):
        def read(self, colour: Colour, target_group: str | None, known: Known | None = None) -> Reading:
            del colour, target_group, known
            return next(seen)

    cloud = Starting(names=names(80), sides={}, releases={}, weights=all_on(Colour.BLUE))
    wanted = Wanted(tasks=2, task_definition=f"app:{B.id}", manifests=frozenset({B.digest}))
    heard = Heard()
    with pytest.raises(CheckFailed) as failed:
        wait_for(heard.context, cloud, Colour.GREEN, wanted, deadline, CHECK)  # type: ignore[arg-type]
    return failed.value, heard


WHOLE = holding(B, "ecs-svc/2")
REFUSED = replace(
    WHOLE,
    targets=(
        Target(
            ip="10.0.1.1", state="unhealthy", reason="Target.FailedHealthChecks", description="Health checks failed"
        ),
    ),
)
ECS = "Task failed ELB health checks in (target-group x)"


def stopped(reason: str, code: str = "ServiceSchedulerInitiated") -> Reading:
    """As ECS leaves it: the task stops, its target is forgotten."""
    first, *others = WHOLE.tasks
    ending = replace(first, status="STOPPING", stop_code=code, stopped_reason=reason)
    return replace(WHOLE, tasks=(ending, *others), targets=())


def test_what_the_load_balancer_said_before_it_forgot_the_task_is_the_reason() -> None:
    error, heard = refused(REFUSED, stopped(ECS))
    assert "The rollout gate refused green: nothing listens on 3001 (service.port)" in error.what
    assert error.why == ECS
    assert error.next_step.startswith("fix the image or its configuration in the stack file")
    assert heard.said[0] == (
        "green: 2 of 2 tasks running, 0 healthy; nothing listens on 3001 (service.port), or it does not speak HTTP "
        "(0 of 60 s)"
    )


def test_a_container_that_ended_by_itself_is_not_reported_as_a_wrong_port() -> None:
    error, _ = refused(REFUSED, stopped("Essential container in task exited", "EssentialContainerExited"))
    assert "refused green: Essential container in task exited" in error.what
    assert "service.port" not in error.what


def test_tasks_that_never_get_well_are_reported_with_the_load_balancers_reason() -> None:
    error, _ = refused(REFUSED, deadline=-1)
    assert "nothing listens on 3001" in error.what
    assert error.why.startswith("not fully healthy after ")


# ---- How often it looks -------------------------------------------------------------------------------------


class Passing(threading.Event):
    """An interrupt that never comes; time passes by waiting for it."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.heard.time += timeout
        return False


def looks_at(course: dict[float, Reading], deadline: float, looks: list[float]) -> list[float]:
    """The seconds at which the gate looked at a colour that looks like this from so many seconds on."""
    heard = Heard()

    class Changing(FakeCloud):
        def read(self, colour: Colour, target_group: str | None, known: Known | None = None) -> Reading:
            del colour, target_group, known
            looks.append(heard.time)
            return course[max(since for since in course if since <= heard.time)]

    cloud = Changing(names=names(80), sides={}, releases={}, weights=all_on(Colour.BLUE))
    wanted = Wanted(tasks=2, task_definition=f"app:{B.id}", manifests=frozenset({B.digest}))
    context = replace(heard.context, cancelled=Passing(heard))
    wait_for(context, cloud, Colour.GREEN, wanted, deadline, CHECK, lambda: heard.time)  # type: ignore[arg-type]
    return looks


def starting(status: str) -> Reading:
    """No target yet; both tasks are as ECS says."""
    return replace(WHOLE, tasks=tuple(replace(task, status=status) for task in WHOLE.tasks), targets=())


def found_late(course: dict[float, Reading], looks: list[float]) -> list[float]:
    """By how many seconds each change was found too late."""
    return [round(min(look for look in looks if look >= at) - at, 3) for at in course]


def test_while_fargate_brings_up_tasks_it_looks_seldom_and_when_they_can_get_healthy_often() -> None:
    course = {0.0: starting("PROVISIONING"), 25.1: starting("PENDING"), 40.1: sick(WHOLE), 70.1: WHOLE}
    looks = looks_at(course, 300, [])
    assert sum(look < 20 for look in looks) < 25
    assert max(found_late(course, looks)[:3]) <= 5
    assert found_late(course, looks)[3] <= 1


def test_where_tasks_start_in_a_second_it_is_there_at_once() -> None:
    course = {0.0: starting("PROVISIONING"), 0.31: starting("PENDING"), 0.95: sick(WHOLE), 1.85: WHOLE}
    assert max(found_late(course, looks_at(course, 300, []))) <= 0.2


def test_a_rollout_that_does_not_come_about_in_time_is_refused_in_ecs_own_words() -> None:
    """Nothing else says that Fargate has no capacity: no task fails, none is there."""
    says = "(service p-green) was unable to place a task. Reason: Capacity is unavailable at this time."
    nothing = replace(WHOLE, tasks=(), targets=(), events=(says,))
    with pytest.raises(CheckFailed) as refused:
        looks_at({0.0: nothing}, 30, [])
    assert f"not fully healthy after 30 s: 0 of 2 tasks running, 0 healthy; ECS says: {says}" in refused.value.what


def test_the_deadline_is_kept_however_seldom_it_looks() -> None:
    looks: list[float] = []
    with pytest.raises(CheckFailed, match="not fully healthy after 61 s"):
        looks_at({0.0: starting("PROVISIONING")}, 61, looks)
    assert 61 < looks[-1] < 61.5


def test_a_task_that_only_started_slowly_is_no_reason_for_another_one_that_is_missing() -> None:
    one = replace(WHOLE, tasks=WHOLE.tasks[:1], targets=WHOLE.targets[:1])
    with pytest.raises(CheckFailed) as refused:
        looks_at({0.0: REFUSED, 1.0: one}, 30, [])
    assert "not fully healthy after" in refused.value.what
    assert "service.port" not in refused.value.what
