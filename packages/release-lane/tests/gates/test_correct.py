"""The rollout gate undoes what hands did to the idle service, and never touches one that serves."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from provider_kit import Context
from release_lane.errors import Refused
from release_lane.gates.rollout import correct
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service, Weights, all_on
from release_lane.watch.rollout import Wanted
from tests.gates.fake_cloud import FakeCloud, holding, names

pytestmark = pytest.mark.pure

BLUE, GREEN = Colour.BLUE, Colour.GREEN
A, B = (Release(digest=Digest("sha256:" + letter * 64), service=Service()) for letter in "ab")
WANTED = Wanted(tasks=3, task_definition=f"app:{B.id}", manifests=frozenset({B.digest}))


def context() -> Context:
    def log(*_: Any, **__: Any) -> None:
        """Quiet."""

    return Context(config={}, cancelled=threading.Event(), log=log, name="rollout")


def cloud(weights: Weights | None, tasks: int = 2) -> FakeCloud:
    sides = {BLUE: holding(A, "ecs-svc/1"), GREEN: holding(B, "ecs-svc/2", tasks=tasks, colour_number=2)}
    return FakeCloud(names=names(80), sides=sides, releases={BLUE: A, GREEN: B}, weights=weights)


@pytest.mark.parametrize("weights", [all_on(BLUE), None], ids=["idle", "no users"])
def test_an_idle_service_that_hands_changed_is_correct(weights: Weights | None) -> None:
    at = cloud(weights)
    correct(context(), at, GREEN, WANTED)  # type: ignore[arg-type]
    assert at.writes == [f"green 3 of app:{B.id}"]


def test_one_that_is_right_is_left_alone() -> None:
    at = cloud(all_on(GREEN), tasks=3)
    correct(context(), at, GREEN, WANTED)  # type: ignore[arg-type]
    assert at.writes == []


@pytest.mark.parametrize("weights", [all_on(GREEN), {BLUE: 99, GREEN: 1}], ids=["all users", "one percent"])
def test_one_that_got_users_since_the_decision_is_refused_and_not_touched(weights: Weights) -> None:
    at = cloud(weights)
    with pytest.raises(Refused, match="green would be corrected, but gets users by now") as refused:
        correct(context(), at, GREEN, WANTED)  # type: ignore[arg-type]
    assert at.writes == []
    assert "run the update again" in refused.value.next_step
