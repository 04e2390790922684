"""`release recover`: what it shows, what it asks, what it does in which order, and how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.machine import FakeMachine
from release_lane.engine.locks import Holder, Note, Owner
from release_lane.engine.plugins import Plugin
from release_lane.engine.state import StackState
from release_lane.operate.recovery import CLUSTER, SERVICE, Existing
from release_lane.record.journal import Phase
from release_lane.record.placement import Weights
from release_lane.record.records import Observed
from release_lane.settings.notify import Event
from tests.command.words import BLUE, GREEN, A, B, Stage, failed, log, outputs, plan, ran, said, urn
from tests.decide import situations

pytestmark = pytest.mark.cli

ANN = Holder(user="ann", host="build-7", pid=4711, since="2026-01-02T03:04:05Z")
IDLE = "release-lane-staging-green"


def exported(*pending: tuple[str, str, str], services: tuple[str, ...] = ("blue", "green")) -> dict[str, Any]:
    """Staging's state: B live on blue, A before; and operations (type, name, doing) of unknown outcome."""
    there = [{"urn": urn(CLUSTER, "release-lane-staging", "staging"), "type": CLUSTER,
              "inputs": {"name": "release-lane-staging"}}]  # fmt: skip
    there += [
        {"urn": urn(SERVICE, f"release-lane-staging-{each}", "staging"), "type": SERVICE,
         "inputs": {"name": f"release-lane-staging-{each}"}}
        for each in services
    ]  # fmt: skip
    return {
        "version": 3,
        "deployment": {
            "resources": [
                {"urn": "urn:stack", "type": "pulumi:pulumi:Stack", "outputs": outputs(BLUE, A, B)},
                *there,
            ],
            "pending_operations": [
                {
                    "resource": {"urn": urn(type_, name, "staging"), "type": type_, "inputs": {"name": name}},
                    "type": doing,
                }
                for type_, name, doing in pending
            ],
        },
    }


def at(users: Weights | Any = BLUE, **over: Any) -> dict[str, Observed]:
    return {"release-lane-staging": situations.observed(situations.B, situations.A, users, **over)}


WITHOUT_USERS = ("artifacts", "staging-flags")


def stage(state: Mapping[str, Any] | None = None, *runs: Run, held: tuple[Holder, ...] = (), **over: Any) -> Stage:
    cloud = over.pop("cloud", None) or FakeCloud(environments=at())
    states = {
        "staging": StackState.of("staging", "release-lane", state or exported()),
        **{name: StackState.of(name, "release-lane", {"deployment": {"resources": []}}) for name in WITHOUT_USERS},
    }
    backend = over.pop("backend", None) or Unlockable(held={"staging": held} if held else {})
    engine = FreeingEngine(states=states, runs=list(runs), backend=backend)
    owners = over.pop("owners", {4711: Owner.GONE})
    machine = over.pop("machine", None) or FakeMachine(owners=owners)
    return Stage(engine=engine, cloud=cloud, backend=backend, machine=machine, **over)


class Unlockable(FakeBackend):
    """A backend whose locks the engine's cancel removes."""


class FreeingEngine(FakeEngine):
    """Its cancel removes the backend's locks, as the real one does."""

    def __init__(self, backend: FakeBackend, **over: Any) -> None:
        super().__init__(**over)
        self._backend = backend

    def unlock(self, stack: str) -> None:
        super().unlock(stack)
        self._backend.held.pop(stack, None)


# ---- Nothing ------------------------------------------------------------------------------------------------


def test_with_nothing_to_do_it_says_so_and_ends_well() -> None:
    on = stage()
    assert on.run("recover", "staging") == 0
    assert on.out == "staging: there was nothing to recover.\nNext: nothing; everything is in order.\n"
    assert on.err == ""
    assert (on.engine.unlocked, on.engine.written, on.engine.calls) == ([], [], [])


def test_a_stack_that_is_unknown_ends_with_2() -> None:
    assert stage().run("recover", "nowhere") == 2


@pytest.mark.parametrize("stack", WITHOUT_USERS)
def test_a_stack_that_is_no_environment_can_be_recovered_too(stack: str) -> None:
    on = stage(backend=Unlockable(held={stack: (ANN,)}))
    assert on.run("recover", stack, "--yes") == 0
    assert on.engine.unlocked == [stack]
    assert on.cloud.looks == 0
    assert "Next: run the update again." in on.out


# ---- The lock -----------------------------------------------------------------------------------------------


def test_the_lock_of_a_dead_process_is_removed() -> None:
    on = stage(held=(ANN,))
    assert on.run("recover", "staging", "--yes") == 0
    assert on.engine.unlocked == ["staging"]
    assert "held by ann@build-7 (process 4711) since 2026-01-02T03:04:05Z" in on.err
    assert "that process is gone" in on.err
    assert on.out.startswith("staging, done: remove the lock.\nNext: ")


def test_the_note_of_a_dead_process_goes_with_its_lock() -> None:
    note = Note(host="build-7", pid=4711, at="2026-01-02T03:04:04Z", doing="release deploy staging", run="https://r/7")
    backend = Unlockable(held={"staging": (ANN,)}, notes={("staging", 4711): note})
    on = stage(backend=backend)
    assert on.run("recover", "staging", "--yes", "--json") == 0
    assert on.data["locks"][0]["run"] == "https://r/7"
    assert backend.notes == {}


def test_the_lock_of_a_process_that_runs_is_never_removed() -> None:
    on = stage(held=(ANN,), owners={4711: Owner.RUNS})
    assert on.run("recover", "staging", "--yes", "--lock-owner-is-dead") == 4
    assert on.engine.unlocked == []
    assert "that process still runs" in on.err
    assert "release abort staging" in on.err


def test_a_process_of_another_machine_is_a_persons_business() -> None:
    on = stage(held=(ANN,), owners={})
    assert on.run("recover", "staging", "--yes") == 4
    assert on.engine.unlocked == []
    assert "--lock-owner-is-dead" in on.err


def test_a_persons_word_for_it_is_enough() -> None:
    on = stage(held=(ANN,), owners={})
    assert on.run("recover", "staging", "--yes", "--lock-owner-is-dead") == 0
    assert on.engine.unlocked == ["staging"]


def test_at_a_terminal_it_asks_whether_the_process_is_dead() -> None:
    sure = stage(held=(ANN,), owners={}, answer="y\ny")
    assert sure.run("recover", "staging") == 0
    assert "Did you make sure" in sure.err
    assert sure.engine.unlocked == ["staging"]
    unsure = stage(held=(ANN,), owners={}, answer="n")
    assert unsure.run("recover", "staging") == 4
    assert unsure.engine.unlocked == []


def test_a_lock_that_is_another_one_by_now_is_not_removed() -> None:
    class Moving(FakeBackend):
        def holders(self, stack: str) -> tuple[Holder, ...] | None:
            found = super().holders(stack)
            self.held[stack] = (replace(ANN, pid=4712),)
            return found

    on = stage(backend=Moving(held={"staging": (ANN,)}))
    assert on.run("recover", "staging", "--yes") == 4
    assert on.engine.unlocked == []
    assert "no longer the one that was shown" in on.err


def test_where_the_backend_keeps_its_locks_to_itself_the_rest_is_recovered() -> None:
    on = stage(exported(("release:index:Image", "image", "creating")), backend=FakeBackend(readable=False))
    assert on.run("recover", "staging", "--yes") == 0
    assert "does not report who holds it" in on.err
    assert len(on.engine.written) == 1


def test_what_was_done_is_said_once() -> None:
    on = stage(None, FINISHED, held=(ANN,), cloud=interrupted())
    assert on.run("recover", "staging", "--yes", "--finish") == 0
    assert on.err.count("remove the lock") == 1, "in the plan"
    assert on.out.startswith("staging, done: remove the lock; the record is unchanged; users are on ")
    assert ".." not in on.out


def test_what_was_done_before_a_failure_is_said() -> None:
    state = exported((SERVICE, IDLE, "creating"), services=("blue",))
    there = {(SERVICE, IDLE): Existing(id="arn:green")}
    on = stage(state, held=(ANN,), cloud=FakeCloud(environments=at({BLUE: 50, GREEN: 50}), there=there))
    assert on.run("recover", "staging", "--yes") == 4
    assert "Done before that: remove the lock.\n" in on.err


# ---- Plugins without an engine ------------------------------------------------------------------------------

AWS = Plugin(pid=77, began=1, name="pulumi-resource-aws", since="2026-01-02T03:04:05+00:00")


def machine(*plugins: Plugin, **over: Any) -> FakeMachine:
    return FakeMachine(owners={4711: Owner.GONE}, plugins={"staging": plugins}, **over)


def test_a_plugin_that_outlived_its_engine_is_ended_before_anything_else() -> None:
    seen: list[list[Plugin]] = []

    class Looking(FreeingEngine):
        def unlock(self, stack: str) -> None:
            seen.append(list(on.machine.ended))
            super().unlock(stack)

    on = stage(held=(ANN,), machine=machine(AWS))
    on.engine = Looking(states=on.engine.states, backend=on.backend)
    assert on.run("recover", "staging", "--yes", "--json") == 0
    assert seen == [[AWS]]
    assert "pulumi-resource-aws (process 77) since 2026-01-02T03:04:05+00:00 outlived its engine" in on.err
    assert "Will do:\n  end pulumi-resource-aws (process 77)\n  remove the lock\n" in on.err
    assert on.data["plugins"] == [{"process": 77, "name": AWS.name, "since": AWS.since}]
    assert on.data["done"] == ["end pulumi-resource-aws (process 77)", "remove the lock"]
    assert on.data["left"] == []


def test_a_plugin_alone_is_ended_as_well() -> None:
    on = stage(machine=machine(AWS))
    assert on.run("recover", "staging", "--yes", "--json") == 0
    assert on.machine.ended == [AWS]
    assert (on.data["left"], on.engine.unlocked) == ([], [])


def test_what_a_plugin_did_until_it_was_ended_is_seen_shown_and_confirmed() -> None:
    class Busy(FakeCloud):
        def existing(self, names: Any, type_: str, inputs: Any) -> Existing | None:
            del names, type_, inputs
            return Existing(id="arn:green") if on.machine.ended else None

    state = exported((SERVICE, IDLE, "creating"), services=("blue",))
    on = stage(state, cloud=Busy(environments=at()), machine=machine(AWS))
    assert on.run("recover", "staging", "--yes") == 0
    first, second = on.err.split("Meanwhile they had gone on.")
    assert "it does not exist in AWS" in first
    assert "AWS has it as arn:green" in second
    ((_, written),) = on.engine.written
    assert written["deployment"]["resources"][-1]["id"] == "arn:green"


def test_next_to_a_plugin_that_cannot_be_ended_nothing_is_done() -> None:
    on = stage(held=(ANN,), machine=machine(AWS, stubborn=True))
    assert on.run("recover", "staging", "--yes") == 3
    assert "cannot be ended" in on.err
    assert (on.engine.unlocked, on.engine.written) == ([], [])


def test_a_plugin_of_an_unknown_stack_is_left_to_a_person() -> None:
    on = stage(held=(ANN,), machine=machine(replace(AWS, known=False)))
    assert on.run("recover", "staging", "--yes") == 4
    assert "`kill 77`" in on.err
    assert (on.machine.ended, on.engine.unlocked) == ([], [])


def test_while_an_update_runs_no_plugin_is_touched() -> None:
    on = stage(held=(ANN,), machine=machine(AWS))
    on.machine.owners[4711] = Owner.RUNS
    assert on.run("recover", "staging", "--yes") == 4
    assert on.machine.ended == []


def test_a_no_ends_no_plugin() -> None:
    on = stage(machine=machine(AWS), answer="n")
    assert on.run("recover", "staging") == 130
    assert on.machine.ended == []


# ---- Asking -------------------------------------------------------------------------------------------------


def test_without_a_terminal_and_without_yes_nothing_is_changed() -> None:
    on = stage(held=(ANN,))
    assert on.run("recover", "staging") == 2
    assert on.engine.unlocked == []
    assert "Will do:\n  remove the lock\n" in on.err


def test_a_no_changes_nothing() -> None:
    on = stage(held=(ANN,), answer="n")
    assert on.run("recover", "staging") == 130
    assert on.engine.unlocked == []


# ---- Unfinished operations ----------------------------------------------------------------------------------


def test_a_killed_gate_is_forgotten_and_nothing_is_read_anew() -> None:
    on = stage(exported(("release:index:Rollout", "rollout", "updating")), held=(ANN,))
    assert on.run("recover", "staging", "--yes", "--json") == 0
    ((stack, state),) = on.engine.written
    assert (stack, state["deployment"]["pending_operations"]) == ("staging", [])
    assert on.engine.refreshed == []
    assert [each["what"] for each in on.data["found"]] == ["lock", "unfinished"]
    assert on.data["left"] == []


def test_a_half_created_idle_service_is_taken_into_the_state_and_read_anew() -> None:
    state = exported((SERVICE, IDLE, "creating"), services=("blue",))
    cloud = FakeCloud(environments=at(), there={(SERVICE, IDLE): Existing(id="arn:green")})
    on = stage(state, cloud=cloud)
    assert on.run("recover", "staging", "--yes") == 0
    ((_, written),) = on.engine.written
    assert written["deployment"]["resources"][-1]["id"] == "arn:green"
    assert on.engine.refreshed == [urn(SERVICE, IDLE, "staging")]
    assert "AWS has it as arn:green" in on.out


def test_a_service_that_was_never_created_is_forgotten() -> None:
    on = stage(exported((SERVICE, IDLE, "creating"), services=("blue",)), cloud=FakeCloud(environments=no_users_idle()))
    assert on.run("recover", "staging", "--yes") == 0
    ((_, written),) = on.engine.written
    assert written["deployment"]["resources"][-1]["urn"].endswith("-blue")
    assert on.engine.refreshed == []


def no_users_idle() -> dict[str, Observed]:
    found = at()["release-lane-staging"]
    return {"release-lane-staging": replace(found, sides={**found.sides, GREEN: situations.side(None, exists=False)})}


def test_what_was_being_changed_is_read_anew() -> None:
    on = stage(exported((SERVICE, IDLE, "updating")))
    assert on.run("recover", "staging", "--yes") == 0
    assert on.engine.refreshed == [urn(SERVICE, IDLE, "staging")]


def test_a_service_that_serves_stops_everything_but_the_lock() -> None:
    state = exported((SERVICE, IDLE, "creating"), services=("blue",))
    there = {(SERVICE, IDLE): Existing(id="arn:green")}
    cloud = FakeCloud(environments=at({BLUE: 50, GREEN: 50}), there=there)
    on = stage(state, held=(ANN,), cloud=cloud)
    assert on.run("recover", "staging", "--yes") == 4
    assert on.engine.unlocked == ["staging"]
    assert on.engine.written == []
    assert cloud.deleted == []
    assert "was left alone" in on.err
    assert "serves users" in on.err


def test_a_refresh_that_fails_is_reported() -> None:
    class Failing(FreeingEngine):
        def refresh(self, stack: str, urns: Any) -> Run:
            del stack, urns
            return failed(said("no such cluster", about=urn(SERVICE, IDLE)))

    on = stage(exported((SERVICE, IDLE, "updating")))
    on.engine = Failing(states=on.engine.states, backend=on.backend)
    assert on.run("recover", "staging", "--yes") == 3
    assert "no such cluster" in on.err


# ---- A service that the state does not know -----------------------------------------------------------------


def test_a_stray_idle_service_is_deleted_and_its_name_waited_for() -> None:
    class Draining(FakeCloud):
        left = 3

        def existing(self, names: Any, type_: str, inputs: Any) -> Existing | None:
            del names, type_, inputs
            self.left -= 1
            return Existing(id="arn:green", leaving=True) if self.left > 0 else None

    cloud = Draining(environments=at())
    on = stage(exported(services=("blue",)), cloud=cloud)
    assert on.run("recover", "staging", "--yes") == 0
    assert cloud.deleted == [IDLE]
    assert on.machine.time == 2


def test_a_service_that_never_drains_is_reported() -> None:
    class Stuck(FakeCloud):
        def existing(self, names: Any, type_: str, inputs: Any) -> Existing | None:
            del names, type_, inputs
            return Existing(id="arn:green", leaving=True)

    on = stage(exported(services=("blue",)), cloud=Stuck(environments=at()))
    assert on.run("recover", "staging", "--yes") == 3
    assert "still being deleted" in on.err


def test_a_state_that_owns_nothing_deletes_nothing() -> None:
    on = stage({"version": 3, "deployment": {"resources": []}})
    assert on.run("recover", "staging", "--yes") == 0
    assert on.cloud.deleted == []


# ---- The switch ---------------------------------------------------------------------------------------------

SWITCHED = situations.journal((BLUE, B), (GREEN, A), Phase.MOVED)
FINISHED = ran(*plan("finish", GREEN, A, target=None))


def interrupted() -> FakeCloud:
    return FakeCloud(environments=at(GREEN, written=SWITCHED))


def test_an_interrupted_switch_is_explained_and_left_to_a_person() -> None:
    on = stage(cloud=interrupted())
    assert on.run("recover", "staging") == 0
    assert "found an interrupted switch to green" in on.err
    assert "users are on green" in on.err
    assert on.engine.calls == []
    assert "[finish" not in on.err, "there is no terminal to ask at"
    assert "nothing was changed" in on.out
    assert "--finish" in on.out
    assert "--undo" in on.out


@pytest.mark.parametrize(("chosen", "config"), [("--finish", {}), ("--undo", {"onDrift": "restore"})])
def test_it_is_finished_or_undone_by_an_ordinary_update(chosen: str, config: dict[str, str]) -> None:
    on = stage(None, FINISHED, cloud=interrupted())
    assert on.run("recover", "staging", chosen, "--json") == 0
    assert on.engine.calls == [("update", "staging", config)]
    assert on.data["update"]["decision"] == "finish"


def test_it_is_finished_without_the_ledger_where_that_is_away() -> None:
    on = stage(None, FINISHED, cloud=interrupted())
    assert on.run("recover", "staging", "--finish", "--without-ledger", "it is down") == 0
    assert on.engine.calls == [("update", "staging", {"withoutLedger": "it is down"})]


@pytest.mark.parametrize(
    ("answer", "config"), [("finish", {}), ("u", {"onDrift": "restore"}), ("leave", None), ("", None)]
)
def test_at_a_terminal_it_offers_both(answer: str, config: dict[str, str] | None) -> None:
    on = stage(None, FINISHED, cloud=interrupted(), answer=answer)
    assert on.run("recover", "staging") == 0
    assert "[finish/undo/leave]" in on.err
    assert [each for _, _, each in on.engine.calls] == ([] if config is None else [config])


def test_yes_is_no_answer_to_which_way() -> None:
    on = stage(cloud=interrupted(), answer="finish")
    assert on.run("recover", "staging", "--yes") == 0
    assert on.engine.calls == []


def test_both_choices_at_once_end_with_2() -> None:
    assert stage(cloud=interrupted()).run("recover", "staging", "--finish", "--undo") == 2


def test_without_a_switch_there_is_nothing_to_finish() -> None:
    on = stage()
    assert on.run("recover", "staging", "--finish") == 0
    assert "There is no interrupted switch in staging to finish." in on.err
    assert on.engine.calls == []


def test_the_lock_goes_before_the_update() -> None:
    on = stage(None, FINISHED, held=(ANN,), cloud=interrupted())
    assert on.run("recover", "staging", "--yes", "--finish") == 0
    assert on.engine.unlocked == ["staging"]
    assert len(on.engine.calls) == 1


def test_a_first_switch_cannot_be_undone() -> None:
    state = {"version": 3, "deployment": {"resources": []}}
    first = situations.observed(situations.A, None, BLUE, situations.journal(None, (BLUE, A), Phase.MOVED))
    on = stage(state, cloud=FakeCloud(environments={"release-lane-staging": first}))
    assert on.run("recover", "staging", "--undo") == 2
    assert "cannot be undone" in on.err
    assert on.engine.calls == []


def test_an_undo_that_a_gate_refuses_ends_as_the_gate_says() -> None:
    gate = urn("release:index:Rollout", "rollout")
    on = stage(None, failed(said("The rollout gate refused blue.\nNext: look.", about=gate)), cloud=interrupted())
    assert on.run("recover", "staging", "--undo") == 1
    assert len(on.engine.calls) == 1, "recover heals nothing by itself"
    assert "The rollout gate refused blue" in on.err


def test_a_lock_that_somebody_took_meanwhile_is_refused() -> None:
    stderr = "error: the stack is currently locked by 1 lock(s).\n  x: created by bob@b (pid 1) at 2026-01-02T03:04:05Z"
    on = stage(None, Run(exit_code=255, log=log(), stderr=stderr), cloud=interrupted())
    assert on.run("recover", "staging", "--finish") == 4
    assert "bob@b" in on.err


# ---- Telling ------------------------------------------------------------------------------------------------

TOPIC = {"topic": "arn:aws:sns:us-east-1:123456789012:releases"}


def test_what_was_recovered_is_reported_and_nothing_else_is() -> None:
    on = stage(held=(ANN,), notify=TOPIC)
    assert on.run("recover", "staging", "--yes") == 0
    (notice,) = on.notifier.sent
    assert (notice.event, notice.sentence) == (Event.RECOVERED, "staging: remove the lock.")
    quiet = stage(notify=TOPIC)
    assert quiet.run("recover", "staging") == 0
    assert quiet.notifier.sent == []


def test_an_undo_that_fails_is_reported_as_what_it_is() -> None:
    gate = urn("release:index:Rollout", "rollout")
    on = stage(
        None,
        failed(said("The rollout gate refused blue.\nKind: CheckFailed", about=gate)),
        cloud=interrupted(),
        notify=TOPIC,
    )
    assert on.run("recover", "staging", "--undo") == 1
    assert [notice.event for notice in on.notifier.sent] == [Event.REFUSED]
