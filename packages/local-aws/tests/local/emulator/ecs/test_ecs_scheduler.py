"""The scheduler as tables: a service, its tasks and their targets' health in; the next steps out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from local_aws.emulator.ecs import scheduler
from local_aws.emulator.ecs.model import (
    Container,
    Deployment,
    DeploymentRules,
    Event,
    LoadBalancer,
    RolloutState,
    Service,
    Task,
    TaskStatus,
)
from local_aws.emulator.ecs.scheduler import (
    AnnounceSteady,
    AnnounceStuck,
    Complete,
    Deactivate,
    Fail,
    MarkSteady,
    Retire,
    Start,
    Stop,
    View,
    Wait,
    plan,
)
from tests.local.emulator.ecs.fake_targets import FakeHealth

pytestmark = pytest.mark.pure

NOW, GROUP, PORT = 1000.0, "group", 8080
NEW, OLD = "ecs-svc/2", "ecs-svc/1"
SCALING = f"Scaling activity initiated by (deployment {NEW})"


def deployment(id: str = NEW, **changes: Any) -> Deployment:
    made = Deployment(
        id=id,
        task_definition=f"definition-of-{id}",
        load_balancers=(LoadBalancer(target_group=GROUP, container="app", port=PORT),),
        network={},
        created_at=0.0,
        updated_at=0.0,
    )
    return replace(made, **changes)


def service(*deployments: Deployment, desired: int = 2, rules: DeploymentRules | None = None, **more: Any) -> Service:
    made = Service(
        arn="service",
        name="web",
        cluster="cluster",
        desired=desired,
        rules=rules or DeploymentRules(breaker=True),
        grace=0.0,
        created_at=0.0,
        deployments=deployments or (deployment(),),
    )
    return replace(made, **more)


@dataclass
class World:
    """Builds tasks one after the other, each with its own address and its target's health."""

    numbers: count[int] = field(default_factory=lambda: count(1))
    tasks: list[Task] = field(default_factory=list)
    health: dict[tuple[str, int], FakeHealth] = field(default_factory=dict)

    def add(
        self,
        of: str = NEW,
        status: TaskStatus = TaskStatus.RUNNING,
        health: str | None = None,
        targets: bool = True,
        **changes: Any,
    ) -> World:
        number = next(self.numbers)
        ip = f"10.0.0.{number}"
        container = Container(name="app", image="i", essential=True, arn=f"c{number}", status="RUNNING")
        task = Task(
            arn=f"task/{number}",
            cluster="cluster",
            task_definition="d",
            group="service:web",
            started_by=of,
            containers=(container,),
            created_at=float(number),
            load_balancers=deployment().load_balancers if targets else (),
            last_status=status,
            ip=ip if status is TaskStatus.RUNNING else None,
            started_at=NOW - 1.0 if status is TaskStatus.RUNNING else None,
        )
        if health == "healthy":
            task = replace(task, steady_at=NOW - 0.5)
        self.tasks.append(replace(task, **changes))
        if health:
            self.health[(ip, PORT)] = FakeHealth(health, "Target.X", "Health checks failed")
        return self

    def view(self, of: Service, now: float = NOW) -> View:
        return View(of, tuple(self.tasks), {GROUP: self.health}, now, 1.0)


def healthy(count: int, of: str = NEW) -> World:
    world = World()
    for _ in range(count):
        world.add(of, health="healthy")
    return world


DONE = deployment(rollout=RolloutState.COMPLETED)
OLD_DONE = deployment(OLD, rollout=RolloutState.COMPLETED)
ROLLING = (deployment(), OLD_DONE)


def percent(minimum: int, maximum: int) -> DeploymentRules:
    return DeploymentRules(minimum_healthy_percent=minimum, maximum_percent=maximum)


@pytest.mark.parametrize(
    ("claim", "world", "of", "expected"),
    [
        ("a new service starts all its tasks", World(), service(), [Start(NEW, 2)]),
        ("no tasks wanted: done at once", World(), service(desired=0), [Complete(NEW)]),
        ("tasks that start are waited for", World().add(status=TaskStatus.PENDING), service(desired=1), []),
        ("registered is not healthy", World().add(health="initial"), service(desired=1), []),
        ("an unregistered target is not healthy", World().add(), service(desired=1), []),
        (
            "the first time a task is healthy is noted",
            World().add(health="healthy", steady_at=None),
            service(desired=1),
            [MarkSteady("task/1")],
        ),
        ("all healthy: completed", healthy(2), service(), [Complete(NEW)]),
        ("one of two is not enough", healthy(1).add(health="initial"), service(), []),
        ("completed and whole: steady", healthy(2), service(DONE), [AnnounceSteady()]),
        ("steady: nothing to do", healthy(2), service(DONE, steady=True), []),
        ("a lost task is replaced", healthy(1), service(DONE), [Start(NEW, 1)]),
        ("scaled in: the newest goes", healthy(3), service(DONE), [Stop("task/3", SCALING)]),
        (
            "scaled in: those without traffic go before the newest",
            healthy(1).add(status=TaskStatus.PENDING).add(health="healthy"),
            service(DONE),
            [Stop("task/2", SCALING)],
        ),
        ("minimum 100: new ones are started next to the old", healthy(2, OLD), service(*ROLLING), [Start(NEW, 2)]),
        (
            "minimum 100: nothing stops before a new one is healthy",
            healthy(2, OLD).add(health="initial").add(status=TaskStatus.PENDING),
            service(*ROLLING),
            [],
        ),
        (
            "minimum 100: one old for one new",
            healthy(2, OLD).add(health="healthy").add(health="initial"),
            service(*ROLLING),
            [Stop("task/2", SCALING)],
        ),
        (
            "all new healthy: all old go",
            healthy(2, OLD).add(health="healthy").add(health="healthy"),
            service(*ROLLING),
            [Stop("task/2", SCALING), Stop("task/1", SCALING)],
        ),
        (
            "minimum 0, maximum 100: old ones make room first",
            healthy(2, OLD),
            service(*ROLLING, rules=percent(0, 100)),
            [Stop("task/2", SCALING), Stop("task/1", SCALING)],
        ),
        (
            "minimum 50, maximum 100: half makes room",
            healthy(4, OLD),
            service(*ROLLING, desired=4, rules=percent(50, 100)),
            [Stop("task/4", SCALING), Stop("task/3", SCALING)],
        ),
        (
            "maximum 150: half may be started next to the old",
            healthy(4, OLD),
            service(*ROLLING, desired=4, rules=percent(100, 150)),
            [Start(NEW, 2)],
        ),
        (
            "the minimum is rounded up",
            healthy(3, OLD),
            service(*ROLLING, desired=3, rules=percent(50, 100)),
            [Stop("task/3", SCALING)],
        ),
        (
            "an old deployment drains: not completed yet",
            healthy(1).add(OLD, TaskStatus.DEACTIVATING, "draining", desired_status="STOPPED"),
            service(*ROLLING, desired=1),
            [],
        ),
        (
            "percentages that allow nothing are said to",
            healthy(1, OLD),
            service(*ROLLING, desired=1, rules=percent(50, 150)),
            [AnnounceStuck()],
        ),
        ("an old deployment without tasks is dropped", healthy(2), service(*ROLLING), [Retire(OLD)]),
        (
            "an unhealthy task is stopped",
            healthy(1).add(health="unhealthy"),
            service(DONE),
            [
                Stop(
                    "task/2",
                    "Task failed ELB health checks in (target-group group)",
                    failed=True,
                    event="(port 8080) is unhealthy in (target-group group) due to (reason Health checks failed)",
                )
            ],
        ),
        (
            "within the grace period it is left alone",
            World().add(health="unhealthy"),
            service(DONE, desired=1, grace=3.0),
            [Wait(2.0)],
        ),
        (
            "three failures in a row open the circuit breaker",
            World(),
            service(deployment(failed_tasks=3)),
            [Fail(NEW)],
        ),
        ("two do not", World(), service(deployment(failed_tasks=2, restarts=2)), [Start(NEW, 2)]),
        (
            "without a breaker it goes on, after a pause",
            World(),
            service(deployment(failed_tasks=4, restarts=4, last_failure_at=NOW - 5.0), rules=DeploymentRules()),
            [Wait(15.0)],
        ),
        (
            "and starts again when the pause is over",
            World(),
            service(deployment(failed_tasks=4, restarts=4, last_failure_at=NOW - 21.0), rules=DeploymentRules()),
            [Start(NEW, 2)],
        ),
        (
            "FAILED starts no more and leaves the old ones",
            healthy(2, OLD),
            service(deployment(rollout=RolloutState.FAILED), OLD_DONE),
            [],
        ),
        (
            "FAILED and scaled to nothing stops everything",
            healthy(1, OLD),
            service(deployment(rollout=RolloutState.FAILED), OLD_DONE, desired=0),
            [Stop("task/1", SCALING)],
        ),
        (
            "a deleted service stops its tasks",
            healthy(1),
            service(DONE, status="DRAINING", desired=0),
            [Stop("task/1", SCALING)],
        ),
        (
            "and waits for them",
            World().add(status=TaskStatus.STOPPING, desired_status="STOPPED"),
            service(DONE, status="DRAINING", desired=0),
            [],
        ),
        ("and is gone", World(), service(DONE, status="DRAINING", desired=0), [Deactivate()]),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_next_steps(claim: str, world: World, of: Service, expected: list[scheduler.Step]) -> None:
    assert plan(world.view(of)) == expected, claim


def without_targets(**changes: Any) -> Service:
    return service(deployment(load_balancers=(), **changes), desired=1)


def test_without_load_balancer_a_task_must_keep_running_for_a_while() -> None:
    world = World().add(targets=False)
    assert plan(world.view(without_targets())) == [Wait(scheduler.SETTLE - 1.0)]
    assert plan(world.view(without_targets(), NOW + scheduler.SETTLE)) == [MarkSteady("task/1")]


def test_a_container_check_that_is_not_passed_yet_keeps_a_task_from_being_healthy() -> None:
    world = healthy(1)
    world.tasks[0] = replace(
        world.tasks[0], containers=tuple(replace(c, health="UNKNOWN") for c in world.tasks[0].containers)
    )
    assert plan(world.view(service(desired=1))) == []


@pytest.mark.parametrize(("desired", "threshold"), [(0, 3), (1, 3), (6, 3), (7, 4), (40, 20), (400, 200), (4000, 200)])
def test_breaker_threshold_is_half_of_the_tasks_between_3_and_200(desired: int, threshold: int) -> None:
    assert scheduler.breaker_threshold(desired) == threshold


def test_pauses_grow_and_end_at_a_quarter_of_an_hour() -> None:
    def pause(restarts: int) -> float:
        of = service(deployment(restarts=restarts, last_failure_at=NOW))
        return scheduler.pause_left(World().view(of))

    pauses = [pause(n) for n in range(12)]
    assert pauses[:6] == [0, 0, 0, 10, 20, 40]
    assert max(pauses) == pause(1000) == scheduler.LONGEST_PAUSE


def test_failures_count_in_a_row_only() -> None:
    of = service()
    for _ in range(2):
        of = scheduler.after_failure(of, NEW, NOW)
    assert of.primary.failed_tasks == 2
    of = scheduler.after_steady_task(of, NEW)
    assert (of.primary.failed_tasks, of.primary.restarts) == (0, 0)


def test_failures_after_completion_slow_restarts_down_but_do_not_fail_the_deployment() -> None:
    of = service(DONE)
    for _ in range(9):
        of = scheduler.after_failure(of, NEW, NOW)
    assert (of.primary.failed_tasks, of.primary.restarts) == (0, 9)
    assert isinstance(plan(World().view(of))[0], Wait)


def test_without_rollback_a_failed_deployment_stays_primary_and_failed() -> None:
    of = scheduler.after_circuit_break(service(*ROLLING, completed=OLD_DONE), NOW)
    assert [d.id for d in of.deployments] == [NEW, OLD]
    assert of.primary.rollout is RolloutState.FAILED
    assert of.primary.reason == "ECS deployment circuit breaker: tasks failed to start."


def test_with_rollback_the_last_completed_deployment_is_primary_again() -> None:
    rules = DeploymentRules(breaker=True, rollback=True)
    of = scheduler.after_circuit_break(service(*ROLLING, rules=rules, completed=OLD_DONE), NOW)
    assert [d.id for d in of.deployments] == [OLD, NEW]
    assert of.primary.rollout is RolloutState.IN_PROGRESS
    assert of.primary.reason == f"ECS deployment circuit breaker: rolling back to deploymentId {OLD}."
    assert of.deployments[1].rollout is RolloutState.FAILED


# ---------------------------------------------------------------- whatever happens


@dataclass
class Simulation:
    """Applies steps as the real control does, with the tester deciding what becomes of each task."""

    of: Service
    world: World
    now: float = NOW

    def settle(self) -> None:
        """Apply steps until some task must become something; time passes only when nothing else is left to do."""
        for _ in range(200):
            steps = plan(self.world.view(self.of, self.now))
            if not steps or (isinstance(steps[0], Wait) and self.starting()):
                return
            for step in steps:
                self.apply(step)
            self.check()
        raise AssertionError("the scheduler never comes to rest")

    def check(self) -> None:
        view = self.world.view(self.of, self.now)
        limit = max(self.of.desired * self.of.rules.maximum_percent // 100, self.most_before)
        assert len(view.live) <= limit

    def starting(self) -> list[Task]:
        return [t for t in self.world.tasks if t.last_status is TaskStatus.PENDING]

    @property
    def most_before(self) -> int:
        return sum(t.started_by == OLD for t in self.world.tasks)

    def serving(self) -> int:
        return sum(self.world.view(self.of, self.now).healthy(t) for t in self.world.tasks)

    @property
    def stuck(self) -> bool:
        return any(e.message.endswith(scheduler.STUCK) for e in self.of.events)

    def apply(self, step: scheduler.Step) -> None:
        match step:
            case Start(_, number):
                for _ in range(number):
                    self.world.add(self.of.primary.id, TaskStatus.PENDING)
            case Stop(task, _, failed):
                self.end(task)
                if failed:
                    self.of = scheduler.after_failure(self.of, self.task(task).started_by, self.now)
            case MarkSteady(task):
                self.edit(task, steady_at=self.now)
                self.of = scheduler.after_steady_task(self.of, self.task(task).started_by)
            case Complete():
                self.of = scheduler.after_completion(self.of, self.now)
            case Fail():
                self.of = scheduler.after_circuit_break(self.of, self.now)
            case Retire(gone):
                left = tuple(d for d in self.of.deployments if d.id != gone)
                self.of = replace(self.of, deployments=left)
            case AnnounceSteady():
                self.of = replace(self.of, steady=True)
            case Wait(seconds):
                self.now += seconds
            case AnnounceStuck():
                self.of = replace(self.of, events=(Event(id="e", at=NOW, message=scheduler.STUCK),))

    def task(self, arn: str) -> Task:
        return next(t for t in self.world.tasks if t.arn == arn)

    def edit(self, arn: str, **changes: Any) -> None:
        self.world.tasks = [replace(t, **changes) if t.arn == arn else t for t in self.world.tasks]

    def end(self, arn: str) -> None:
        self.edit(arn, last_status=TaskStatus.STOPPED, desired_status="STOPPED")

    def become(self, task: Task, fate: str) -> None:
        match fate:
            case "runs well":
                self.edit(task.arn, last_status=TaskStatus.RUNNING, ip=f"ip-{task.arn}", started_at=self.now)
                self.world.health[(f"ip-{task.arn}", PORT)] = FakeHealth("healthy")
            case "fails its check":
                self.edit(task.arn, last_status=TaskStatus.RUNNING, ip=f"ip-{task.arn}", started_at=self.now)
                self.world.health[(f"ip-{task.arn}", PORT)] = FakeHealth("unhealthy")
            case "exits":
                self.end(task.arn)
                self.of = scheduler.after_failure(self.of, task.started_by, self.now)


FATES = st.sampled_from(["runs well", "fails its check", "exits"])


@given(
    desired=st.integers(1, 8),
    minimum=st.sampled_from([0, 50, 100]),
    extra=st.sampled_from([0, 10, 50, 100]),
    fates=st.lists(FATES, max_size=30),
)
def test_a_rollout_keeps_its_percentages_and_ends_whole_or_failed(
    desired: int, minimum: int, extra: int, fates: list[str]
) -> None:
    rules = DeploymentRules(minimum_healthy_percent=minimum, maximum_percent=100 + extra, breaker=True)
    simulation = Simulation(service(*ROLLING, desired=desired, rules=rules, completed=OLD_DONE), healthy(desired, OLD))
    remaining = iter(fates)
    for _ in range(100):
        simulation.settle()
        assert simulation.serving() >= desired * minimum / 100, "fewer healthy tasks than the minimum"
        if not simulation.starting():
            break
        simulation.become(simulation.starting()[0], next(remaining, "runs well"))
    of = simulation.of
    assert simulation.stuck == (of.primary.rollout is RolloutState.IN_PROGRESS)
    if of.primary.rollout is RolloutState.COMPLETED:
        assert [d.id for d in of.deployments] == [NEW]
        assert simulation.serving() == desired
