"""How much of the previous release the idle colour keeps."""

from __future__ import annotations

from typing import Any

import pytest
from release_lane.decide.decision import Deploy, Heal, Keep, Requested, TrafficOnly, decide
from release_lane.record.placement import Release
from release_lane.record.records import Scaling, Side
from tests.decide.situations import GREEN, SCALED_TO_ZERO, SERVICE, SICK, A, B, C, observed, recorded, side

pytestmark = pytest.mark.pure

RECORD = recorded(GREEN, A, B)


def holding(of: Release, tasks: int, **over: Any) -> Side:
    return side(of, **{"wanted": tasks, "running": tasks, "healthy": tasks, **over})


def decided(idle: Side, tasks: int | None, live: Side | None = None) -> Any:
    """What an update without a request does while B serves from green."""
    request = Requested(service=SERVICE, idle_tasks=tasks)
    return decide(RECORD, observed(idle, live or holding(B, 4), GREEN), request).decision


def test_by_default_it_keeps_as_many_tasks_as_serve() -> None:
    assert isinstance(decided(holding(A, 4), None), Keep)
    assert isinstance(decided(holding(A, 6), None), Keep)
    grown = decided(holding(A, 2), None)
    assert isinstance(grown, Heal)
    assert (grown.release, grown.tasks) == (A, 4)
    assert "on 2 tasks; it should run on 4" in grown.reason


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_it_is_reduced_to_what_the_stack_wants_kept_and_then_left_alone(tasks: int) -> None:
    reduced = decided(holding(A, 4), tasks)
    assert isinstance(reduced, Heal)
    assert (reduced.release, reduced.tasks) == (A, tasks)
    assert isinstance(decided(holding(A, tasks), tasks), Keep)


def test_it_may_be_emptied() -> None:
    emptied = decided(holding(A, 4), 0)
    assert isinstance(emptied, Heal)
    assert (emptied.release, emptied.tasks) == (None, 0)
    assert isinstance(decided(side(A, **SCALED_TO_ZERO), 0), Keep)


def test_no_task_is_stopped_while_the_live_colour_is_not_fully_healthy() -> None:
    sick = holding(B, 4, **SICK)
    assert isinstance(decided(holding(A, 4), 1, sick), Keep)
    assert isinstance(decided(holding(A, 4), 0, sick), Keep)


def test_a_reduced_colour_that_lost_its_tasks_gets_back_what_it_should_keep() -> None:
    for idle in (side(A, **SCALED_TO_ZERO), holding(C, 2)):
        healed = decided(idle, 2)
        assert isinstance(healed, Heal)
        assert (healed.release, healed.tasks) == (A, 2)


@pytest.mark.parametrize(("kept", "costs"), [(4, TrafficOnly), (2, Deploy), (0, Deploy)])
def test_going_back_to_a_reduced_colour_costs_a_deployment_instead_of_traffic_only(kept: int, costs: type) -> None:
    request = Requested(service=SERVICE, digest=A.digest, rollback_from=B.digest, idle_tasks=kept)
    back = decide(RECORD, observed(holding(A, kept), holding(B, 4), GREEN), request).decision
    assert isinstance(back, costs)
    if isinstance(back, Deploy):
        assert back.tasks == 4


def test_a_service_that_is_scaled_by_aws_is_as_large_as_aws_finds_right() -> None:
    scaling = Scaling(least=1, most=10)
    assert isinstance(decided(holding(A, 1, scaling=scaling), None), Keep)
    assert isinstance(decided(holding(A, 4, scaling=scaling), 1), Keep)
    assert isinstance(decided(holding(A, 1, scaling=Scaling(least=2, most=10)), None), Heal)
