"""One switch to be made: what the decision, the gates and the stack file say about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from release_lane.decide.advance import after
from release_lane.decide.forward import leads_forward, of_one_switch
from release_lane.gates.passes import Pass, demand, together
from release_lane.record.alarms import Alarm, Watched, memory
from release_lane.record.course import Course
from release_lane.record.decisions import DecisionKind
from release_lane.record.evidence import Drill, proof_of
from release_lane.record.inputs import NOWHERE, SwitchInputs
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.placement import Colour, Release, Weights
from release_lane.record.records import Located, Recorded
from release_lane.smoke.checks import Expected
from release_lane.watch.judge import Bake


@dataclass(frozen=True, kw_only=True)
class Move:
    """One switch to be made: users go from `expected` weights to all on `live`, which runs `release`.

    `course` says in which steps; `watched` are the alarms that have a say, and `proceeds` that one that fires before
    does not stop it. `period` and `lateness` of datapoints in seconds; an alarm looks at `datapoints` of them.
    """

    live: Colour
    release: Release
    expected: Weights | None
    standing: Recorded | None
    passed: Pass
    smoke_deadline: float
    starts: bool = True
    """Did this update start the release's tasks, so that all its gates ran? Else an earlier proof says the rest."""
    foreseen: tuple[str, ...] = ()
    """What was known before the gates ran to be beyond them."""
    course: Course = field(default_factory=Course)
    watched: Watched = field(default_factory=Watched)
    proceeds: bool = False
    period: float = 60.0
    lateness: float = 120.0
    datapoints: int = 1
    located: Located = NOWHERE
    drill: Drill | None = None

    @staticmethod
    def of(given: SwitchInputs) -> Move:
        """What the program asked for; `Refused` without a pass of this run."""
        return Move(
            live=given.live,
            release=given.release,
            expected=given.expected,
            standing=given.standing,
            passed=demand(given.pass_of_before, gate="The smoke gate", digest=given.release.digest, colour=given.live),
            smoke_deadline=given.smoke_deadline,
            starts=_starts(given.decision),
            foreseen=given.unchecked,
            course=given.course,
            watched=given.watch.alarms,
            proceeds=given.watch.proceeds,
            period=given.watch.period,
            lateness=given.watch.late,
            datapoints=given.watch.datapoints,
            located=given.located,
            drill=given.drill,
        )

    def journal(self, phase: Phase) -> Journal:
        """What the rule's tags say of this switch."""
        source = self.standing and End(self.standing.live_colour, self.standing.live.digest, self.standing.live.id)
        return Journal(source=source or None, to=End(self.live, self.release.digest, self.release.id), phase=phase)

    @property
    def stages(self) -> tuple[int, ...]:
        """Percents of the receiving colour, one after the other."""
        return self.course.stages

    @property
    def ends_at(self) -> Weights:
        """The weights of its last step."""
        return self.course.after(self.live)

    def after(self, at: str) -> Recorded:
        """The record after it, at this time (ISO 8601); its evidence is still to come."""
        return after(self.standing, self.live, self.release, self.course, self.drill, at=at)

    @property
    def goes_forward(self) -> bool:
        """Is it no way back?"""
        return leads_forward(self.release.digest, self.standing, self.drill, back=self.course.goes_back)

    @property
    def alarm_memory(self) -> float:
        """For at most so many seconds an alarm fires about something that is over."""
        return memory(self.period, self.datapoints, self.lateness)

    @property
    def watches(self) -> bool:
        """Are there steps or a bake, so that users are on the release for more than a moment before it is recorded?"""
        return bool(self.course.bake) or len(self.stages) > 1 or self.course.hold is not None

    def bake(self, alarms: tuple[Alarm, ...], began: float, *, had_users: bool) -> Bake:
        """What is watched after each step. `alarms` as they are when the switch begins. `had_users`: this release."""
        excused = [alarm for alarm in alarms if alarm.firing and self.excuses(alarm)]
        return Bake(
            receiving=self.live,
            seconds=self.course.bake,
            period=self.period,
            lateness=self.lateness,
            began=began,
            alarm_delay=self.datapoints * self.period + self.lateness,
            before=frozenset(alarm.episode for alarm in excused),
            had_users=had_users,
        )

    def excuses(self, alarm: Alarm) -> bool:
        """Does an alarm that fires when the switch begins say nothing about the release, unless it fires anew?

        One of the receiving colour counts only after the warm-up window (`Bake.alarm_delay`). Where users are there
        already, the adopter's count as well: they were OK when the switch began that brought the users.
        """
        if self.proceeds or self.course.goes_back:
            return True
        return alarm.colour is self.live.other if not self.course.steps else alarm.colour is not self.live

    def longest(self, bake: Bake) -> float:
        """Seconds that the switch may take: each step is checked at the live URL and the test listener, and watched."""
        return len(self.stages) * (2 * self.smoke_deadline + bake.longest)

    def unchecked(self) -> tuple[str, ...]:
        """What no gate could see. Where tasks are not started anew, what was not seen when they were."""
        evidence = self.standing.evidence if self.standing else ()
        earlier = None if self.starts else proof_of(self.release.digest, evidence)
        of_image = [each for each in earlier.unchecked if not of_one_switch(each)] if earlier else []
        return together(self.foreseen, of_image, self.passed.unchecked, self._unwatched())

    def _unwatched(self) -> tuple[str, ...]:
        """What cannot be seen while users are moved in steps or watched."""
        if not self.watches:
            return ()
        if not self.asked_alike and self.stages == (100,):
            return ("the live URL was not probed: the two releases are asked in different ways",)
        if not self.asked_alike:
            missed = "neither checked nor probed" if self.course.bake else "not checked"
            return (f"the live URL was {missed} while two releases shared it: they are asked in different ways",)
        unprobed = "the switch did not probe the live URL: its answers do not say which release gave them"
        return (unprobed,) if self.course.bake and not self.tells_apart else ()

    def meant(self) -> Expected:
        """What answers for the new release."""
        return _answers(self.release, self.live)

    def next_to(self) -> Expected | None:
        """What answers for the release that users come from."""
        old = self.standing
        if old is None or old.live_colour is self.live:
            return None
        return _answers(old.live, old.live_colour)

    @property
    def asked_alike(self) -> bool:
        """Can both releases be asked by one request, while they share the live URL?"""
        other = self.next_to()
        return other is None or other.asked == self.meant().asked

    @property
    def tells_apart(self) -> bool:
        """Does an answer of the live URL say which of the two releases gave it?"""
        return self.asked_alike and self.release.service.asked.names


def _starts(decision: DecisionKind) -> bool:
    """Does this update start the release's tasks? Else they run already, started by an earlier one."""
    match decision:
        case DecisionKind.DEPLOY:
            return True
        case DecisionKind.TRAFFIC_ONLY | DecisionKind.FINISH:
            return False
        case DecisionKind.PREPARE | DecisionKind.KEEP | DecisionKind.HEAL | DecisionKind.REFUSE:
            raise ValueError(f"{decision} moves no traffic")


def _answers(release: Release, colour: Colour) -> Expected:
    return Expected(digest=release.digest, colour=colour, commit=release.commit, asked=release.service.asked)
