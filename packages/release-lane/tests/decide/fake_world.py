"""A small world in which decisions are performed: two colours, weights, a journal, a record, a registry, proofs.

It performs a decision step by step as program and gates do (program/lane.py, gates/rollout.py, gates/moving.py),
can be killed between any two steps, and asserts at each step what must hold there. Things may also be changed by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any

from release_lane.decide.advance import after
from release_lane.decide.decision import (
    Deploy,
    Finish,
    Heal,
    Keep,
    OnAlarm,
    OnDrift,
    Prepare,
    Refuse,
    Requested,
    TrafficOnly,
    Verdict,
    decide,
)
from release_lane.decide.lineage import Order
from release_lane.decide.shift import AsFound, Home, Moving, Nowhere, Shift, Stay, course, way_back
from release_lane.errors import ReleaseError
from release_lane.record.alarms import Alarm
from release_lane.record.course import Course
from release_lane.record.digest import Digest
from release_lane.record.evidence import Proof, proof_of, with_proof
from release_lane.record.hold import Winner
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour, Release, all_on
from release_lane.record.records import SCHEMA, SCHEMA_KEY, Observed, Recorded


class Step(Enum):
    """Where an update may be killed: after this step."""

    DECIDING = auto()
    STARTING = auto()  # ECS knows of the tasks, none is healthy yet
    DEPLOYING = auto()
    GATES = auto()
    JOURNAL = auto()  # phase moving is written, no weight moved
    WEIGHTS = auto()  # of the first step, or of all
    LATER_WEIGHTS = auto()  # of any step but the first
    CONFIRMING = auto()  # phase moved is written, nothing recorded
    ROLLING_BACK = auto()  # weights are back after a breach, the journal is not


class Outcome(Enum):
    """How an update ended."""

    DONE = auto()
    FAILED = auto()
    REFUSED = auto()
    KILLED = auto()


class Killed(Exception):
    """The update was killed."""


class GateFailed(Exception):
    """A gate or check said no."""


class Breach(Enum):
    """What goes wrong while users are moved; all but the first two need a second step."""

    AT_ONCE = auto()  # a failed live check, an alarm, an interrupt or an abort: it is all the same
    AND_THE_LIVE_COLOUR_DIES = auto()
    LATER = auto()
    LATER_AND_THE_LIVE_COLOUR_DIES = auto()
    LATER_AND_THE_NEW_COLOUR_DIES = auto()

    @property
    def later(self) -> bool:
        """Not in the first step."""
        return self.name.startswith("LATER")


class Fault(Enum):
    """What is wrong with an image."""

    NEVER_HEALTHY = auto()
    FAILS_SMOKE = auto()


@dataclass
class FakeSide:
    """One colour's service. `release` None with an `image`: a task definition that is not ours."""

    exists: bool = False
    release: Release | None = None
    image: str = ""
    wanted: int = 0
    healthy: int = 0
    deployment: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As the provider's `observe` returns it."""
        return {
            "exists": self.exists,
            "digest": self.image if self.wanted else "",
            "release": self.release.as_dict() if self.release else None,
            "wanted": self.wanted,
            "running": self.wanted,
            "healthy": self.healthy,
            "deployment": f"ecs-svc/{self.deployment}" if self.exists else "",
            "taskDefinition": f"app:{self.deployment}" if self.exists else "",
        }

    def runs(self, release: Release) -> bool:
        """As the rollout gate judges: some tasks, all of this release, all healthy."""
        ours = self.release is not None and self.release.id == release.id and self.image == release.digest
        return ours and self.healthy == self.wanted > 0


@dataclass
class FakeWorld:
    """One environment. `guarded`: it takes only what the environment before it proved (`proven`)."""

    guarded: bool = False
    shift: Shift = field(default_factory=Shift)
    firing: frozenset[Colour | None] = frozenset()  # whose alarms are firing; None: the adopter's
    faults: dict[str, Fault] = field(default_factory=dict)
    registry: set[str] = field(default_factory=set)
    proven: tuple[Proof, ...] = ()
    sides: dict[Colour, FakeSide] = field(default_factory=lambda: {colour: FakeSide() for colour in Colour})
    weights: dict[Colour, int] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    deployments: int = 0
    _read: tuple[dict[str, Any], Recorded | None] | None = None

    # What really happened, unknown to the program:
    passed: frozenset[tuple[str, str]] = frozenset()  # digest and release id of what passed every gate here
    served: frozenset[tuple[Colour, str]] = frozenset()  # colour and release id that users were on
    begun: frozenset[str] = frozenset()  # ids of releases to which a switch was begun, rightly
    by_hand: bool = False  # somebody touched what users get, and no update succeeded since
    unrecorded: bool = False  # an update was killed while it switched, and none succeeded since

    # ---- what the program sees

    def observe(self) -> Observed:
        """The cloud as it is now."""
        rule = {"weights": dict(self.weights), "tags": self.tags} if self.weights is not None else None
        sides = {str(colour): side.as_dict() for colour, side in self.sides.items()}
        alarms = [Alarm(name=f"{of}", firing=of in self.firing, colour=of).as_dict() for of in (*Colour, None)]
        return Observed.from_dict({"listenerArn": "arn:listener", "rule": rule, "colours": sides, "alarms": alarms})

    @property
    def record(self) -> Recorded | None:
        """The stack's own outputs (read once; they are only ever replaced as a whole)."""
        if self._read is None or self._read[0] is not self.outputs:
            self._read = self.outputs, Recorded.from_outputs(self.outputs)
        return self._read[1]

    def verdict(self, request: Requested) -> Verdict:
        """What an update with this request would do."""
        request = replace(
            request,
            in_registry=request.digest is None or request.digest in self.registry,
            promotes_from="staging" if self.guarded else None,
        )
        return decide(self.record, self.observe(), request, self.proven if self.guarded else ())

    # ---- one update

    def update(self, request: Requested, kill: Step | None = None, breach: Breach | None = None) -> Outcome:
        """Decide and perform; killed after `kill` if it comes to that."""
        run = Run(self, request, kill, breach)
        before, outputs, everything = self.weights, self.outputs, self.snapshot()
        try:
            outcome = run.perform()
        except Killed:
            return Outcome.KILLED
        except GateFailed:
            outcome = Outcome.FAILED
        if outcome is Outcome.DONE:
            self.by_hand = self.unrecorded = False
        else:
            assert self.outputs == outputs, "a failed update changed an output"
            assert self.weights == before or run.rolled_back, "a failed update changed what users see"
        if outcome is Outcome.REFUSED:
            assert self.snapshot() == everything, "a refused update changed something"
        return outcome

    def snapshot(self) -> Any:
        """Everything that an update could change."""
        return self.weights, self.tags, self.outputs, {colour: replace(side) for colour, side in self.sides.items()}

    def clone(self) -> FakeWorld:
        """The same world, to try something in. (Only `sides` is ever changed in place.)"""
        return replace(self, sides={colour: replace(side) for colour, side in self.sides.items()})

    # ---- what happens besides updates

    def time_passes(self) -> None:
        """ECS keeps as many tasks healthy as are wanted, if the image is fit."""
        for side in self.sides.values():
            side.healthy = 0 if self.faults.get(side.image) is Fault.NEVER_HEALTHY else side.wanted

    def hand_moves(self, weights: dict[Colour, int] | None) -> None:
        """Somebody changes the production rule, or deletes it."""
        self.by_hand = True
        self.weights = dict(weights) if weights is not None else None
        if weights is None:
            self.tags = {}
        self._note_served()

    def hand_places(self, colour: Colour, release: Release | None, image: str) -> None:
        """Somebody rolls a colour to another task definition."""
        self._touched(colour)
        self.deployments += 1
        self.sides[colour] = FakeSide(True, release, image, 2, 2, self.deployments)
        self._note_served()

    def hand_destroys(self, colour: Colour, service_too: bool) -> None:
        """Somebody scales a colour to nothing, or deletes its service."""
        self._touched(colour)
        side = self.sides[colour]
        self.sides[colour] = FakeSide() if service_too else replace(side, wanted=0, healthy=0)

    def falls_sick(self, colour: Colour) -> None:
        """A task of a colour fails its health checks."""
        side = self.sides[colour]
        side.healthy = max(0, side.healthy - 1)

    def _touched(self, colour: Colour) -> None:
        self.by_hand = self.by_hand or bool((self.weights or {}).get(colour))

    def _note_served(self) -> None:
        for colour in self.serving():
            release = self.sides[colour].release
            if release and self.sides[colour].wanted:
                self.served |= {(colour, release.id)}

    def serving(self) -> list[Colour]:
        """Colours that get users."""
        return [colour for colour, weight in (self.weights or {}).items() if weight > 0]

    def live_is_well(self) -> bool:
        """Users are on the recorded colour (or, while a hold stands, on both, as it says), healthy."""
        record = self.record
        return bool(
            record
            and record.are(self.weights or {})
            and all(self.sides[colour].runs(release) for colour, release in record.serves.items())
        )

    def proves(self, digest: Digest) -> None:
        """The environment before this one proved a digest."""
        self.proven = with_proof(self.proven, Proof(digest=digest, commit="", release_id="", at=""))


@dataclass
class Run:
    """One update under way."""

    world: FakeWorld
    request: Requested
    kill: Step | None
    breach: Breach | None
    rolled_back: bool = False
    """After a breach users are where they are recorded to be, or the traffic cannot roll back."""

    def perform(self) -> Outcome:
        """Decide, then do it."""
        seen = self.world.observe()
        verdict = self.world.verdict(self.request)
        self._after(Step.DECIDING)
        match verdict.decision:
            case Refuse(error=error):
                assert isinstance(error, ReleaseError)
                return Outcome.REFUSED
            case Prepare():
                assert verdict.standing is None
                return Outcome.DONE
            case Keep():
                self._record_is_true()
            case Heal(target=target, release=None):
                self._free(target)
                self.world.sides[target] = replace(self.world.sides[target], wanted=0, healthy=0)
                self._record_is_true()
            case Heal(target=target, release=Release() as release, tasks=tasks, scales_in=True):
                self._free(target)
                side = self.world.sides[target]
                assert side.runs(release), "only what runs well is scaled in"
                assert tasks < side.wanted
                self.world.sides[target] = replace(side, wanted=tasks, healthy=tasks)
                self._record_is_true()
            case Heal(target=target, release=Release() as release, tasks=tasks, retry_of=retry):
                self._start(target, release, tasks, retry)
                self._gates(target, release)
                self._record_is_true()
            case Deploy(target=target, release=release, tasks=tasks, retry_of=retry):
                serving = max(self.world.sides[colour].wanted for colour in self.world.serving() or [target.other])
                assert tasks >= max(release.service.desired_count, serving if verdict.decision.live else 0)
                self._start(target, release, tasks, retry)
                self._gates(target, release)
                self._move(verdict.decision, verdict.standing, seen)
            case TrafficOnly(target=target, release=release) | Finish(target=target, release=release):
                self._gates(target, release)
                self._move(verdict.decision, verdict.standing, seen)
        return Outcome.DONE

    def _after(self, step: Step) -> None:
        if step is self.kill:
            raise Killed

    def _free(self, target: Colour) -> None:
        assert not (self.world.weights or {}).get(target), "a colour that serves would be changed"

    def _start(self, target: Colour, release: Release, tasks: int, retry_of: str) -> None:
        self._free(target)
        world, side = self.world, self.world.sides[target]
        same = side.exists and side.release is not None and side.release.id == release.id
        assert retry_of == (f"ecs-svc/{side.deployment}" if same else ""), "a retry must start a new deployment"
        world.deployments += 1
        world.sides[target] = FakeSide(True, release, release.digest, tasks, 0, world.deployments)
        self._after(Step.STARTING)
        world.time_passes()
        self._after(Step.DEPLOYING)

    def _gates(self, target: Colour, release: Release) -> None:
        world = self.world
        if not world.sides[target].runs(release) or world.faults.get(release.digest) is Fault.FAILS_SMOKE:
            raise GateFailed
        world.passed |= {(release.digest, release.id)}
        self._after(Step.GATES)

    def _move(self, decision: Moving, standing: Recorded | None, seen: Observed) -> None:
        """As `release_lane.gates.moving.perform`."""
        world, target, release = self.world, decision.target, decision.release
        self._may_serve(target, release, standing)
        planned = course(decision, standing, seen, world.shift)
        before = world.weights, world.tags, world.unrecorded
        if planned.steps:
            self._tag(target, release, standing, Phase.MOVING)
            world.unrecorded = True
            world.begun |= {release.id}
            if world.weights is not None:  # else one call creates the rule with weights and tags
                self._after(Step.JOURNAL)
        for number, share in enumerate(planned.steps):
            assert share > (world.weights or {}).get(target, 0) or share == 100, "a step back"
            world.weights = {target: share, target.other: 100 - share}
            world._note_served()
            self._after(Step.LATER_WEIGHTS if number else Step.WEIGHTS)
            self._bake(bool(number), decision, standing, planned.home, before)
        if not planned.steps:
            self._bake(False, decision, standing, planned.home, before)
        assert world.weights == planned.after(target), "users are not where the switch ends"
        self._tag(target, release, standing, Phase.HELD if planned.hold else Phase.MOVED)
        self._after(Step.CONFIRMING)
        world.outputs = as_outputs(self._recorded(target, release, standing, planned))

    def _bake(self, later: bool, decision: Moving, standing: Recorded | None, home: Colour | None, before: Any) -> None:
        if not self.breach or self.breach.later is not later:
            return
        sides = self.world.sides
        match self.breach:
            case Breach.AND_THE_LIVE_COLOUR_DIES | Breach.LATER_AND_THE_LIVE_COLOUR_DIES:
                sides[decision.target.other].healthy = 0
            case Breach.LATER_AND_THE_NEW_COLOUR_DIES:
                sides[decision.target].healthy = 0
        self._roll_back(decision, standing, home, before)
        raise GateFailed

    def _roll_back(self, decision: Moving, standing: Recorded | None, home: Colour | None, before: Any) -> None:
        world, target = self.world, decision.target
        weights, tags, unrecorded = before
        held = world.sides[home].release if home else None
        assert home is None or (standing and held and held.id == standing.live.id), "no home"
        healthy = {colour: side.healthy for colour, side in world.sides.items()}
        back = way_back(target, weights, home, healthy)
        if any(healthy.values()) and not isinstance(back, Nowhere | AsFound):
            assert healthy[back.colour], "users were put on a colour without a healthy target"
        match back:
            case Home(colour):
                self.rolled_back = True
                world.weights = all_on(colour)
                world._note_served()
                self._after(Step.ROLLING_BACK)
                self._tag(target, decision.release, standing, Phase.RESTORED)
                # A hold that is over is recorded as over by the next update.
                world.unrecorded = standing != world.record or bool(standing and standing.hold)
            case AsFound(on=on):
                assert on is None or healthy[on], "users were put on a colour without a healthy target"
                world.weights = all_on(on) if on else weights
                self._after(Step.ROLLING_BACK)
                world.tags, world.unrecorded = tags, unrecorded
            case Stay(colour):
                self.rolled_back = True
                world.weights = all_on(colour)
            case Nowhere():
                world.weights, world.tags, world.unrecorded = None, {}, unrecorded

    def _tag(self, target: Colour, release: Release, standing: Recorded | None, phase: Phase) -> None:
        source = standing and End(standing.live_colour, standing.live.digest, standing.live.id)
        journal = Journal(source=source or None, to=End(target, release.digest, release.id), phase=phase)
        self.world.tags = {**self.world.tags, **journal.as_tags()}

    def _recorded(self, target: Colour, release: Release, standing: Recorded | None, taken: Course) -> Recorded:
        recorded = after(standing, target, release, taken, None, at="now")
        proof = Proof(digest=release.digest, commit=release.commit, release_id=release.id, at="now")
        return replace(recorded, evidence=with_proof(recorded.evidence, proof))

    def _record_is_true(self) -> None:
        """As the switch's look at reality in an update that moves no traffic."""
        if not self.world.live_is_well():
            raise GateFailed

    def _may_serve(self, target: Colour, release: Release, standing: Recorded | None) -> None:
        """What users are about to get was asked for in the way it has to be."""
        world, request, record = self.world, self.request, self.world.record
        if world.serving() == [target]:
            return
        undo = record is not None and release.digest == record.live.digest
        finishing = record is None or world.serving() != [record.live_colour]
        if undo or (finishing and release.id in world.begun):
            return
        again = standing is not None and standing.left_by_rollback(release.digest)
        back = standing is not None and standing.was_live(release.digest) and not again
        live = standing is not None and release.id == standing.live.id
        assert not request.halts.stopped or back or live, "forward while the line is stopped"
        if standing and standing.hold:
            held = (target, release.id) == (standing.hold.colour, standing.hold.release.id)
            assert held, "another release while a hold stands"
            assert request.hold_end is Winner.NEW, "an end of the hold that was not requested"
            return
        if standing and release.digest != standing.live.digest and standing.was_live(release.digest):
            assert request.rollback_from == standing.live.digest, "a rollback that was not requested"
            assert request.digest == release.digest, "a rollback to a digest that was not requested"
            return
        if standing and release.digest == request.digest != standing.live.digest:
            older = request.relation_to(standing.live.commit).order is Order.OLDER
            assert not older or request.allow_older == standing.live.digest, "an older commit that was not requested"
        same_image = standing is not None and release.digest == standing.live.digest
        assert same_image or not world.guarded or proof_of(release.digest, world.proven), "served without proof"


def as_outputs(recorded: Recorded) -> dict[str, Any]:
    """The record as stack outputs."""
    return {
        "liveColour": str(recorded.live_colour),
        "liveRelease": recorded.live.as_dict(),
        "previousRelease": recorded.previous.as_dict() if recorded.previous else {},
        "liveHistory": [past.as_dict() for past in recorded.history],
        "evidence": [proof.as_dict() for proof in recorded.evidence],
        **({"hold": recorded.hold.as_dict(), SCHEMA_KEY: SCHEMA} if recorded.hold else {}),
    }


def requests_out(world: FakeWorld, asked: Requested, fresh: Digest) -> Iterator[Requested]:
    """What a person might try in order to get out of any state: nothing, the digests at hand, restore.

    `asked` is what every request of this stack has in common.
    """
    journal = Journal.from_tags(world.tags) if world.weights is not None else None
    asked = replace(asked, on_alarm=OnAlarm.PROCEED)
    yield asked
    if world.record and world.record.hold:
        yield from (replace(asked, hold_end=winner) for winner in Winner)
    if world.record:
        yield replace(asked, digest=world.record.live.digest)
    for end in (journal.to, journal.source) if journal else ():
        if end:
            yield replace(asked, digest=Digest(end.digest))
    yield replace(asked, on_drift=OnDrift.RESTORE)
    if world.record is None:
        yield replace(asked, digest=fresh, on_drift=OnDrift.RESTORE)
