"""Calls to AWS are counted: a look that is added, or made after another one instead of next to it, is noticed here."""

from __future__ import annotations

import json
import time

import pytest

from tests.faults.budget import LATENCY, Budget, Timed, besides_polls, chain
from tests.faults.stories import Scene, Story, keep, traffic_only
from tests.faults.wire import Call
from tools.lane import Result, Stack

NO_CHANGE = Budget(calls=16, in_sequence=6)
TRAFFIC_ONLY = Budget(calls=30, in_sequence=11)
PROMOTION = Budget(calls=36, in_sequence=14)
"""Without the polls of the rollout gate. One more in sequence than measured: it is not exact which calls overlap."""


def call(name: str, begun: float, ended: float, body: bytes = b"") -> Timed:
    service, _, operation = name.partition(":")
    return Timed(Call(service, operation, "json", "key", body), begun, ended)


@pytest.mark.pure
def test_calls_in_sequence_are_the_longest_chain() -> None:
    calls = [call("a:A", 0, 3), call("b:B", 0, 1), call("b:C", 1, 2), call("b:D", 2.5, 4), call("a:E", 3, 4)]
    assert chain(calls) == ["b:B", "b:C", "b:D"]
    assert chain([]) == []


@pytest.mark.pure
def test_of_the_looks_of_a_gate_that_waits_the_last_one_counts() -> None:
    def look(at: float) -> list[Timed]:
        listed = call("ecs:ListTasks", at, at + 1, b'{"desiredStatus": "STOPPED"}')
        return [call("ecs:DescribeServices", at, at + 1), listed, call("ecs:DescribeTasks", at + 1, at + 2)]

    first, last = call("ecr:DescribeImages", 0, 1), call("elasticloadbalancing:ModifyRule", 40, 41)
    assert besides_polls([first, *look(10), *look(20), *look(30), last]) == [first, *look(30), last]
    assert besides_polls([first, last]) == [first, last]
    assert besides_polls([first, *look(10), last, *look(50)]) == [first, *look(10), last, *look(50)], "not in a row"


def promotion(scene: Scene, through: Stack) -> Result:
    """The live image with another configuration: new tasks, through all gates."""
    return through.up(imageDigest=scene.live, env=json.dumps({"LOG_LEVEL": str(time.time_ns())}))


def spent(scene: Scene, story: Story) -> list[Timed]:
    """The lane's own calls of a story that ends well."""
    scene.proxy.begin()
    result = story(scene, scene.behind())
    assert result.ok, result.text
    return besides_polls(scene.proxy.timed)


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("story", "budget"),
    [(keep, NO_CHANGE), (traffic_only, TRAFFIC_ONLY), (promotion, PROMOTION)],
    ids=["keep", "traffic only", "promotion"],
)
def test_an_update_stays_within_its_budget_of_calls(
    scene: Scene, story: Story, budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.proxy, "latency", LATENCY)
    calls = spent(scene, story)
    sequence = chain(calls)
    print(f"{story.__name__}: {len(calls)} calls, {len(sequence)} in sequence: {' '.join(sequence)}")
    assert len(calls) <= budget.calls, sorted(each.call.name for each in calls)
    assert len(sequence) <= budget.in_sequence, sequence
