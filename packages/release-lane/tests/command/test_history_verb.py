"""`release history`, what `--verify` finds, and `release ledger create`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.ledger.memory import Memory, in_memory
from release_lane.operate.watching import Look
from release_lane.record.chain import MOVED, PROVEN, Traces
from release_lane.record.ledger import Draft, EntryKind, Mark, MarkKind, Result
from release_lane.record.placement import Release, all_on
from release_lane.record.records import Observed
from tests.command.words import BLUE, GREEN, A, B, Stage, project, state, states

pytestmark = pytest.mark.cli

URL = "s3://shop-releases"


def draft(kind: EntryKind, second: int, **more: Any) -> Draft:
    plain = Draft(id=str(second), kind=kind, at=f"2026-01-02T03:04:{second:02}+00:00", who="ann")
    return replace(plain, **more)


def update(ledger: Memory, second: int, of: Release, environment: str, result: Result | None, **more: Any) -> None:
    """One update; without a result it is open."""
    store, named = in_memory(ledger), {"digest": of.digest, "commit": of.commit, "release": of.id}
    intent = draft(EntryKind.INTENT, second, environment=environment, verb="promote", reason="a fix", **named)
    entry = store.append(intent)
    if result is not None:
        ended = draft(EntryKind.OUTCOME, second + 5, environment=environment, of=entry.sequence, result=result, **named)
        store.append(replace(ended, details={"why": "it exits", **more}))


@pytest.fixture
def on() -> Stage:
    """Production has A live, by the ledger as by the record; B was refused there, and another try is open."""
    ledger = Memory()
    live = state(BLUE, A)
    assert live.recorded is not None
    proven = live.recorded.evidence[-1].at
    update(ledger, 1, A, "production", Result.DONE, **{MOVED: True, PROVEN: proven})
    update(ledger, 11, B, "production", Result.REFUSED)
    in_memory(ledger).append(draft(EntryKind.STOPPED, 20, environment="staging", reason="an outage"))
    update(ledger, 31, B, "production", None)
    return Stage(engine=FakeEngine(states=states(production=live)), ledger_url=URL, ledger=ledger)


def edit(ledger: Memory, sequence: int) -> None:
    name = next(each for each in ledger.objects if each.endswith(f"-{sequence}.json"))
    ledger.objects[name] = ledger.objects[name].replace(b'"who":"ann"', b'"who":"eve"')


def test_an_update_is_one_line_and_killed_and_refused_ones_are_there(on: Stage) -> None:
    assert on.run("history") == 0
    heading, *lines = on.out.splitlines()
    assert heading.split()[:3] == ["ENTRY", "WHEN", "(UTC)"]
    assert [line.split()[0] for line in lines] == ["1", "3", "5", "6"]
    done, refused, stopped, open_ = lines
    assert "2026-01-02 03:04:01  production   promote  sha256:aaaaaaaaaaaa  aaaaaaa  done" in done
    assert "5 s" in done
    assert "refused" in refused
    assert "stopped" in stopped
    assert "an outage" in stopped
    assert "under way, or dead" in open_


def test_what_ended_badly_says_why_and_the_rest_for_what_reason(on: Stage) -> None:
    on.run("history")
    _, done, refused, *_ = on.out.splitlines()
    assert done.endswith("a fix")
    assert refused.endswith("it exits")


@pytest.mark.parametrize("result", [Result.DONE, Result.FAILED])
def test_a_drill_says_how_it_ended(on: Stage, result: Result) -> None:
    details = {"why": "green has no healthy target"} if result is Result.FAILED else {}
    drill = draft(EntryKind.DRILL, 50, environment="staging", reason="nightly", result=result, details=details)
    in_memory(on.ledger).append(drill)
    on.run("history", "staging", "--last", "1")
    line = on.out.splitlines()[-1]
    assert f"drill: {result}" in line
    assert line.endswith(details.get("why", "nightly"))


@pytest.mark.parametrize("last", ["-1", "x"])
def test_only_a_number_of_passages_is_taken(on: Stage, last: str) -> None:
    assert on.run("history", "--last", last) == 2
    assert "--last" in on.err


def test_one_environment_alone(on: Stage) -> None:
    assert on.run("history", "staging") == 0
    assert [line.split()[0] for line in on.out.splitlines()[1:]] == ["5"]


def test_the_last_ones_alone(on: Stage) -> None:
    assert on.run("history", "production", "--last", "2") == 0
    assert [line.split()[0] for line in on.out.splitlines()[1:]] == ["3", "6"]
    assert on.run("history", "--last", "0") == 0
    assert len(on.out.splitlines()) == 5


def test_json_has_the_entries_as_they_are_stored(on: Stage) -> None:
    assert on.run("history", "--json") == 0
    assert on.data["ledger"] == URL
    assert [entry["kind"] for entry in on.data["entries"]][:2] == ["intent", "outcome"]
    assert on.data["entries"][1]["details"]["why"] == "it exits"


def test_an_empty_ledger_says_so() -> None:
    on = Stage(engine=FakeEngine(states=states()), ledger_url=URL)
    assert on.run("history") == 0
    assert on.out == "The ledger is empty.\n"


def test_without_a_ledger_it_says_how_to_get_one() -> None:
    on = Stage(engine=FakeEngine(states=states()))
    assert on.run("history") == 2
    assert "release ledger create" in on.err


# ---- --verify


def test_an_intact_ledger_is_proven_so_with_what_is_live(on: Stage) -> None:
    assert on.run("history", "--verify") == 0
    assert "Intact: 6 entries, each with the hash of the one before; nothing is missing." in on.out
    assert "production: sha256:aaaaaaaaaaaa is live, as entry 2 says." in on.out
    assert "staging: sha256:bbbbbbbbbbbb is live; no entry says since when." in on.out
    assert "This store keeps no versions" in on.out


def test_the_verdict_stands_alone_unless_entries_are_asked_for(on: Stage) -> None:
    assert on.run("history", "--verify") == 0
    assert on.out.startswith("Intact: ")
    on.run("history", "--verify", "--last", "1")
    assert "ENTRY" in on.out


def test_a_bucket_that_keeps_versions_is_named_as_one(on: Stage) -> None:
    on.ledger.traced = Traces(kept=True)
    assert on.run("history", "--verify") == 0
    assert "The bucket keeps versions: nothing was deleted or written again." in on.out


def test_an_edited_entry_ends_with_1_and_is_named(on: Stage) -> None:
    edit(on.ledger, 3)
    assert on.run("history", "--verify", "--json") == 1
    assert on.data["intact"] is False
    assert on.data["findings"] == [
        {"fault": "changed", "entry": 3, "what": "entry 3 is not what it was when entry 4 was written"}
    ]
    assert on.run("history", "--verify") == 1
    assert "NOT INTACT: 1 finding." in on.out


def test_a_live_release_that_the_ledger_does_not_know_ends_with_1(on: Stage) -> None:
    on.engine.states["production"] = state(GREEN, A, B)
    assert on.run("history", "--verify") == 1
    assert "production recorded sha256:bbbbbbbbbbbb" in on.out
    assert "the last outcome here is sha256:aaaaaaaaaaaa" in on.out


def test_looking_changes_nothing(on: Stage) -> None:
    before = dict(on.ledger.objects)
    on.run("history", "--verify")
    assert on.ledger.objects == before


def test_a_ledger_that_is_away_is_an_error_of_the_cloud(on: Stage) -> None:
    on.ledger.away = True
    assert on.run("history") == 3
    assert "The ledger memory cannot be read." in on.err


def test_a_lost_mark_is_found(on: Stage) -> None:
    mark = Mark(kind=MarkKind.RELEASE, subject="b" * 64, state="quarantined")
    in_memory(on.ledger).append(draft(EntryKind.QUARANTINE, 50, digest=B.digest, marks=(mark,)))
    del on.ledger.objects[next(name for name in on.ledger.objects if name.startswith("marks/"))]
    assert on.run("history", "--verify") == 1
    assert "updates do not see it" in on.out


# ---- the setting, and the bucket


def test_environments_with_different_ledgers_are_refused_before_anything_happens() -> None:
    given = project(ledger=URL)
    stacks = {**given.stacks, "staging": project(ledger="s3://another").stacks["staging"]}
    on = Stage(engine=FakeEngine(states=states()), project=replace(given, stacks=stacks))
    assert on.run("promote", "production", "--yes") == 2
    assert "production: s3://shop-releases, staging: s3://another" in on.err
    assert on.engine.calls == []


def test_status_says_which_ledger_is_kept_or_that_none_is(on: Stage) -> None:
    on.run("status", "--json")
    assert on.data["ledger"] == URL
    on.run("status", "production")
    assert URL in on.out
    on.ledger_url = ""
    on.run("status")
    assert "Ledger: none is kept" in on.out


def test_the_bucket_is_made_in_the_account_of_the_last_environment() -> None:
    on = Stage(engine=FakeEngine(states=states()), ledger_url=f"{URL}/shop")
    assert on.run("ledger", "create") == 0
    assert on.cloud.ledgers == [("000000000000", "shop-releases", 400, False)]
    assert on.out == f"{URL}/shop: made the bucket shop-releases.\n"


def test_a_bucket_that_no_stack_file_names_yet_says_what_to_do_with_it() -> None:
    on = Stage(engine=FakeEngine(states=states()))
    assert on.run("ledger", "create", "--at", URL, "--keep-days", "30", "--compliance") == 0
    assert on.cloud.ledgers == [("000000000000", "shop-releases", 30, True)]
    assert f"give all environments `ledger: {URL}`" in on.out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "Which bucket is not said"),
        (["--at", "file://.local/ledger"], "is a folder"),
        (["--at", "shop"], "should be s3://BUCKET"),
        (["--at", URL, "--keep-days", "0"], "should be 1 to 36500"),
        (["--at", URL, "--stack", "nowhere"], "There is no environment 'nowhere'"),
    ],
    ids=["none", "a folder", "no bucket", "no day", "no stack"],
)
def test_what_cannot_be_made_is_refused(argv: list[str], said: str) -> None:
    on = Stage(engine=FakeEngine(states=states()))
    assert on.run("ledger", "create", *argv) == 2
    assert said in on.err
    assert on.cloud.ledgers == []


@pytest.mark.parametrize("verb", ["history", "board", "metrics"])
def test_what_is_made_of_a_ledger_that_is_not_intact_says_so_in_one_line(on: Stage, verb: str) -> None:
    on.cloud = placed()
    assert on.run(verb) == 0
    assert "INTACT" not in on.err
    edit(on.ledger, 3)
    assert on.run(verb) == 0
    (line,) = [line for line in on.err.splitlines() if "INTACT" in line]
    assert "the ledger is NOT INTACT: entry 3 is not what it was when entry 4 was written." in line
    assert "`release history --verify`" in line
    if verb != "history":
        assert "NOT INTACT: entry 3" in on.out, "a page that a pipeline publishes says so as well"
        on.run(verb, "--json")
        assert "entry 3" in on.data["ledgerNotIntact"]


def placed() -> FakeCloud:
    """Production is on blue, staging on green."""
    colours = {"release-lane-staging": GREEN, "release-lane-production": BLUE}
    there = {name: Observed(weights=all_on(colour), journal=None) for name, colour in colours.items()}
    return FakeCloud(environments=there, seen=[Look(rule=None, health={}, alarms=(), traffic=None)])


def test_of_the_newest_entries_alone_the_chain_is_looked_at_from_the_first_of_them() -> None:
    ledger = Memory()
    for second in range(8):
        in_memory(ledger).append(draft(EntryKind.REVIEW, second, environment="staging"))
    newest = Stage(engine=FakeEngine(states=states()), ledger_url=URL, ledger=ledger)
    assert newest.run("history", "--last", "1") == 0
    assert newest.err == ""
    edit(ledger, 2)
    assert newest.run("history", "--last", "1") == 0
    assert newest.err == "", "entry 2 is not among the four that were read"
    edit(ledger, 6)
    assert newest.run("history", "--last", "1") == 0
    assert "entry 6 is not what it was" in newest.err


def test_a_history_that_is_cut_says_so_and_how_to_see_more(on: Stage) -> None:
    assert on.run("history") == 0
    assert on.err == ""
    for second in range(17):
        in_memory(on.ledger).append(draft(EntryKind.REVIEW, second, environment="staging"))
    assert on.run("history", "--last", "20", "--json") == 0
    assert on.data["cut"] is True
    assert on.run("history") == 0
    assert len(on.out.splitlines()) == 21
    assert on.err == "These are the last 20; --last N shows more, --last 0 all.\n"


@pytest.mark.parametrize("argv", [("history",), ("metrics",), ("quarantine", A.digest, "--reason", "x"), ("status",)])
def test_where_the_local_cloud_has_a_ledger_that_this_shell_does_not_use_the_next_step_is_its_env(
    argv: tuple[str, ...],
) -> None:
    on = Stage(engine=FakeEngine(states=states()), project=replace(project(), unused_env=True))
    assert on.run(*argv) == (0 if argv == ("status",) else 2)
    assert "Next: `. .local/env`: " in on.err + on.out
