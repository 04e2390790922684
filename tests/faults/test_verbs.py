"""What each verb of the command costs in calls to AWS is recorded in verbs.json, and does not grow unnoticed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from release_lane.command.parser import every_verb

from tests.faults.budget import Budget, Timed
from tests.faults.verbs import NO_AWS, PAGE, Counting, counting, recorded, spent, story, table, verb_of

RECORDED = recorded()
ROOM = 1
"""More in sequence than recorded: it is not exact which calls overlap."""

AT_MOST = {
    "rollback": Budget(calls=30, in_sequence=14),
    "promote": Budget(calls=40, in_sequence=18),
    "heal, nothing to do": Budget(calls=16, in_sequence=6),
}
"""Besides the ledger, whatever was recorded. An update with nothing to do is one without a digest: `deploy` asks the
registry for the one that it is given."""


@pytest.mark.pure
def test_every_verb_is_recorded_or_cannot_call_aws() -> None:
    verbs = {verb.NAME: verb for verb in every_verb()}
    assert {verb_of(name) for name in RECORDED} | NO_AWS.keys() == verbs.keys()
    for name, verb in verbs.items():
        assert (name in NO_AWS) is not getattr(verb, "NEEDS_PROJECT", True), f"{name} gets tools that call AWS"


@pytest.mark.pure
@pytest.mark.parametrize("name", AT_MOST)
def test_no_more_is_recorded_than_may_be(name: str) -> None:
    needs, most = RECORDED[name].without_ledger, AT_MOST[name]
    assert needs.calls <= most.calls
    assert needs.in_sequence + ROOM <= most.in_sequence


@pytest.mark.pure
def test_the_page_says_what_is_recorded() -> None:
    assert table(RECORDED) + "\n" in PAGE.read_text()


class SoFar:
    """The story as far as it went."""

    def __init__(self, lane: Counting) -> None:
        self._rest = story(lane)
        self._known: dict[str, list[Timed]] = {}

    def calls(self, name: str) -> list[Timed]:
        """Those of this part; what comes before it goes first."""
        while name not in self._known:
            part, calls = next(self._rest)
            self._known[part] = calls
        return self._known[name]

    def parts(self) -> list[str]:
        """All of it, up to its end."""
        self._known.update(self._rest)
        return list(self._known)


@pytest.fixture(scope="module")
def so_far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoFar]:
    for lane in counting(tmp_path_factory.mktemp("verbs") / "checkout"):
        yield SoFar(lane)


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", RECORDED)
def test_a_verb_makes_no_more_calls_than_recorded(so_far: SoFar, name: str) -> None:
    calls = so_far.calls(name)
    now, most = spent(calls), RECORDED[name]
    over = {
        of: f"{got} instead of {limit}"
        for of, got, limit in (
            ("calls", now.without_ledger.calls, most.without_ledger.calls),
            ("in sequence", now.without_ledger.in_sequence, most.without_ledger.in_sequence + ROOM),
            ("calls with the ledger", now.in_all.calls, most.in_all.calls),
            ("in sequence with the ledger", now.in_all.in_sequence, most.in_all.in_sequence + ROOM),
        )
        if got > limit
    }
    assert not over, [each.call.name for each in sorted(calls, key=lambda each: each.begun)]


@pytest.mark.cloud
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_each_part_of_the_story_is_recorded(so_far: SoFar) -> None:
    assert so_far.parts() == list(RECORDED)
