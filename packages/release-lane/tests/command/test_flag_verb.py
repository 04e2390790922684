"""release flag: what is asked, what the stack of flags is given, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from release_lane.command.adapters.backend import FakeBackend
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.machine import FakeMachine
from release_lane.engine.locks import Holder, Owner
from release_lane.engine.state import StackState
from release_lane.errors import Refused
from release_lane.ledger.memory import in_memory
from release_lane.record.flags import FlagRecord
from release_lane.record.ledger import Draft, EntryKind, Result
from tests.command.test_recording import IN_CI, URL
from tests.command.test_releasing import LOCKED
from tests.command.words import Stage, becomes, failed, ran, said, states

pytestmark = pytest.mark.cli

STACK = "production-flags"
NOW = FlagRecord(flags={"a": 100, "b": 25})
WHY = ("--reason", "orders are lost")


def holding(record: FlagRecord) -> StackState:
    return StackState(outputs=record.as_outputs())


def stage(*runs: Run | FlagRecord, record: FlagRecord | None = NOW, **over: object) -> Stage:
    """`runs`: what each update is, or leaves."""
    done = [becomes(STACK, holding(each), ran()) if isinstance(each, FlagRecord) else each for each in runs]
    there = states() | ({STACK: holding(record)} if record else {})
    return Stage(engine=FakeEngine(states=there, runs=done), **over)  # type: ignore[arg-type]


def given(on: Stage) -> dict[str, str]:
    ((verb, stack, config),) = on.engine.calls
    assert (verb, stack, config["role"]) == ("update", STACK, "flags")
    return config


def test_flags_are_listed_without_an_update() -> None:
    on = stage()
    assert on.run("flag", "production") == 0
    assert on.out.splitlines() == ["FLAG  IS", "a     on", "b     25%"]
    on = stage(record=NOW.changed({"a": 0}))
    on.run("flag", "production", "--json")
    assert on.data == {
        "environment": "production",
        "parameter": "/release-lane/production/flags",
        "flags": {"a": 0, "b": 25},
        "undoable": 1,
    }
    assert on.engine.calls == []


def test_before_the_first_change_there_are_none() -> None:
    on = stage(record=None)
    assert on.run("flag", "production") == 0
    assert on.out == "No flag of production was set.\n"


def test_turning_off_asks_nothing_and_is_one_update_of_its_own_stack() -> None:
    on = stage(NOW.changed({"a": 0}))
    assert on.run("flag", "production", "a=off", *WHY) == 0
    assert json.loads(given(on)["flags"]) == {"a": "off"}
    assert on.engine.messages == ["release flag production: a on -> off"]
    assert on.out == "production: a on -> off.\n"


@pytest.mark.parametrize(("environment", "yes", "code"), [("production", False, 2), ("production", True, 0)])
def test_turning_on_is_asked_where_it_counts_as_production(environment: str, yes: bool, code: int) -> None:
    on = stage(NOW.changed({"b": 50}))
    assert on.run("flag", environment, "b=50%", *WHY, *(["--yes"] if yes else [])) == code
    assert bool(on.engine.calls) is yes


def test_a_person_is_shown_what_would_be_turned_on() -> None:
    on = stage(answer="n")
    assert on.run("flag", "production", "a=off", "b=on", *WHY) == 130
    assert "Flags of production: a on -> off, b 25% -> on. Go on?" in on.err
    assert on.engine.calls == []


def test_the_first_change_creates_the_stack() -> None:
    on = stage(FlagRecord().changed({"a": 0}), record=None)
    assert on.run("flag", "production", "a=off", *WHY) == 0
    assert on.engine.created == [STACK]
    assert on.out == "production: a new -> off.\n"


def test_what_is_recorded_so_already_is_written_all_the_same() -> None:
    """Somebody may have changed the parameter by hand."""
    on = stage(NOW)
    assert on.run("flag", "production", "b=25%", *WHY, "--json") == 0
    assert json.loads(given(on)["flags"]) == {"b": "25%"}
    assert on.data["turned"] == {}


def test_an_undo_goes_back_and_is_refused_where_nothing_was_changed() -> None:
    on = stage(NOW, record=NOW.changed({"a": 0}))
    assert on.run("flag", "production", "--undo", *WHY, "--yes") == 0
    assert given(on) == {"role": "flags", "undoFlags": "true"}
    assert on.out == "production: a off -> on.\n"
    on = stage()
    assert on.run("flag", "production", "--undo", *WHY) == 4
    assert "There is no change of flags to undo." in on.err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("a=off",), "--reason is missing"),
        (("a=off", "--undo", *WHY), "give either it or flags"),
        (("a=maybe", *WHY), "a should be on, off"),
        (("a", *WHY), "a should be on, off"),
        (("new checkout=on", *WHY), "'new checkout' should be a letter"),
        (("a=on", "a=off", *WHY), "A flag is given twice."),
        (("a=on", "--reason", " "), "should be a reason"),
    ],
    ids=["reason", "both", "share", "pair", "name", "twice", "blank"],
)
def test_what_cannot_be_meant_is_refused_before_the_engine_starts(argv: tuple[str, ...], says: str) -> None:
    on = stage()
    assert on.run("flag", "production", *argv) == 2
    assert says in on.err
    assert on.engine.calls == []


def test_a_refusal_of_the_program_is_the_commands() -> None:
    refusal = str(Refused("b is not turned on: the line of production is stopped.", why="sick"))
    on = stage(failed(said(refusal), touched=False))
    assert on.run("flag", "production", "b=on", *WHY, "--yes", "--through-freeze", "it cannot wait") == 4
    assert given(on)["throughFreeze"] == "it cannot wait"
    assert "the line of production is stopped" in on.err


def test_the_lock_of_an_update_of_the_environment_does_not_matter() -> None:
    """It is another stack's; that of its own stack does, unless who held it is dead."""
    holder = Holder(user="ann", host="build-7", pid=7, since="2026-01-02T03:04:05Z")
    busy = FakeBackend(held={"production": (holder,)})
    on = stage(NOW.changed({"a": 0}), backend=busy)
    assert on.run("flag", "production", "a=off", *WHY) == 0
    assert on.engine.unlocked == []


@pytest.mark.parametrize("dead", [True, False])
def test_a_lock_that_a_killed_change_left_is_removed(dead: bool) -> None:
    machine = FakeMachine(owners={7: Owner.GONE if dead else Owner.RUNS})
    holder = Holder(user="ann", host="build-7", pid=7, since="2026-01-02T03:04:05Z")
    on = stage(NOW.changed({"a": 0}), backend=FakeBackend(held={STACK: (holder,)}), machine=machine)
    assert on.run("flag", "production", "a=off", *WHY) == 0
    assert on.engine.unlocked == ([STACK] if dead else [])


def test_a_change_that_came_in_between_is_not_undone_by_a_command_that_waited() -> None:
    before = NOW.changed({"a": 0})
    locked = becomes(STACK, holding(before.changed({"b": 0})), failed(stderr=LOCKED, touched=False))
    on = stage(record=before)
    on.engine.runs = [locked]
    assert on.run("flag", "production", "--undo", *WHY, "--yes", "--lock-wait", "1m") == 4
    assert "were changed while this command waited" in on.err


def test_a_change_is_by_whom_the_ledger_names_and_for_which_reason() -> None:
    on = stage(NOW.changed({"a": 0}), ledger_url=URL, origin=IN_CI)
    assert on.run("flag", "production", "a=off", *WHY) == 0
    (actor,) = on.engine.actors
    assert (actor.verb, actor.who, actor.reason) == ("flag", "ann", "orders are lost")


def test_a_list_is_in_no_ledger_and_a_change_that_never_began_is() -> None:
    on = stage(ledger_url=URL, origin=IN_CI)
    on.run("flag", "production")
    assert in_memory(on.ledger).entries() == ()
    on.run("flag", "production", "--undo", *WHY)
    (entry,) = in_memory(on.ledger).entries()
    assert (entry.verb, entry.result, entry.reason) == ("flag", Result.REFUSED, "orders are lost")


def test_the_history_of_an_environment_has_its_flags() -> None:
    on = stage(ledger_url=URL, origin=IN_CI)
    draft = Draft(id="1", kind=EntryKind.OUTCOME, at="2026-01-02T03:04:05+00:00", environment=STACK, verb="flag")
    for number, each in enumerate((STACK, "staging-flags")):
        in_memory(on.ledger).append(replace(draft, id=str(number), environment=each))
    assert on.run("history", "production") == 0
    assert STACK in on.out
    assert "staging-flags" not in on.out
