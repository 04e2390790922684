"""After any request, kill, fault or change by hand: the invariants of decisions, over any sequence.

`HYPOTHESIS_PROFILE=thorough pytest THIS_FILE` tries thousands of sequences.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from release_lane.decide.decision import Heal, Keep, OnAlarm, OnDrift, Prepare, Refuse, Requested
from release_lane.decide.lineage import Order, Relation
from release_lane.decide.shift import Shift
from release_lane.errors import CheckFailed
from release_lane.record.digest import Digest
from release_lane.record.halts import Halts
from release_lane.record.hold import Winner
from release_lane.record.journal import Journal, Phase
from release_lane.record.ledger import Draft, EntryKind
from release_lane.record.placement import Colour, Release, Service, all_on
from release_lane.record.records import Recorded
from tests.decide.fake_world import Breach, FakeWorld, Fault, Outcome, Step, requests_out

pytestmark = pytest.mark.pure

GOOD = [Digest("sha256:" + letter * 64) for letter in "abc"]
DEAD, FAULTY, UNKNOWN = (Digest("sha256:" + letter * 64) for letter in "def")
FRESH = Digest("sha256:" + "9" * 64)
FOREIGN = Digest("sha256:" + "0" * 64)
SERVICES = [Service(), Service(env={"LOG_LEVEL": "debug"}), Service(desired_count=3)]


def commit_of(digest: Digest) -> str:
    """All are of one line of history, in the order of their letters."""
    return digest[-40:]


LINE = [*GOOD, DEAD, FAULTY, UNKNOWN]
RELATIONS = {
    one: {commit_of(two): Relation(order=Order.OLDER if one < two else Order.NEWER) for two in LINE if two != one}
    for one in [*LINE, FRESH]
}

STOPPED = Halts(stopped=Draft(id="1", kind=EntryKind.STOPPED, at="2026-01-01T00:00:00Z").after(None, ""))

colours = st.sampled_from(Colour)
digests = st.sampled_from([None, *GOOD, *GOOD, *GOOD, DEAD, FAULTY, UNKNOWN])
switching = [Step.JOURNAL, Step.WEIGHTS, Step.LATER_WEIGHTS, Step.CONFIRMING, Step.ROLLING_BACK]
kills = st.none() | st.sampled_from(switching) | st.sampled_from(Step)
rollbacks = st.sampled_from(["live", "served", None, GOOD[0]])
now_and_then = st.sampled_from([False, False, False, True])
breaches = st.sampled_from([None, None, None, None, *Breach])


class Releasing(RuleBasedStateMachine):
    """Updates that succeed, fail or are killed; nothing is changed by hand."""

    hands = False

    def __init__(self) -> None:
        super().__init__()
        self.world = FakeWorld()
        self.service = SERVICES[0]
        self.idle: int | None = None
        self.halts = Halts()

    @initialize(
        guarded=st.booleans(),
        releases=st.lists(st.sampled_from(GOOD), max_size=3),
        steps=st.sampled_from([(100,), (10, 50, 100), (50, 100)]),
        idle=st.sampled_from([None, None, 1, 0]),
        hold=st.sampled_from([None, 10, 60]),
    )
    def environment(
        self, guarded: bool, releases: list[Digest], steps: tuple[int, ...], idle: int | None, hold: int | None
    ) -> None:
        """An environment that was released to in peace, or never."""
        faults = {DEAD: Fault.NEVER_HEALTHY, FAULTY: Fault.FAILS_SMOKE, FOREIGN: Fault.FAILS_SMOKE}
        self.idle = idle
        self.world = FakeWorld(
            guarded=guarded, shift=Shift(steps=steps, bake=60), faults=faults, registry={*GOOD, DEAD, FAULTY, FRESH}
        )
        for digest in releases:
            self.world.proves(digest)
            live = self.world.record.live.digest if self.world.record else None
            request = self._ask(digest=digest, rollback_from=live, allow_older=live)
            assert self.world.update(request) is Outcome.DONE
        self.world.shift = replace(self.world.shift, hold=hold)

    def _ask(self, **more: Any) -> Requested:
        """A request with what the stack file says."""
        asked = Requested(service=self.service, idle_tasks=self.idle, halts=self.halts, **more)
        return (
            replace(asked, commit=commit_of(asked.digest), relations=RELATIONS[asked.digest]) if asked.digest else asked
        )

    # ---- what may happen

    @rule(digest=st.sampled_from([*GOOD, *GOOD, DEAD, FAULTY]))
    @precondition(lambda self: self.world.guarded)
    def the_environment_before_proves(self, digest: Digest) -> None:
        self.world.proves(digest)

    @rule()
    @precondition(lambda self: self.world.guarded)
    def the_environment_before_loses_its_evidence(self) -> None:
        self.world.proven = ()

    @rule(service=st.sampled_from(SERVICES))
    def the_stack_file_changes(self, service: Service) -> None:
        self.service = service

    @rule()
    def time_passes(self) -> None:
        self.world.time_passes()

    @rule(colour=colours)
    def a_task_falls_sick(self, colour: Colour) -> None:
        self.world.falls_sick(colour)

    @rule(stopped=st.booleans())
    def the_line_is_stopped_or_goes_on(self, stopped: bool) -> None:
        self.halts = STOPPED if stopped else Halts()

    @rule(firing=st.sets(st.sampled_from([*Colour, None])))
    def alarms_fire_or_go_back_to_ok(self, firing: set[Colour | None]) -> None:
        self.world.firing = frozenset(firing)

    @rule(idle=st.sampled_from([None, 1, 0]))
    def the_stack_file_says_what_the_idle_colour_keeps(self, idle: int | None) -> None:
        self.idle = idle

    @rule(digest=st.sampled_from(GOOD), kill=kills, breach=breaches)
    def a_release(self, digest: Digest, kill: Step | None, breach: Breach | None) -> None:
        """Proven, and with the intent that it may need."""
        self.world.proves(digest)
        leaving = self._leaving("served")
        self._update(self._ask(digest=digest, rollback_from=leaving, allow_older=leaving), kill, breach)

    @rule(kill=kills, breach=breaches)
    def an_update_without_a_request(self, kill: Step | None, breach: Breach | None) -> None:
        self._update(self._ask(), kill, breach)

    @rule(hold=st.sampled_from([None, 10, 60]))
    def the_stack_file_says_whether_releases_are_held(self, hold: int | None) -> None:
        self.world.shift = replace(self.world.shift, hold=hold)

    @rule(winner=st.sampled_from(Winner), kill=kills, breach=breaches)
    @precondition(lambda self: self.world.record and self.world.record.hold)
    def the_hold_ends(self, winner: Winner, kill: Step | None, breach: Breach | None) -> None:
        self._update(self._ask(hold_end=winner), kill, breach)

    @rule(kill=kills, breach=breaches, restore=now_and_then)
    @precondition(lambda self: self.world.record)
    def back_to_what_is_recorded(self, kill: Step | None, breach: Breach | None, restore: bool) -> None:
        on_drift = OnDrift.RESTORE if restore else None
        self._update(self._ask(digest=self.world.record.live.digest, on_drift=on_drift), kill, breach)

    @rule(
        digest=digests,
        leaving=rollbacks,
        kill=kills,
        breach=breaches,
        restore=now_and_then,
        proceed=st.booleans(),
        older=rollbacks,
        winner=st.sampled_from([None, None, None, *Winner]),
    )
    def any_update(
        self,
        digest: Digest | None,
        leaving: Any,
        kill: Step | None,
        breach: Breach | None,
        restore: bool,
        proceed: bool,
        older: Any,
        winner: Winner | None,
    ) -> None:
        request = self._ask(
            digest=None if winner else digest,  # the settings refuse both
            hold_end=winner,
            rollback_from=self._leaving(leaving),
            on_drift=OnDrift.RESTORE if restore and not winner else None,
            on_alarm=OnAlarm.PROCEED if proceed else None,
            allow_older=self._leaving(older),
        )
        self._update(request, kill, breach)

    def _leaving(self, said: Any) -> Digest | None:
        """What rollbackFrom says: the recorded digest, the one that users really have, another one, or nothing."""
        record, serving = self.world.record, self.world.serving()
        held = self.world.sides[serving[0]].release if serving else None
        match said:
            case "live":
                return record.live.digest if record else None
            case "served":
                return held.digest if held else None
        return said  # type: ignore[no-any-return]

    def _update(self, request: Requested, kill: Step | None, breach: Breach | None) -> None:
        before = self.world.record
        outcome = self.world.update(request, kill, breach)
        if outcome is Outcome.DONE:
            self._success_is_true(request, before)

    def _success_is_true(self, request: Requested, before: Recorded | None) -> None:
        record = self.world.record
        if record is None:
            assert request.digest is None, "success without the release that was asked for"
            assert self.world.weights is None
            return
        begun = record.hold if before is None or before.hold is None else None
        if begun:  # what was live before may be sick as before any other release
            assert record.are(self.world.weights or {}), "success although users are not where it says"
            assert self.world.sides[begun.colour].runs(begun.release), "success although users are not where it says"
        else:
            assert self.world.live_is_well(), "success although users are not where it says"
        served = {release.digest for release in record.serves.values()}
        assert request.digest is None or request.digest in served, "success without the digest that was asked for"
        if request.hold_end:
            assert before, "a hold ended that was never recorded"
            assert before.hold, "a hold ended that was never recorded"
            assert record.hold is None, "success although the hold stands"
            won = before.hold.release if request.hold_end is Winner.NEW else before.live
            assert record.live == won, "the other release won"

    # ---- what must always hold

    @invariant()
    def users_get_whole_releases_that_passed_every_gate_here(self) -> None:
        world = self.world
        if world.by_hand:
            return
        serving = world.serving()
        if len(serving) > 1:
            journal = Journal.from_tags(world.tags)
            hold = world.record.hold if world.record else None
            assert hold or world.unrecorded, "users are divided by no hold, and no switch was killed meanwhile"
            if world.unrecorded:
                assert journal, "users are divided, and no journal says why"
                assert journal.phase in (Phase.MOVING, Phase.HELD), (
                    "users are divided, and the journal does not say why"
                )
        for colour in serving:
            side = world.sides[colour]
            assert side.release
            assert (side.image, side.release.id) in world.passed

    @invariant()
    def the_record_names_nothing_that_was_not_true(self) -> None:
        world, record = self.world, self.world.record
        if record is None:
            assert world.by_hand or world.unrecorded or world.weights is None
            return
        ids = {release for _, release in world.served}
        assert (record.live_colour, record.live.id) in world.served
        assert record.previous is None or record.previous.id in ids
        assert all(past.id in ids for past in record.history)
        assert record.history[-1] == record.live
        assert all((colour, release.id) in world.served for colour, release in record.serves.items())
        assert {proof.digest for proof in record.evidence} <= {digest for digest, _ in world.passed}
        if not world.by_hand and not world.unrecorded:
            assert record.are(world.weights or {})
            assert all(world.sides[colour].release == release for colour, release in record.serves.items())

    @invariant()
    def every_state_has_a_way_forward(self) -> None:
        if self._way_out(self.world):
            return
        # Only hands can divide users between two broken colours; then the refusal says what hands must do first.
        assert self.hands
        assert len(self.world.serving()) == 2
        world = self.world.clone()
        world.proves(FRESH)
        refused = world.verdict(list(requests_out(world, self._ask_for_a_way_out(), FRESH))[-1]).decision
        assert isinstance(refused, Refuse)
        advice = re.search(r"set the weight of (blue|green) to 0", refused.error.next_step)
        assert advice, refused.error
        world.hand_moves(all_on(Colour(advice[1]).other))
        assert self._way_out(world), refused.error

    def _ask_for_a_way_out(self) -> Requested:
        """A stopped line closes none, unless hands destroyed all that an environment could go back to."""
        return replace(self._ask(), halts=Halts() if self.hands else self.halts)

    def _way_out(self, world: FakeWorld) -> FakeWorld | None:
        for request in requests_out(world, self._ask_for_a_way_out(), FRESH):
            there = world.clone()
            there.time_passes()
            there.proves(FRESH)
            if there.update(request) is Outcome.DONE:
                self._settles(there)
                return there
        return None

    def _settles(self, world: FakeWorld) -> None:
        """From here on an update without a request heals at most, and another one finds nothing to do."""
        nothing = self._ask()
        if isinstance(world.verdict(nothing).decision, Heal):
            assert world.update(nothing) is Outcome.DONE
        before = world.snapshot()
        assert isinstance(world.verdict(nothing).decision, Keep | Prepare), "doing nothing twice does something"
        assert world.update(nothing) is Outcome.DONE
        assert world.snapshot() == before
        record = world.record
        if record and record.previous and self.idle is None and not record.hold:
            assert world.sides[record.live_colour.other].runs(record.previous), "going back would need new tasks"

    @invariant()
    def users_can_always_go_back_from_a_hold(self) -> None:
        world, record = self.world.clone(), self.world.record
        if record is None or record.hold is None or self.hands:
            return
        world.time_passes()
        assert world.update(replace(self._ask(hold_end=Winner.OLD), halts=STOPPED)) is Outcome.DONE
        assert world.record
        assert (world.record.hold, world.record.live) == (None, record.live)
        assert world.weights == all_on(world.record.live_colour)

    @invariant()
    def nothing_is_blamed_on_hands_that_did_nothing(self) -> None:
        if self.hands:
            return
        verdict = self.world.verdict(self._ask(on_alarm=OnAlarm.PROCEED))
        if isinstance(verdict.decision, Refuse):
            # A new release that broke while users were divided: no request to finish it is fulfilled.
            assert isinstance(verdict.decision.error, CheckFailed), verdict.decision
            assert len(self.world.serving()) == 2
        assert not any(note.startswith("drift") for note in verdict.notes)


class Meddling(Releasing):
    """The same, while somebody changes weights and tasks by hand."""

    hands = True

    @rule(
        to=st.sampled_from([*map(all_on, Colour), {Colour.BLUE: 50, Colour.GREEN: 50}, dict.fromkeys(Colour, 0), None])
    )
    def somebody_moves_weights(self, to: dict[Colour, int] | None) -> None:
        assume(to is not None or self.world.weights is not None)
        self.world.hand_moves(to)

    @rule(
        colour=colours, digest=st.sampled_from([*GOOD, FOREIGN]), service=st.sampled_from(SERVICES), ours=st.booleans()
    )
    def somebody_rolls_a_colour(self, colour: Colour, digest: Digest, service: Service, ours: bool) -> None:
        # The label of a task definition of ours names the commit, so the same release is the same in all of it.
        release = Release(digest=digest, service=service, commit=commit_of(digest)) if ours else None
        self.world.hand_places(colour, release, digest)

    @rule(colour=colours, service_too=st.booleans())
    def somebody_destroys_a_colour(self, colour: Colour, service_too: bool) -> None:
        self.world.hand_destroys(colour, service_too)

    @rule(digest=st.none() | digests, way=st.sampled_from(OnDrift), kill=kills, breach=breaches)
    def update_that_deals_with_drift(
        self, digest: Digest | None, way: OnDrift, kill: Step | None, breach: Breach | None
    ) -> None:
        self._update(self._ask(digest=digest, on_drift=way), kill, breach)

    @rule()
    def somebody_removes_the_journal(self) -> None:
        self.world.by_hand = True
        self.world.tags = {}


EXAMPLES = max(200, settings.default.max_examples)
TestReleasing = Releasing.TestCase
TestReleasing.settings = settings(max_examples=EXAMPLES, stateful_step_count=15)
TestMeddling = Meddling.TestCase
TestMeddling.settings = settings(max_examples=EXAMPLES, stateful_step_count=15)
