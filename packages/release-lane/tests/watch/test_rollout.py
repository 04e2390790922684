"""The verdict over a colour: passed when all is as wanted, failed at the first terminal failure, else waiting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.watch.rollout import (
    Deployment,
    Failed,
    HealthCheck,
    Outcome,
    Passed,
    Reading,
    Target,
    Task,
    Waiting,
    Wanted,
    judge,
    own_words,
    with_own_words,
)

pytestmark = pytest.mark.pure

INDEX, AMD64, OTHER = ("sha256:" + letter * 64 for letter in "abc")
WANTED = Wanted(tasks=2, task_definition="app:7", manifests={INDEX, AMD64})
NEW = Deployment(id="ecs-svc/7", primary=True, task_definition="app:7", state="COMPLETED")
OLD = Deployment(id="ecs-svc/6", primary=False, task_definition="app:6", state="COMPLETED")


def task(number: int, **over: Any) -> Task:
    plain = Task(arn=f"task/{number}", deployment=NEW.id, status="RUNNING", digest=INDEX, ip=f"10.0.0.{number}")
    return replace(plain, **over)


def target(number: int, state: str = "healthy", reason: str = "") -> Target:
    return Target(ip=f"10.0.0.{number}", state=state, reason=reason)


def reading(
    tasks: tuple[Task, ...] = (task(1), task(2)),
    targets: tuple[Target, ...] = (target(1), target(2)),
    **over: Any,
) -> Reading:
    plain = Reading(exists=True, wanted=2, task_definition="app:7", deployments=(NEW,), tasks=tasks, targets=targets)
    return replace(plain, **over)


def test_all_wanted_tasks_of_the_primary_deployment_healthy_on_the_digest_pass() -> None:
    assert judge(reading(), WANTED) == Passed(NEW.id)


def test_no_tasks_pass_where_none_are_wanted() -> None:
    assert judge(reading((), (), wanted=0), replace(WANTED, tasks=0)) == Passed(NEW.id)


def test_a_platform_manifest_of_the_index_passes() -> None:
    assert judge(reading((task(1, digest=AMD64), task(2, digest=INDEX))), WANTED) == Passed(NEW.id)


@pytest.mark.parametrize("state", ["draining", "unused"])
def test_an_old_task_that_is_draining_and_stopped_is_no_obstacle(state: str) -> None:
    """AWS may still list it as unused once it has drained."""
    stopped = task(9, deployment=OLD.id, status="STOPPED", digest=OTHER, stopped_reason="Scaling activity initiated")
    seen = reading((task(1), task(2), stopped), (target(1), target(2), target(9, state)))
    assert judge(seen, WANTED) == Passed(NEW.id)


def test_a_retry_waits_for_a_deployment_of_its_own() -> None:
    """An answer of ECS that is too old still shows the deployment that failed."""
    failed = replace(NEW, state="FAILED", reason="tasks failed to start")
    again = replace(WANTED, retry_of=NEW.id)
    assert isinstance(judge(reading((), (), deployments=(failed,)), WANTED), Failed)
    assert isinstance(judge(reading((), (), deployments=(failed,)), again), Waiting)
    assert isinstance(judge(reading(), again), Waiting)
    assert judge(reading(), replace(WANTED, retry_of=OLD.id)) == Passed(NEW.id)


# ---- terminal failures of failure


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Reading(exists=False), "the service does not exist"),
        (reading(deployments=()), "the service does not exist"),
        (reading((task(1), task(2, digest=""))), "a task runs no image digest at all"),
        (reading((task(1), task(2, digest=OTHER))), "a task runs sha256:cccccccccccc"),
        (
            reading(
                (task(1, status="STOPPED", stop_code="TaskFailedToStart", stopped_reason="CannotPullContainerError"),)
            ),
            "CannotPullContainerError",
        ),
        (
            reading((task(1, status="STOPPED", stop_code="EssentialContainerExited", stopped_reason="exit code 1"),)),
            "exit code 1",
        ),
        (
            reading(
                (task(1, status="DEACTIVATING", stop_code="EssentialContainerExited", stopped_reason="exit code 1"),)
            ),
            "exit code 1",
        ),
        (
            reading((task(1, status="STOPPING", stopped_reason="Task failed ELB health checks in (target-group x)"),)),
            "Task failed ELB health checks",
        ),
        (reading(deployments=(replace(NEW, state="FAILED", reason="circuit breaker"),), tasks=()), "circuit breaker"),
        (reading(deployments=(replace(NEW, state="FAILED"),), tasks=()), "ECS says that the deployment failed"),
    ],
    ids=[
        "no service",
        "no deployment",
        "no image digest",
        "another image",
        "cannot be pulled",
        "exited",
        "exiting",
        "health checks failed",
        "circuit breaker",
        "failed without a reason",
    ],
)
def test_a_terminal_failure_ends_it_with_the_reason(seen: Reading, reason: str) -> None:
    outcome = judge(seen, WANTED)
    assert isinstance(outcome, Failed)
    assert reason in outcome.reason


def test_one_failed_task_fails_a_colour_whose_other_tasks_are_healthy() -> None:
    crashed = task(3, status="STOPPED", stop_code="EssentialContainerExited", stopped_reason="exit code 137")
    outcome = judge(reading((task(1), crashed), (target(1),)), WANTED)
    assert outcome == Failed("exit code 137", "task/3", exited=True)


def starts(*reasons: str) -> Reading:
    """One task is healthy; for the other ECS has tried so often."""
    late = [
        task(3 + number, status="STOPPED", stop_code="TaskFailedToStart", stopped_reason=reason)
        for number, reason in enumerate(reasons)
    ]
    return reading((task(1), *late), (target(1),))


DENIED = "ResourceInitializationError: unable to pull secrets: AccessDeniedException: not authorized"


@pytest.mark.parametrize(
    "reason",
    [
        DENIED,
        "Timeout waiting for network interface provisioning to complete.",
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): dial tcp: i/o timeout",
    ],
)
def test_a_task_that_did_not_start_for_a_reason_that_may_pass_is_started_again_by_ecs(reason: str) -> None:
    outcome = judge(starts(reason, reason), WANTED)
    assert outcome == Waiting(f"1 of 2 tasks running, 1 healthy; ECS tries again after: {reason}")
    assert judge(starts(reason, reason, reason), WANTED) == Failed(reason, "task/3")
    assert judge(reading(tasks=(task(1), task(2), *starts(reason).tasks[1:])), WANTED) == Passed(NEW.id)


def test_one_that_can_never_start_fails_at_once_also_next_to_one_that_may() -> None:
    gone = "ResourceInitializationError: unable to pull secrets: ResourceNotFoundException: no such secret"
    assert judge(starts(DENIED, gone), WANTED) == Failed(gone, "task/4")


def test_the_failed_task_is_named_so_that_its_log_can_be_read() -> None:
    assert judge(reading((task(1), task(2, digest=OTHER))), WANTED) == Failed(
        "a task runs sha256:cccccccccccc, which is not the requested image", "task/2"
    )


@pytest.mark.parametrize(
    "old",
    [
        {"status": "STOPPED", "stop_code": "EssentialContainerExited", "stopped_reason": "exit code 1"},
        {"status": "STOPPED", "stop_code": "TaskFailedToStart", "stopped_reason": "CannotPullContainerError"},
        {"status": "STOPPED", "stopped_reason": "Task failed ELB health checks"},
        {"status": "STOPPED", "digest": OTHER, "stop_code": "ServiceSchedulerInitiated"},
    ],
    ids=str,
)
def test_tasks_of_an_earlier_deployment_do_not_count(old: dict[str, Any]) -> None:
    assert judge(reading((task(1), task(2), task(8, deployment=OLD.id, **old))), WANTED) == Passed(NEW.id)


def test_a_healthy_task_that_was_only_scaled_in_does_not_fail_the_colour() -> None:
    scaled = task(3, status="STOPPED", stop_code="ServiceSchedulerInitiated", stopped_reason="Scaling activity")
    assert judge(reading((task(1), task(2), scaled)), WANTED) == Passed(NEW.id)


# ---- neither passed nor failed


def waits(outcome: Outcome, progress: str) -> None:
    assert outcome == Waiting(progress)


def test_it_waits_until_ecs_has_taken_up_the_task_definition_and_count() -> None:
    stale = replace(NEW, task_definition="app:6")
    taken_up = "ECS has not taken up the new task definition yet"
    waits(judge(reading(deployments=(stale,)), WANTED), taken_up)
    waits(judge(reading(wanted=1), WANTED), "the service's desired count is 1, not 2 yet")


def test_a_failure_of_the_deployment_before_is_not_taken_for_this_one() -> None:
    failed = replace(NEW, task_definition="app:6", state="FAILED", reason="circuit breaker")
    assert isinstance(judge(reading(deployments=(failed,)), WANTED), Waiting)


def test_it_waits_for_tasks_to_start() -> None:
    waits(
        judge(reading((task(1), task(2, status="PENDING", digest="")), (target(1),)), WANTED),
        "1 of 2 tasks running, 1 healthy",
    )


@pytest.mark.parametrize("state", ["initial", "unhealthy", "unused", "draining"])
def test_it_waits_for_targets_to_become_healthy(state: str) -> None:
    """Unhealthy is no terminal failure: the task may be starting. ECS stops it once its grace period is over."""
    waits(judge(reading(targets=(target(1), target(2, state))), WANTED), "2 of 2 tasks running, 1 healthy")


def test_it_waits_for_tasks_to_be_registered() -> None:
    waits(judge(reading(targets=(target(1),)), WANTED), "2 of 2 tasks running, 1 healthy")


def test_it_waits_for_old_tasks_to_stop() -> None:
    old = task(8, deployment=OLD.id, digest=OTHER)
    seen = reading((task(1), task(2), old), (target(1), target(2), target(8)), deployments=(NEW, OLD))
    waits(judge(seen, WANTED), "2 of 2 tasks running, 2 healthy, 1 old to stop")


def test_it_waits_while_a_target_of_something_else_is_in_rotation() -> None:
    assert isinstance(judge(reading(targets=(target(1), target(2), target(66))), WANTED), Waiting)


def test_tasks_of_an_old_deployment_on_the_same_digest_are_not_enough() -> None:
    """A retry of the same image must be judged by its own tasks."""
    old = tuple(task(number, deployment=OLD.id) for number in (1, 2))
    assert isinstance(judge(reading(old, deployments=(replace(NEW, state="IN_PROGRESS"), OLD)), WANTED), Waiting)


@pytest.mark.parametrize("wanted", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("running", [0, 1, 2, 3, 5])
def test_only_the_wanted_number_passes(wanted: int, running: int) -> None:
    numbers = range(1, running + 1)
    seen = reading(tuple(map(task, numbers)), tuple(map(target, numbers)), wanted=wanted)
    assert isinstance(judge(seen, replace(WANTED, tasks=wanted)), Passed) is (wanted == running)


@pytest.mark.parametrize(
    ("reason", "description", "words"),
    [
        (
            "Target.ResponseCodeMismatch",
            "Health checks failed with these codes: [404]",
            "GET /healthz on port 3000 answered 404 (service.healthPath)",
        ),
        (
            "Target.FailedHealthChecks",
            "Health checks failed with these codes: [401, 403]",
            "GET /healthz on port 3000 answered 401, 403 (service.healthPath)",
        ),
        (
            "Target.ResponseCodeMismatch",
            "Health checks failed with these codes: [502]",
            "nothing listens there: service.port",
        ),
        ("Target.ResponseCodeMismatch", "", "answered not 200 (service.healthPath)"),
        ("Target.FailedHealthChecks", "Health checks failed", "nothing listens on 3000 (service.port)"),
        ("Target.Timeout", "Request timed out", "was not answered in time (healthCheck.timeoutSeconds)"),
    ],
)
def test_a_failed_health_check_is_reported_with_the_settings_that_decide_it(
    reason: str, description: str, words: str
) -> None:
    target = Target(ip="10.0.0.1", state="unhealthy", reason=reason, description=description)
    assert words in HealthCheck(port=3000, path="/healthz").verdict(target)


def test_where_the_load_balancer_gives_no_reason_none_is_made_up() -> None:
    assert HealthCheck(port=1, path="/").verdict(Target(ip="10.0.0.1", state="unhealthy")) == ""


# ---- ECS's own reasons

PULL = "CannotPullContainerError: ref not found"
PLACE = "(service p-blue) was unable to place a task. Reason: Capacity is unavailable at this time."
STEADY = "(service p-blue) has reached a steady state."
DONE = (
    "(service p-blue) has started 1 tasks: (task 1).",
    "(service p-blue) registered 1 targets in (target-group x)",
    "(service p-blue) deregistered 1 targets in (target-group x)",
    "(service p-blue) has begun draining connections on 1 tasks.",
    "(service p-blue) has stopped 1 running tasks: (task 1).",
    "(service p-blue) (deployment ecs-svc/7) deployment completed.",
)
ENDED = task(2, status="STOPPED", stop_code="TaskFailedToStart", stopped_reason=PULL)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (reading(), ()),
        (reading((task(1), ENDED), (target(1),)), (f"a task stopped: {PULL}",)),
        (reading((task(1), ENDED, replace(ENDED, arn="task/3")), (target(1),)), (f"a task stopped: {PULL}",)),
        (reading((task(1), replace(ENDED, deployment=OLD.id)), (target(1),)), ()),
        (
            reading((task(1), replace(ENDED, stop_code="ServiceSchedulerInitiated", stopped_reason="Scaling"))),
            (),
        ),
        (reading((task(1),), (target(1),), events=(*DONE, PLACE, *DONE)), (PLACE,)),
        (reading((task(1),), (target(1),), events=(DONE[0], STEADY, PLACE)), ()),
        (
            reading((task(1), ENDED), (target(1),), events=(PLACE, STEADY)),
            (PLACE, f"a task stopped: {PULL}"),
        ),
        (
            reading(targets=(target(1), target(2, "unhealthy", "Target.ResponseCodeMismatch [502]"))),
            ("a target is unhealthy: Target.ResponseCodeMismatch [502]",),
        ),
        (reading(deployments=(), events=(PLACE,)), (PLACE,)),
    ],
    ids=[
        *("all is well", "a task that cannot start", "the same twice", "of another deployment", "scaled in"),
        *("no capacity", "before it was steady", "both", "a sick target", "no deployment"),
    ],
)
def test_why_a_colour_is_not_as_wanted_is_reported_in_ecs_own_words(seen: Reading, said: tuple[str, ...]) -> None:
    assert own_words(seen) == said
    assert with_own_words("late", seen) == ("late" + (f"; ECS says: {'; '.join(said)}" if said else ""))


def test_of_many_reasons_the_newest_are_reported() -> None:
    many = tuple(f"(service p-blue) was unable to place a task ({number})" for number in range(9))
    assert own_words(reading((task(1),), (target(1),), events=many)) == many[:3]
