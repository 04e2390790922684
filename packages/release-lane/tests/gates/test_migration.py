"""The migration gate: one task, once, to its end in time; and what its refusals say."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from provider_kit import Cancelled, Context, State, UserError
from provider_kit.values import UNKNOWN
from release_lane.aws.one_off import OneOff, Printed
from release_lane.errors import CloudError
from release_lane.gates.migration import MigrationGate
from release_lane.gates.passes import RUN, Pass
from release_lane.gates.recording import Recording
from release_lane.ledger.memory import Memory
from release_lane.record.inputs import MigrationInputs
from release_lane.record.names import Access, Names
from release_lane.record.revisions import PASSED
from tests.gates.test_recording import Update

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "a" * 64
NAMES = Names.of(
    "shop-staging", access=Access(region="us-east-1", account="0" * 12), users_port=80, log_group="", repository="r"
)
ARN = "arn:aws:ecs:us-east-1:000000000000:task/shop-staging/4f2b"
IMAGE = Pass(digest=DIGEST, run=RUN, manifests=frozenset({DIGEST}), unchecked=("the commit is unknown",))
GIVEN = MigrationInputs(
    active=True,
    names=NAMES,
    digest=DIGEST,
    command=("alembic", "upgrade", "head"),
    task_definition="arn:td/shop-staging-migration:3",
    subnets=["subnet-a"],
    groups=["sg-1"],
    deadline=60,
    to="r2",
    passed=("r1",),
    pass_of_before=IMAGE.as_dict(),
)


@dataclass
class FakeTasks:
    """A task that prints a part of `says` at each look, and ends with `exit_code` after the last one."""

    says: Sequence[Sequence[str]] = ((),)
    exit_code: int | None = 0
    stopped: str = ""
    hangs: bool = False
    """It ends only when it is stopped."""
    others: tuple[OneOff, ...] = ()
    refuses_to_stop: bool = False
    unknown: Sequence[int] = ()
    """At these looks ECS does not know it."""
    on_look: Any = lambda: None
    started: list[Any] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    looks: int = 0

    def running(self) -> Sequence[OneOff]:
        return self.others

    def start(self, task_definition: str, subnets: Sequence[str], groups: Sequence[str], *, by: str, token: str) -> str:
        self.started.append((task_definition, list(subnets), list(groups), by, token))
        return ARN

    def look(self, task: str) -> OneOff | None:
        assert task == ARN
        self.looks += 1
        self.on_look()
        if self.looks in self.unknown:
            return None
        if self.stops:
            return OneOff(arn=ARN, ended=True, exit_code=143)
        if self.hangs or self.looks < len(self.says):
            return OneOff(arn=ARN)
        return OneOff(arn=ARN, ended=True, exit_code=self.exit_code, stopped=self.stopped)

    def stop(self, task: str, reason: str) -> None:
        assert task == ARN
        if self.refuses_to_stop:
            raise CloudError("AWS did not do ecs:StopTask within 45 s.")
        self.stops.append(reason)

    def printed(self, task: str, token: str) -> Printed:
        assert task == ARN
        seen = int(token or 0)
        return Printed(
            lines=tuple(line for part in self.says[seen : self.looks] for line in part), token=str(self.looks)
        )


@dataclass
class Stage:
    """One run of the gate, and what a person saw of it."""

    tasks: FakeTasks
    said: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    known_within: float = 60.0
    recording: Recording = field(default_factory=Recording)

    @property
    def gate(self) -> MigrationGate:
        gate = MigrationGate(lambda names: names, lambda _: self.tasks, self.recording)  # type: ignore[arg-type,return-value]
        gate.pauses = (0.0, 0.0)
        gate.known_within = self.known_within
        return gate

    def run(self, given: MigrationInputs = GIVEN) -> dict[str, Any]:
        return self.gate.create(self.ctx, given.as_dict())[1]

    def refusal(self, given: MigrationInputs = GIVEN) -> str:
        with pytest.raises(UserError) as caught:
            self.run(given)
        return str(caught.value)

    @property
    def ctx(self) -> Context:
        def log(text: str, urn: str, *, severity: str, ephemeral: bool) -> None:
            del urn, severity
            if not ephemeral:
                self.said.append(text)

        return Context(config={}, cancelled=self.cancelled, log=log, name="migration")


def test_the_task_runs_where_it_is_to_and_its_end_opens_the_next_gate() -> None:
    stage = Stage(FakeTasks(says=(["Running upgrade r1 -> r2"], ["done"])))
    out = stage.run()
    assert stage.tasks.started == [
        ("arn:td/shop-staging-migration:3", ["subnet-a"], ["sg-1"], f"release-lane/{'a' * 12}", RUN)
    ]
    passed = Pass.from_dict(out["passedFor"])
    assert passed == replace(IMAGE, migrated="from r1 to r2"), "with what the image gate passed"
    assert out["detail"] == "alembic upgrade head: succeeded, from r1 to r2"
    assert out[PASSED] == ["r1", "r2"]


def test_what_it_prints_is_shown_as_it_runs_each_line_once() -> None:
    stage = Stage(FakeTasks(says=(["one"], [], ["two", "three"])))
    stage.run()
    assert stage.said == ["migration: one", "migration: two", "migration: three"]


@pytest.mark.parametrize(
    ("to", "left"), [("r1", ["r1"]), ("", ["r1", ""])], ids=["the same revision", "one that no label names"]
)
def test_the_state_keeps_where_the_schema_is(to: str, left: list[str]) -> None:
    assert Stage(FakeTasks()).run(replace(GIVEN, to=to))[PASSED] == left


def test_the_migration_is_in_the_pass_of_every_later_gate() -> None:
    migrated = Pass.from_dict(Stage(FakeTasks()).run()["passedFor"])
    rollout = Pass(digest=DIGEST, run=RUN, colour="green").after(migrated.as_dict())
    assert rollout.migrated == "from r1 to r2"
    assert Pass(digest=DIGEST, run=RUN).after({**migrated.as_dict(), "run": "of yesterday"}).migrated == ""


def test_one_that_fails_says_its_exit_code_and_its_last_lines_and_leaves_users_alone() -> None:
    stage = Stage(FakeTasks(says=(["Running upgrade r1 -> r2"], ["duplicate column"]), exit_code=1))
    said = stage.refusal()
    assert "The migration failed: alembic upgrade head ended with exit code 1." in said
    assert "last log lines:\n    Running upgrade r1 -> r2\n    duplicate column" in said
    assert "no task of the release was started" in said
    assert said.endswith("Kind: CheckFailed\nUsers: untouched")


class LateLines(FakeTasks):
    """Its only line arrives at the third time that it is asked for."""

    asked = 0

    def printed(self, task: str, token: str) -> Printed:
        assert (task, token) == (ARN, "")
        self.asked += 1
        return Printed(lines=("ERROR: duplicate column",) if self.asked == 3 else (), token="")


def test_late_lines_are_waited_for_where_a_person_needs_them() -> None:
    assert "last log lines:\n    ERROR: duplicate column" in Stage(LateLines(exit_code=1)).refusal()
    succeeded = LateLines()
    Stage(succeeded).run()
    assert succeeded.asked == 2, "at its end, and once more"


def test_the_outcome_says_what_ran_also_of_one_that_failed() -> None:
    update = Update(Memory())
    update.begin()
    Stage(FakeTasks(exit_code=1), recording=update.recording).refusal()
    noted = update.entries[-1].details
    assert noted["migration"] == {"from": "r1", "to": "r2", "command": "alembic upgrade head", "task": ARN}


def test_one_whose_container_never_started_says_ecss_reason() -> None:
    said = Stage(FakeTasks(exit_code=None, stopped="CannotPullContainerError: not found")).refusal()
    assert "did not start" in said
    assert "Why: CannotPullContainerError: not found" in said


def test_one_that_ecs_does_not_know_yet_is_waited_for() -> None:
    stage = Stage(FakeTasks(says=[()] * 4, unknown=(1, 2)))
    stage.run()
    assert (stage.tasks.looks, stage.tasks.stops) == (4, [])


def test_one_that_ecs_never_knows_is_asked_to_end() -> None:
    stage = Stage(FakeTasks(unknown=range(100)), known_within=0.0)
    told = stage.refusal()
    assert "did not start" in told
    assert "ECS does not know the task 0 s after its start; it was asked to end" in told
    assert len(stage.tasks.stops) == 1


def test_one_answer_of_ecs_without_it_is_no_end() -> None:
    stage = Stage(FakeTasks(says=[()] * 9, unknown=(3,)))
    stage.run()
    assert (stage.tasks.looks, stage.tasks.stops) == (9, [])


def test_one_that_takes_too_long_is_stopped_and_fails() -> None:
    stage = Stage(FakeTasks(says=(["waiting for a lock"],), hangs=True))
    said = stage.refusal(replace(GIVEN, deadline=0))
    assert "did not end within 0 s: alembic upgrade head. Its task 4f2b was stopped." in said
    assert "waiting for a lock" in said
    assert stage.tasks.stops == ["The time limit of the migration is over (migration.deadlineSeconds)."]


def test_one_that_cannot_be_stopped_is_not_said_to_have_ended() -> None:
    said = Stage(FakeTasks(hangs=True, refuses_to_stop=True)).refusal(replace(GIVEN, deadline=0))
    assert "Whether its task 4f2b has ended is not known: AWS did not do ecs:StopTask" in said


def test_an_interrupted_update_stops_its_migration() -> None:
    stage = Stage(FakeTasks(hangs=True))
    stage.tasks.on_look = stage.cancelled.set
    with pytest.raises(Cancelled, match=r"The migration was interrupted. Its task 4f2b was stopped(.|\n)*untouched"):
        stage.run()
    assert stage.tasks.stops == ["The update was interrupted."]


def test_a_second_one_is_refused_by_the_name_of_the_first() -> None:
    other = OneOff(arn=ARN.replace("4f2b", "9c1d"), started_by="release-lane/bbb")
    stage = Stage(FakeTasks(others=(other,)))
    said = stage.refusal()
    assert "task 9c1d, started by release-lane/bbb. No second one was started." in said
    assert "aws ecs stop-task --cluster shop-staging --task 9c1d" in said
    assert said.endswith("Kind: Refused\nUsers: untouched")
    assert stage.tasks.started == []


def test_no_migration_runs_without_the_image_gates_pass() -> None:
    stage = Stage(FakeTasks())
    said = stage.refusal(replace(GIVEN, pass_of_before=replace(IMAGE, run="of yesterday").as_dict()))
    assert "The image gate did not pass" in said
    assert stage.tasks.started == []


def test_an_update_that_starts_nothing_runs_none_and_keeps_what_is_known() -> None:
    stage = Stage(FakeTasks())
    idle = replace(GIVEN, active=False).as_dict()
    before = State(id="migration", inputs=idle, outputs={PASSED: ["r1", "r2"], "passedFor": {}, "detail": ""})
    assert stage.gate.diff(stage.ctx, before, idle, []) == []
    assert stage.gate.create(stage.ctx, idle)[1][PASSED] == ["r1"]
    assert stage.tasks.started == []


def test_a_preview_runs_none() -> None:
    stage = Stage(FakeTasks())
    shown = stage.gate.preview(stage.ctx, GIVEN.as_dict(), None)
    assert (shown["passedFor"], shown[PASSED]) == (UNKNOWN, UNKNOWN)
    assert stage.tasks.started == []


def test_inputs_are_read_back() -> None:
    assert MigrationInputs.from_dict(GIVEN.as_dict()) == GIVEN
