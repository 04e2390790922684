"""Stopping a line, resuming it, quarantine and pardon, and the rollback that leaves a fault."""

from __future__ import annotations

import pytest
from release_lane.command.adapters.machine import FakeMachine
from release_lane.ledger.halts import halts_in
from release_lane.ledger.memory import Memory, in_memory
from release_lane.operate.watching import Look
from release_lane.record.halts import Halts
from release_lane.record.ledger import Draft, Entry, EntryKind, Result
from release_lane.record.placement import all_on
from release_lane.record.records import Observed
from tests.command.test_recording import IN_CI, URL
from tests.command.test_releasing import LOCKED, stage
from tests.command.words import (
    BLUE,
    GREEN,
    A,
    B,
    C,
    Stage,
    becomes,
    failed,
    plan,
    ran,
    recorded,
    refused_by_gate,
    said,
    state,
    urn,
)

pytestmark = pytest.mark.cli

BACK = ran(*plan("traffic-only", BLUE, A, target=BLUE))
SICK = "orders are lost"
SWITCH = urn("release:index:TrafficSwitch", "switch")


def on_ledger(*runs: object, **over: object) -> Stage:
    return stage(*runs, ledger_url=URL, origin=IN_CI, **over)


def again(before: Stage, *runs: object) -> Stage:
    """Another call, of the same ledger."""
    return on_ledger(*runs, ledger=before.ledger)


def entries(on: Stage) -> tuple[Entry, ...]:
    return in_memory(on.ledger).entries()


def halts(on: Stage, environment: str = "production", digest: str = B.digest) -> Halts:
    return halts_in(in_memory(on.ledger), environment, digest)


# ---- the line


def test_a_line_is_stopped_for_a_reason_by_whom_the_ledger_names() -> None:
    on = on_ledger()
    assert on.run("stop-the-line", "production", "--reason", SICK) == 0
    (entry,) = entries(on)
    assert halts(on).stopped == entry
    assert (entry.kind, entry.environment, entry.reason) == (EntryKind.STOPPED, "production", SICK)
    assert (entry.verb, entry.who, entry.run) == ("stop-the-line", "ann", "https://ci/7")
    assert "until `release resume production --reason …`" in on.out
    assert on.engine.calls == []
    assert halts(on, "staging") == Halts()


def test_a_line_that_is_stopped_keeps_its_first_reason() -> None:
    first = on_ledger()
    first.run("stop-the-line", "production", "--reason", SICK)
    on = again(first)
    assert on.run("stop-the-line", "production", "--reason", "me too") == 0
    assert f"stopped already: {SICK} (ann, " in on.out
    stopped = halts(on).stopped
    assert stopped is not None
    assert stopped.sequence == 1


def test_a_line_goes_on_once_it_is_resumed() -> None:
    first = on_ledger()
    first.run("stop-the-line", "production", "--reason", SICK)
    on = again(first)
    assert on.run("resume", "production", "--reason", "found them") == 0
    assert halts(on) == Halts()
    assert [(entry.kind, entry.reason) for entry in entries(on)] == [
        (EntryKind.STOPPED, SICK),
        (EntryKind.RESUMED, "found them"),
    ]


def test_a_line_that_is_not_stopped_cannot_be_resumed() -> None:
    on = on_ledger()
    assert on.run("resume", "production", "--reason", "why not") == 4
    assert "The line of production is not stopped." in on.err


@pytest.mark.parametrize("argv", [(), ("production",)], ids=["all", "one"])
def test_status_says_that_a_line_is_stopped_and_the_previous_release_in_quarantine(argv: tuple[str, ...]) -> None:
    first = on_ledger()
    first.run("stop-the-line", "production", "--reason", SICK)
    again(first).run("quarantine", B.digest, "--reason", "it charges twice")
    on = again(first)
    on.engine.states["production"] = state(BLUE, A, B, A)
    assert on.run("status", *argv) == 0
    assert f"the line is stopped: {SICK} (ann, " in on.out
    assert "the previous release is in quarantine: it charges twice (ann, " in on.out
    data = again(first)
    data.run("status", "production", "--json")
    (row,) = data.data["environments"]
    assert row["lineStopped"].startswith(SICK)
    assert row["previousInQuarantine"] is None, "it has had one release only"


def test_a_ledger_that_is_away_does_not_hide_what_is_live() -> None:
    on = on_ledger(ledger=Memory(away=True))
    assert on.run("status", "staging") == 0
    assert B.digest in on.out
    assert "halted" in on.out
    assert "unknown: The ledger memory cannot be read." in on.out


# ---- quarantine


def test_a_digest_in_quarantine_is_there_for_every_environment_until_it_is_pardoned() -> None:
    first = on_ledger()
    assert first.run("quarantine", B.digest, "--reason", "it charges twice") == 0
    assert halts(first, "staging").quarantined == halts(first, "production").quarantined == entries(first)[0]
    assert halts(first, "production", A.digest) == Halts()
    on = again(first)
    assert on.run("pardon", B.digest, "--reason", "the provider was down") == 0
    assert halts(on) == Halts()
    assert "It was in quarantine: it charges twice (ann, " in on.out


def test_a_digest_that_is_in_no_quarantine_needs_no_pardon() -> None:
    on = on_ledger()
    assert on.run("pardon", B.digest, "--reason", "why not") == 4
    assert "is not in quarantine" in on.err


@pytest.mark.parametrize(
    "argv", [("stop-the-line", "production"), ("resume", "production"), ("quarantine", B.digest), ("pardon", B.digest)]
)
def test_each_needs_a_ledger_a_reason_and_an_answer(argv: tuple[str, ...]) -> None:
    nowhere = stage()
    assert nowhere.run(*argv, "--reason", SICK) == 2
    assert "There is no ledger" in nowhere.err
    assert on_ledger().run(*argv) == 2
    assert on_ledger().run(*argv, "--reason", " ") == 2
    away = on_ledger(ledger=Memory(away=True))
    assert away.run(*argv, "--reason", SICK) == 3
    assert "cannot be read" in away.err


@pytest.mark.parametrize("verb", ["quarantine", "pardon"])
def test_only_a_digest_is_taken(verb: str) -> None:
    assert on_ledger().run(verb, "latest", "--reason", SICK) == 2


# ---- a rollback for a fault


def test_a_rollback_for_a_fault_puts_what_is_left_into_quarantine_before_users_move() -> None:
    ledger, found = Memory(), []

    def moved(_: object) -> object:
        found.append(halts_in(in_memory(ledger), "production", B.digest).quarantined)
        return BACK

    on = on_ledger(moved, ledger=ledger)
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 0
    (entry,) = found
    assert entry is not None
    assert (entry.kind, entry.digest, entry.environment) == (EntryKind.QUARANTINE, B.digest, "staging")
    assert (entry.reason, entry.verb, entry.who) == ("it charges twice", "rollback", "ann")
    assert "sha256:bbbbbbbbbbbb is in quarantine for all environments (entry 1)" in on.out
    assert [each.kind for each in entries(on)] == [EntryKind.QUARANTINE], "it is said once"


@pytest.mark.parametrize("given", [("--fault", "it charges twice"), ("--exceptions=--fault 'it charges twice'",)])
def test_the_update_of_such_a_rollback_names_the_fault_as_its_reason(given: tuple[str, ...]) -> None:
    on = on_ledger(BACK)
    on.run("rollback", "staging", *given)
    assert on.engine.actors[-1].reason == "it charges twice"


def test_a_rollback_does_not_wait_for_a_ledger_that_is_away_and_says_what_is_missing() -> None:
    on = on_ledger(BACK, ledger=Memory(away=True))
    assert on.run("rollback", "staging", "--fault", "it charges twice", "--without-ledger", "it is down") == 0
    assert len(on.engine.calls) == 1
    assert "could NOT be put into quarantine" in on.out
    assert f"`release quarantine {B.digest} --reason" in on.out


def test_a_rollback_does_not_fail_for_an_entry_that_a_later_version_wrote() -> None:
    ledger = Memory()
    newest = in_memory(ledger).append(Draft(id="later", kind=EntryKind.REVIEW, at=""))
    ledger.objects[newest.name] = newest.as_bytes().replace(b'"schema":1', b'"schema":99')
    on = on_ledger(BACK, ledger=ledger)
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 0
    assert len(on.engine.calls) == 1
    assert "could NOT be put into quarantine" in on.out


def test_what_was_away_before_the_rollback_is_said_after_it() -> None:
    ledger = Memory(away=True)

    def back_again(_: object) -> object:
        ledger.away = False
        return BACK

    on = on_ledger(back_again, ledger=ledger)
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 0
    assert halts(on).quarantined is not None


def test_a_rollback_that_is_refused_leaves_the_fault_in_quarantine_and_says_so() -> None:
    on = on_ledger(refused_by_gate(), ran())
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 1
    assert halts(on).quarantined is not None
    assert "is in quarantine for all environments (entry 1)" in on.err


def test_a_rollback_that_never_began_is_in_the_ledger_next_to_the_fault() -> None:
    on = on_ledger(failed(stderr=LOCKED, touched=False), machine=FakeMachine())
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 4
    fault, refused = entries(on)
    assert (fault.kind, refused.kind) == (EntryKind.QUARANTINE, EntryKind.OUTCOME)
    assert (refused.verb, refused.result, refused.reason) == ("rollback", Result.REFUSED, "it charges twice")


STILL, PERHAPS = "are STILL on it.", "may STILL be on it: `release status staging`"


def by_the_switch(fields: str) -> object:
    return failed(said(f"It failed.\n{fields}", about=SWITCH))


@pytest.mark.parametrize(
    ("ending", "code", "users"),
    [
        (refused_by_gate(), 1, STILL),
        (failed(stderr=LOCKED, touched=False), 4, STILL),
        (by_the_switch("Kind: CheckFailed\nUsers: untouched"), 1, STILL),
        (by_the_switch("Kind: CheckFailed\nUsers: restored"), 1, STILL),
        (by_the_switch("Kind: CloudError\nUsers: unsure"), 3, PERHAPS),
        (failed(stderr="the engine died"), 3, PERHAPS),
    ],
    ids=["a gate", "the lock", "untouched", "restored", "unsure", "not known"],
)
def test_a_rollback_that_ends_badly_says_in_one_place_where_the_fault_and_the_users_are(
    ending: object, code: int, users: str
) -> None:
    on = on_ledger(ending, ran(), machine=FakeMachine())
    assert on.run("rollback", "staging", "--fault", "it charges twice", "--no-heal") == code
    assert f"sha256:bbbbbbbbbbbb is in quarantine for all environments (entry 1). Users of staging {users}" in on.err


@pytest.mark.parametrize("ended", [TypeError("date"), KeyboardInterrupt()], ids=["a mistake of the command", "Ctrl-C"])
def test_a_rollback_that_breaks_off_names_the_quarantine_and_has_an_outcome(ended: BaseException) -> None:
    def broken(_: object) -> object:
        raise ended

    on = on_ledger(broken)
    assert on.run("rollback", "staging", "--fault", "it charges twice") in (3, 130)
    assert "is in quarantine for all environments (entry 1). Users of staging may STILL be on it" in on.err
    fault, outcome = entries(on)
    assert (fault.kind, outcome.kind, outcome.verb) == (EntryKind.QUARANTINE, EntryKind.OUTCOME, "rollback")
    assert outcome.result is not Result.DONE


def test_where_the_way_back_is_in_quarantine_nothing_is_said_of_the_release_that_users_stay_on() -> None:
    first = on_ledger()
    first.run("quarantine", A.digest, "--reason", "it loses orders")
    on = again(first, BACK)
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 4
    assert on.engine.calls == []
    assert halts(on).quarantined is None
    assert "sha256:aaaaaaaaaaaa is in quarantine, so it is no way back." in on.err
    assert "Users of staging are STILL on sha256:bbbbbbbbbbbb." in on.err
    assert "it loses orders" in on.err
    assert "--to" in on.err
    _, refused = entries(on)
    assert (refused.kind, refused.result) == (EntryKind.OUTCOME, Result.REFUSED)


def test_a_plain_rollback_puts_nothing_into_quarantine() -> None:
    on = on_ledger(BACK)
    on.run("rollback", "staging")
    assert halts(on) == Halts()


def test_a_fault_without_a_ledger_is_a_wrong_call_and_users_stay() -> None:
    on = stage(BACK)
    assert on.run("rollback", "staging", "--fault", "it charges twice") == 2
    assert on.engine.calls == []


# ---- what is live is in quarantine

CHARGES_TWICE = "it charges twice"


def live_in_quarantine(*history: object, spoiled: tuple[str, ...] = (B.digest,)) -> Stage:
    """Staging has had these releases; the digests were put into quarantine."""
    first = on_ledger()
    for each in spoiled:
        first.run("quarantine", each, "--reason", CHARGES_TWICE)
    first.engine.states["staging"] = state(GREEN, *history)  # type: ignore[arg-type]
    placed = {"release-lane-staging": GREEN, "release-lane-production": BLUE}
    first.cloud.environments = {name: Observed(weights=all_on(on), journal=None) for name, on in placed.items()}
    first.cloud.seen = [Look(rule=None, health={}, alarms=(), traffic=None)]
    return first


LIVE = f"the live release {B.digest[:19]} is in quarantine: {CHARGES_TWICE} (ann, "
BACK_TO_C = f"`release rollback staging --to {C.digest}`"


@pytest.mark.parametrize("argv", [("status",), ("status", "staging"), ("board",), ("deploy", "staging")])
def test_a_live_release_in_quarantine_is_said_wherever_one_looks_with_the_way_back_that_is_left(
    argv: tuple[str, ...],
) -> None:
    on = live_in_quarantine(C, A, B, spoiled=(A.digest, B.digest))
    on.engine.runs = [ran(*plan("keep", GREEN, B, target=None))]
    assert on.run(*argv) == 0
    said_of_it = " ".join(on.out.replace("\\", "").split())
    assert LIVE in said_of_it
    assert BACK_TO_C in said_of_it.replace("\\", "")
    assert f"`release pardon {B.digest} --reason …`" in said_of_it


def test_the_answer_of_quarantine_names_the_environments_that_have_the_digest_live() -> None:
    on = on_ledger()
    on.engine.states["staging"] = state(GREEN, C, A, B)
    assert on.run("quarantine", B.digest, "--reason", CHARGES_TWICE) == 0
    assert f"CAREFUL: staging: {LIVE}" in on.out
    assert f"`release rollback staging --to {A.digest}`" in on.out
    assert "production" not in on.out
    again_said = again(on)
    again_said.engine.states["staging"] = state(GREEN, C, A, B)
    assert again_said.run("quarantine", B.digest, "--reason", CHARGES_TWICE, "--json") == 0
    assert again_said.data["liveIn"] == ["staging"]


def test_status_marks_the_digests_of_the_history_that_are_in_quarantine() -> None:
    on = live_in_quarantine(C, A, B, spoiled=(C.digest,))
    assert on.run("status", "staging") == 0
    assert f"{A.digest[:19]}, {C.digest[:19]} (in quarantine)" in on.out
    assert on.run("status", "staging", "--json") == 0
    (row,) = on.data["environments"]
    assert list(row["historyInQuarantine"]) == [C.digest]
    assert row["liveInQuarantine"] is None


@pytest.mark.parametrize("more", [(), ("--fault", "it is slow")])
def test_a_rollback_to_a_previous_release_in_quarantine_names_the_releases_that_can_be_gone_back_to(
    more: tuple[str, ...],
) -> None:
    on = live_in_quarantine(C, A, B, spoiled=(A.digest,))
    assert on.run("rollback", "staging", *more) == 4
    assert on.engine.calls == []
    assert BACK_TO_C in on.err
    assert "another image" not in on.err


def test_after_a_rollback_for_a_fault_pardon_and_again_are_named_both() -> None:
    back = ran(*plan("traffic-only", BLUE, A, target=BLUE, standing=recorded(GREEN, A, B).as_dict()))
    on = on_ledger(becomes("staging", state(BLUE, A, B, A), back))
    assert on.run("rollback", "staging", "--fault", CHARGES_TWICE) == 0
    assert f"needs `release pardon {B.digest} --reason …` first" in on.out
    assert f"then `release deploy staging --digest {B.digest} --again`" in on.out
