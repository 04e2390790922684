"""Turns to start in: a task keeps its turn until it is healthy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.ecs.booting import Turns
from local_aws.emulator.ecs.model import LoadBalancer, Task, TaskStatus
from local_aws.emulator.ecs.store import Pulse, Store
from local_aws.emulator.wire import StateFile

pytestmark = pytest.mark.provider

LONGEST, MOMENT = 10.0, 0.2
GROUP = (LoadBalancer(target_group="group", container="app", port=8080),)


@dataclass
class Script(Pulse):
    """A pulse on which something happens whenever somebody waits for it."""

    happenings: list[Callable[[], Any]] = field(default_factory=list)
    waits: list[float | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def wait(self, seen: int, timeout: float | None) -> int:
        self.waits.append(timeout)
        self.happenings.pop(0)()
        return seen


@dataclass
class World:
    """A store with one task that has just been launched."""

    store: Store
    script: Script
    now: float = 100.0

    def add(self, arn: str, **changes: Any) -> str:
        task = Task(
            arn=arn,
            cluster="cluster",
            task_definition="definition",
            group="service:web",
            started_by="ecs-svc/1",
            containers=(),
            created_at=self.now,
            load_balancers=GROUP,
        )
        with self.store.changing():
            self.store.tasks[arn] = task
            self.store.edit_task(arn, **changes)
        return arn

    def started(self, arn: str) -> None:
        self.store.change_task(arn, last_status=TaskStatus.RUNNING, started_at=self.now)

    def turns(self, at_once: int = 1) -> Turns:
        return Turns(self.store, at_once, LONGEST)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    script = Script()
    made = World(Store(StateFile(tmp_path / "state.json"), script, clock=lambda: made.now), script)
    yield made
    made.store.close()


def test_a_turn_lasts_until_the_task_is_healthy(world: World) -> None:
    one = world.add("one")
    world.script.happenings = [lambda: None, lambda: world.store.change_task(one, steady_at=world.now)]
    with world.turns().of(one):
        world.started(one)
    assert len(world.script.waits) == 2
    assert not world.script.happenings


@pytest.mark.parametrize("changes", [{"desired_status": "STOPPED"}, {"last_status": TaskStatus.STOPPED}])
def test_or_until_it_ends(world: World, changes: dict[str, Any]) -> None:
    one = world.add("one")
    world.script.happenings = [lambda: world.store.change_task(one, **changes)]
    with world.turns().of(one):
        world.started(one)
    assert not world.script.happenings


def test_or_until_it_had_time_enough(world: World) -> None:
    one = world.add("one")

    def later() -> None:
        world.now += LONGEST

    world.script.happenings = [later]
    with world.turns().of(one):
        world.started(one)
    assert world.script.waits == [LONGEST]


def test_a_task_without_a_load_balancer_is_not_waited_for(world: World) -> None:
    one = world.add("one", load_balancers=())
    with world.turns().of(one):
        world.started(one)
    assert not world.script.waits


def test_a_task_that_did_not_start_is_not_waited_for(world: World) -> None:
    with world.turns().of(world.add("one")):
        pass
    assert not world.script.waits


def test_the_next_one_has_its_turn_afterwards(world: World) -> None:
    one, other = world.add("one"), world.add("other")
    turns, order = world.turns(), list[str]()

    def launch_other() -> None:
        with turns.of(other):
            order.append("the other begins")

    thread = threading.Thread(target=launch_other)

    def meanwhile() -> None:
        thread.start()
        thread.join(MOMENT)  # if it may begin now, it has begun and ended by then
        order.append("the first is healthy")
        world.store.change_task(one, steady_at=world.now)

    world.script.happenings = [meanwhile]
    with turns.of(one):
        world.started(one)
    thread.join()
    assert order == ["the first is healthy", "the other begins"]


def test_two_turns_are_for_two_tasks(world: World) -> None:
    one, other = world.add("one"), world.add("other")
    turns, order = world.turns(at_once=2), list[str]()

    def meanwhile() -> None:
        with turns.of(other):
            order.append("the other begins")
        world.store.change_task(one, steady_at=world.now)

    world.script.happenings = [meanwhile]
    with turns.of(one):
        world.started(one)
    assert order == ["the other begins"]
