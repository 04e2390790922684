"""What is looked at again and again is told when it changes, and now and then: each line stays in a CI log."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from gates.kit import Context, Progress
from gates.rollout import wait_for
from release.digest import Digest
from release.placement import Colour, Release, Service, all_on
from release.rollout import Reading, Wanted
from tests.gates.fake_cloud import FakeCloud, holding, names, sick

pytestmark = pytest.mark.pure

B = Release(digest=Digest("sha256:" + "b" * 64), service=Service())


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
        def read(self, colour: Colour, target_group: str | None) -> Reading:
            del colour, target_group
            return next(looks)

    cloud = Starting(names=names(80), sides={}, releases={}, weights=all_on(Colour.BLUE))
    wanted = Wanted(tasks=2, task_definition=f"app:{B.id}", manifests=frozenset({B.digest}))
    heard = Heard()
    assert wait_for(heard.context, cloud, Colour.GREEN, wanted, 60) == "ecs-svc/2"  # type: ignore[arg-type]
    assert heard.said == ["green: 2 of 2 tasks running, 1 healthy (0 of 60 s)"]
