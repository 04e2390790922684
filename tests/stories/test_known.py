"""Stories find the state that they begin from, whatever the story before left. No cloud here: a model of one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from tests.stories.known import STEPS, Clear, Give, Heal, Held, NotReached, Seen, Step, Wanted, bring, next_step
from tools.lane import Result

pytestmark = pytest.mark.pure
IMAGES = ("good", "better")
DIGESTS = (*IMAGES, "other")
HELD = tuple(Held(digest, as_set) for digest in DIGESTS for as_set in (True, False))
OK, FAILED = Result(0, "", 0.0), Result(1, "the gate refused", 0.0)


@dataclass
class FakeEnvironment:
    """What steps do to an environment: an update releases, and what was live is idle then. `fails`: so many updates do,
    and leave an idle colour that holds something else."""

    seen: Seen
    fails: int = 0
    done: list[Step] = field(default_factory=list)

    def look(self) -> Seen:
        return self.seen

    def do(self, step: Step) -> Result:
        self.done.append(step)
        if self.fails and step != Clear():
            self.fails -= 1
            self.seen = replace(self.seen, standby=False)
            return FAILED
        match step:
            case Clear():
                self.seen = replace(self.seen, odd="", standby=True)
            case Heal():
                self.seen = replace(self.seen, standby=True)
            case Give(digest=digest):
                assert digest
                self.seen = Seen(live=Held(digest), idle=self.seen.live)
        return OK


def wants() -> Iterator[Wanted]:
    for live, idle in itertools.product(("", *DIGESTS), (None, "", *DIGESTS)):
        if live != idle or not live:
            yield Wanted(images=IMAGES, live=live, idle=idle)


def environments() -> Iterator[Seen]:
    for odd, standby in itertools.product(("", "a lock"), (True, False)):
        yield Seen(odd=odd)
        for live, idle in itertools.product(HELD, (None, *HELD)):
            if live != idle:
                yield Seen(odd=odd, standby=standby, live=live, idle=idle)


def reached(seen: Seen, wanted: Wanted) -> bool:
    def fits(held: Held | None, digest: str) -> bool:
        return held is not None and held.as_set and digest in ("", held.digest)

    idle = wanted.idle is None or fits(seen.idle, wanted.idle)
    return not seen.odd and fits(seen.live, wanted.live) and idle and seen.standby


def test_from_anywhere_to_anywhere_in_three_updates_and_none_where_it_is_already() -> None:
    for seen, wanted in itertools.product(environments(), wants()):
        environment = FakeEnvironment(seen)
        bring(environment.look, environment.do, wanted)
        assert reached(environment.seen, wanted), (seen, wanted, environment.done)
        assert len([step for step in environment.done if step != Clear()]) <= 3, (seen, wanted, environment.done)
        assert (environment.done == []) == reached(seen, wanted), (seen, wanted, environment.done)


def test_an_idle_colour_that_only_lacks_its_tasks_is_healed_and_no_traffic_moves() -> None:
    seen = Seen(live=Held("better"), idle=Held("good"), standby=False)
    assert next_step(seen, Wanted(images=IMAGES)) == Heal()


def test_a_configuration_of_another_story_is_left_by_a_rollback_that_starts_no_task() -> None:
    seen = Seen(live=Held("better", as_set=False), idle=Held("good"))
    assert next_step(seen, Wanted(images=IMAGES, idle=None)) == Give("good")


@pytest.mark.parametrize("fails", [0, 1])
def test_an_update_that_fails_once_is_cleared_up_after(fails: int) -> None:
    environment = FakeEnvironment(Seen(live=Held("good")), fails)
    bring(environment.look, environment.do, Wanted(images=IMAGES, live="better"))
    assert environment.done.count(Clear()) == fails
    assert reached(environment.seen, Wanted(images=IMAGES, live="better"))


def test_what_cannot_be_brought_there_is_given_up_with_what_was_said_last() -> None:
    environment = FakeEnvironment(Seen(live=Held("good")), fails=STEPS)
    with pytest.raises(NotReached, match="the gate refused"):
        bring(environment.look, environment.do, Wanted(images=IMAGES, live="better"))
    assert len(environment.done) < STEPS


def test_what_stays_odd_is_cleared_once_and_given_up() -> None:
    environment = FakeEnvironment(Seen(odd="weights"))
    done: list[Step] = []
    with pytest.raises(NotReached, match="weights"):
        bring(environment.look, lambda step: done.append(step) or OK, Wanted(images=IMAGES))
    assert done == [Clear()]
