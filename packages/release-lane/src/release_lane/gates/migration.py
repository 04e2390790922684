"""The migration gate: a task of the new image changes the database's schema, before any task of it serves.

One at a time: while a migration still runs, started by hand or by an update, a second one is refused. What it prints is
shown as it runs. It passes if the command ends with 0 within its time limit; otherwise no task of the release is
started. What a migration did before it failed is the database's to undo: the next update runs the command again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from provider_kit import Cancelled, Context, Progress, Props

from release_lane.aws.cloud import Cloud
from release_lane.aws.one_off import OneOff, OneOffTasks, Tasks
from release_lane.aws.patience import insisting
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, Users
from release_lane.gates.gate import CloudOf, Gate
from release_lane.gates.passes import RUN, Pass, demand
from release_lane.gates.recording import RECORDING, Recording
from release_lane.record.container import MIGRATION
from release_lane.record.inputs import GATE_OUTPUTS, MigrationInputs, is_active
from release_lane.record.intended import LOGS
from release_lane.record.revisions import GATE, PASSED, Migration, Schema
from release_lane.watch.rollout import seldom

SOONEST, LATEST = 0.2, 1.0
"""Seconds between two looks at the task, at least and at most: one that has nothing to do ends soon."""

ENDS_WITHIN = 60.0
"""Seconds for a task that was asked to end: its container has 30 (`stopTimeout`), ECS takes a few."""

KNOWN_WITHIN = 60.0
"""Seconds until ECS knows a task that it has started."""

LATE_LOOKS = 3
"""Looks after the end of a task that failed for lines that arrive late: a person needs them. One that succeeded is
looked at once more."""

MOST_SHOWN = 500
"""Lines that stay in the output of the update; later ones pass by."""

MOST_KEPT = 15
"""Last lines that a refusal repeats."""

TasksOf = Callable[[Cloud], Tasks]


def _tasks_of(cloud: Cloud) -> Tasks:
    return OneOffTasks(cloud, cloud.names.migration, MIGRATION)


class MigrationGate(Gate):
    """Passes once the command of `MigrationInputs` succeeded. The image gate's pass is demanded, and handed on."""

    token = GATE
    shown = MigrationInputs.SHOWN
    computed = frozenset({*GATE_OUTPUTS, PASSED})
    pauses = (SOONEST, LATEST)
    known_within = KNOWN_WITHIN

    def __init__(
        self, cloud_of: CloudOf = Cloud, tasks_of: TasksOf = _tasks_of, recording: Recording = RECORDING
    ) -> None:
        super().__init__(cloud_of, recording)
        self._tasks_of = tasks_of

    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Run the command, and wait for its end."""
        given = MigrationInputs.from_dict(inputs)
        image = demand(given.pass_of_before, gate="The image gate", digest=given.digest)
        tasks = self._tasks_of(self.cloud_of(given.names))
        for other in tasks.running():
            raise still_running(other, given.names.cluster)
        migration = Migration(before=Schema(passed=given.passed).now, to=given.to)
        words = " ".join(given.command)
        task = tasks.start(
            str(given.task_definition), given.subnets, given.groups, by=_started_by(given.digest), token=RUN
        )
        self.recording.note(migration={"from": migration.before, "to": migration.to, "command": words, "task": task})
        Run(ctx, tasks, task, words, given.deadline, *self.pauses, self.known_within).to_its_end()
        passed = Pass(digest=given.digest, run=RUN, manifests=image.manifests, migrated=migration.words())
        return passed, f"{words}: succeeded, {migration.words()}"

    def _run(self, ctx: Context, inputs: Props) -> Props:
        """With the revisions that the schema passed, which the next update reads from the state."""
        left = super()._run(ctx, inputs)
        if not is_active(inputs):
            return {**left, PASSED: list(inputs.get("passed") or ())}
        given = MigrationInputs.from_dict(inputs)
        return {**left, PASSED: list(Schema(passed=given.passed).after(given.to))}


@dataclass
class Run:
    """One run of the command: `task` is its ARN, the last four are in seconds."""

    ctx: Context
    tasks: Tasks
    task: str
    words: str
    deadline: float
    soonest: float
    latest: float
    known_within: float
    now: Callable[[], float] = time.monotonic
    _token: str = ""
    _shown: int = 0
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))

    def to_its_end(self) -> None:
        """Show what it prints until it ended; raises unless it ended with 0 in time."""
        said, begun = Progress(self.ctx, self.now), self.now()
        while True:
            spent = self.now() - begun
            seen = self._look(spent)
            self._show()
            if seen.ended:
                self._show_the_rest(seen)
                self._judge(seen)
                return
            said.say(f"migration: {self.words} runs ({spent:.0f} of {self.deadline:.0f} s)", self.task)
            if spent > self.deadline:
                raise self._too_late(spent)
            if self.ctx.cancelled.wait(seldom(spent, self.soonest, self.latest)):
                raise self._interrupted()

    def _look(self, spent: float) -> OneOff:
        """As ECS says, which may not know it yet. What it does not know later on is asked to end, in case it runs."""
        if found := self.tasks.look(self.task):
            return found
        if spent <= self.known_within:
            return OneOff(arn=self.task)
        why = f"ECS does not know the task {self.known_within:.0f} s after its start; it was asked to end"
        with suppress(CloudError):
            self.tasks.stop(self.task, why)
        return OneOff(arn=self.task, ended=True, stopped=why)

    def _show(self) -> None:
        """What it printed since the last look."""
        found = self.tasks.printed(self.task, self._token)
        self._token = found.token
        for line in found.lines:
            self._last.append(line)
            self._shown += 1
            tell = self.ctx.info if self._shown <= MOST_SHOWN else self.ctx.say
            tell(f"migration: {line}")

    def _show_the_rest(self, seen: OneOff) -> None:
        """After its end: the last lines may arrive a little later."""
        looks, pause = (1, self.soonest) if seen.exit_code == 0 else (LATE_LOOKS, self.latest)
        for _ in range(looks):
            before = self._shown
            if self.ctx.cancelled.wait(pause):
                return
            self._show()
            if before == self._shown > 0:
                return

    def _judge(self, seen: OneOff) -> None:
        if seen.exit_code == 0:
            return
        how = f"ended with exit code {seen.exit_code}" if seen.exit_code is not None else "did not start"
        raise CheckFailed(
            f"The migration failed: {self.words} {how}.{self._logs()}",
            why=seen.stopped,
            next_step=f"{_AGAIN} {_HALF_WAY}",
            users=Users.UNTOUCHED,
        )

    def _too_late(self, spent: float) -> CheckFailed:
        ended = self._stopped("The time limit of the migration is over (migration.deadlineSeconds).")
        return CheckFailed(
            f"The migration did not end within {self.deadline:.0f} s: {self.words}. {ended}{self._logs()}",
            why=f"it ran for {spent:.0f} s; one that waits for a lock looks like this as well",
            next_step=f"look for what holds the lock in the database, or give it more time "
            f"(migration.deadlineSeconds). {_AGAIN} {_HALF_WAY}",
            users=Users.UNTOUCHED,
        )

    def _interrupted(self) -> Cancelled:
        with insisting():
            ended = self._stopped("The update was interrupted.")
        error = Interrupted(f"The migration was interrupted. {ended}", next_step=_HALF_WAY, users=Users.UNTOUCHED)
        return Cancelled(str(error))

    def _stopped(self, reason: str) -> str:
        """End the task; what came of that, in a sentence."""
        name, begun = self.task.rsplit("/", 1)[-1], self.now()
        try:
            self.tasks.stop(self.task, reason)
            while (found := self.tasks.look(self.task)) is None or not found.ended:
                if self.now() - begun > ENDS_WITHIN:
                    still = "still runs" if found else "ECS does not know it"
                    return f"Its task {name} was asked to end, and {still}."
                time.sleep(self.latest)
        except CloudError as error:
            return f"Whether its task {name} has ended is not known: {error.what_and_why}"
        self._show()
        return f"Its task {name} was stopped."

    def _logs(self) -> str:
        return f"\n  {LOGS}:\n    " + "\n    ".join(self._last) if self._last else ""


_AGAIN = "Fix it, and release again: no task of the release was started."
_HALF_WAY = (
    "What it did before is undone only if the database did so (a transaction); the next update that releases runs the "
    "command again."
)


def _started_by(digest: str) -> str:
    """RunTask's `startedBy`: letters, digits, -, / and _."""
    return f"release-lane/{digest.removeprefix('sha256:')[:12]}"


def still_running(other: OneOff, cluster: str) -> Refused:
    """A second migration at the same time."""
    who = f", started by {other.started_by}" if other.started_by else ""
    return Refused(
        f"A migration of this environment still runs: task {other.id}{who}. No second one was started.",
        why="two at once may leave a schema that neither expects",
        next_step="wait for its end, or stop it if no update waits for it any more "
        f"(`aws ecs stop-task --cluster {cluster} --task {other.id}`); then run the update again.",
        users=Users.UNTOUCHED,
    )
