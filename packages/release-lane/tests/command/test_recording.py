"""Each call of a verb that changes something is in the ledger once: written by its update, or by the command."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.engine import FakeEngine, Run
from release_lane.command.adapters.machine import FakeMachine
from release_lane.engine.locks import Origin
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.ledger import COMMAND, Draft, Entry, EntryKind, Result
from tests.command.test_releasing import LOCKED, PROMOTED, REDUCED, STAGED, stage
from tests.command.words import GREEN, A, B, Stage, failed, plan, ran, refused_by_gate

pytestmark = pytest.mark.cli

URL = "s3://shop-releases"
IN_CI = Origin(who="ann", run="https://ci/7")


def entries(on: Stage) -> tuple[Entry, ...]:
    return in_memory(on.ledger).entries()


def by_its_update(then: Any) -> Any:
    """An update whose provider writes an entry of its own."""
    ledger = Memory()

    def effect(engine: FakeEngine) -> Run:
        draft = Draft(id="p", kind=EntryKind.INTENT, at="", environment="production", verb=engine.actors[-1].verb)
        in_memory(ledger).append(replace(draft, details={COMMAND: engine.actors[-1].id}))
        return then(engine) if callable(then) else then  # type: ignore[no-any-return]

    return ledger, effect


def test_an_update_knows_who_acts_and_why() -> None:
    on = stage(PROMOTED, ledger_url=URL, origin=IN_CI)
    assert on.run("promote", "production", "--yes", "--reason", "a fix") == 0
    (actor,) = on.engine.actors
    assert (actor.verb, actor.who, actor.run, actor.reason) == ("promote", "ann", "https://ci/7", "a fix")
    assert actor.id


@pytest.mark.parametrize(("given", "details"), [("prices are wrong", {"hotfix": "prices are wrong"}), (" ", {})])
def test_a_hotfix_is_flagged_and_its_reason_is_the_updates(given: str, details: dict[str, str]) -> None:
    on = stage(PROMOTED, ledger_url=URL)
    assert on.run("promote", "production", "--yes", "--hotfix", given) == 0
    (actor,) = on.engine.actors
    assert (actor.reason, actor.details) == (given.strip(), details)


def test_outside_ci_a_person_acts_on_a_machine() -> None:
    on = stage(PROMOTED, ledger_url=URL)
    on.run("promote", "production", "--yes")
    assert on.engine.actors[0].who == "me@here"


def test_what_its_update_wrote_is_not_written_again() -> None:
    ledger, promoted = by_its_update(PROMOTED)
    on = stage(promoted, ledger_url=URL, ledger=ledger)
    assert on.run("promote", "production", "--yes") == 0
    assert [entry.id for entry in entries(on)] == ["p"]


@pytest.mark.parametrize(("others", "own"), [(1, 0), (7, 0), (8, 1)])
def test_its_entry_is_found_below_those_that_others_wrote_meanwhile(others: int, own: int) -> None:
    """All entries but the newest are read at once, and of a long ledger no more than a few."""
    ledger, promoted = by_its_update(PROMOTED)
    for number in range(20):
        in_memory(ledger).append(Draft(id=f"before{number}", kind=EntryKind.INTENT, at="", environment="other"))

    def with_others(engine: FakeEngine) -> Run:
        run = promoted(engine)
        for number in range(others):
            in_memory(ledger).append(Draft(id=f"after{number}", kind=EntryKind.INTENT, at="", environment="other"))
        ledger.calls.clear()
        return run  # type: ignore[no-any-return]

    on = stage(with_others, ledger_url=URL, ledger=ledger)
    assert on.run("promote", "production", "--yes") == 0
    assert len(entries(on)) == 21 + others + own
    assert ledger.calls[:9] == ["newest", *["read"] * 8]


def test_an_entry_below_its_own_that_cannot_be_read_does_not_matter() -> None:
    ledger, promoted = by_its_update(PROMOTED)
    strange = in_memory(ledger).append(Draft(id="strange", kind=EntryKind.INTENT, at="", environment="other"))
    in_memory(ledger).append(Draft(id="before", kind=EntryKind.INTENT, at="", environment="other"))

    def with_another(engine: FakeEngine) -> Run:
        run = promoted(engine)
        in_memory(ledger).append(Draft(id="after", kind=EntryKind.INTENT, at="", environment="other"))
        ledger.objects[strange.name] = b"no entry"
        return run  # type: ignore[no-any-return]

    on = stage(with_another, ledger_url=URL, ledger=ledger)
    assert on.run("promote", "production", "--yes") == 0
    assert "The ledger does not have this call" not in on.err
    assert [entry.id for entry in entries(on)] == ["before", "p", "after"]


def test_nor_is_a_no_that_its_update_wrote() -> None:
    ledger, refused = by_its_update(refused_by_gate())
    on = stage(refused, ran(*plan("heal", GREEN, B, target=GREEN)), ledger_url=URL, ledger=ledger)
    assert on.run("promote", "production", "--yes") == 1
    assert [entry.id for entry in entries(on)] == ["p"]


def test_a_refusal_before_the_update_is_written() -> None:
    on = stage(failed(stderr=LOCKED, touched=False), ledger_url=URL, origin=IN_CI, machine=FakeMachine())
    assert on.run("promote", "production", "--yes") == 4
    (entry,) = entries(on)
    assert (entry.kind, entry.result, entry.of) == (EntryKind.OUTCOME, Result.REFUSED, 0)
    assert (entry.environment, entry.verb, entry.who, entry.run) == ("production", "promote", "ann", "https://ci/7")
    assert "is being updated by ann@build-7" in entry.details["why"]


def test_an_update_with_nothing_to_do_is_written_by_the_command() -> None:
    on = stage(ran(*plan("keep", GREEN, B, target=None)), ledger_url=URL)
    assert on.run("deploy", "staging") == 0
    (entry,) = entries(on)
    assert (entry.environment, entry.verb, entry.result) == ("staging", "deploy", Result.DONE)


def test_a_verb_without_an_update_of_an_environment_is_written() -> None:
    on = stage(ledger_url=URL)
    on.run("rollback", "production")
    (entry,) = entries(on)
    assert (entry.verb, entry.result) == ("rollback", Result.REFUSED)
    assert "only one release" in entry.details["why"]


def test_a_wrong_command_line_is_not_written() -> None:
    on = stage(ledger_url=URL)
    assert on.run("deploy", "nowhere") == 2
    assert entries(on) == ()


@pytest.mark.parametrize("argv", [["status"], ["settings"]])
def test_a_verb_that_changes_nothing_is_not_written(argv: list[str]) -> None:
    on = stage(ledger_url=URL)
    assert on.run(*argv) == 0
    assert entries(on) == ()


def test_a_ledger_that_is_away_is_a_warning_after_the_fact() -> None:
    on = stage(PROMOTED, ledger_url=URL, ledger=Memory(away=True))
    assert on.run("promote", "production", "--yes") == 0
    assert "The ledger does not have this call of `release promote`" in on.err


def test_a_release_without_the_ledger_has_to_say_why() -> None:
    on = stage(PROMOTED, ledger_url=URL, ledger=Memory(away=True))
    assert on.run("promote", "production", "--yes", "--without-ledger", "users need the fix") == 0
    assert on.engine.calls[0][2] == {"imageDigest": B.digest, "withoutLedger": "users need the fix"}
    assert "ledger" not in on.err


def test_what_follows_a_release_without_the_ledger_does_without_it_as_well() -> None:
    excused, heal = ["--without-ledger", "it is down"], ran(*plan("heal", GREEN, B, target=GREEN))
    refused = stage(refused_by_gate(), heal, ledger_url=URL, ledger=Memory(away=True))
    assert refused.run("promote", "production", "--yes", *excused) == 1
    assert refused.engine.calls[1][2] == {"withoutLedger": "it is down"}
    done = stage(STAGED, REDUCED, ledger_url=URL, ledger=Memory(away=True), idle_tasks=1)
    assert done.run("deploy", "staging", *excused) == 0
    assert done.engine.calls[1][2] == {"withoutLedger": "it is down"}


def test_without_a_ledger_nothing_is_written_and_nothing_is_said() -> None:
    on = stage(PROMOTED)
    assert on.run("promote", "production", "--yes") == 0
    assert on.ledger.calls == []
    assert on.engine.actors == []


def test_healing_after_a_refused_release_is_named_so() -> None:
    on = stage(refused_by_gate(), ran(*plan("heal", GREEN, B, target=GREEN)), ledger_url=URL)
    on.run("deploy", "staging", "--digest", A.digest)
    assert [(actor.verb, actor.reason) for actor in on.engine.actors] == [
        ("deploy", ""),
        ("heal", "after a refused release"),
    ]
