"""What 0.3.0 left behind besides two releases is read as what it meant then: after a drill and a rollback for a fault,
while a hold stood, in the ledger, next to a lock, and in the stack of flags (`fixtures/0.3.0`, see test_kept.py)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from release_lane.engine.locks import Note
from release_lane.engine.state import Held
from release_lane.ledger.folder import Folder
from release_lane.ledger.halts import halts_in
from release_lane.ledger.store import Ledger
from release_lane.record.chain import last_done, verify
from release_lane.record.container import release_in
from release_lane.record.decisions import DecisionKind
from release_lane.record.flags import FlagRecord
from release_lane.record.halts import Halts
from release_lane.record.hold import Hold
from release_lane.record.inputs import RolloutInputs, SwitchInputs
from release_lane.record.journal import End, Journal, Phase
from release_lane.record.ledger import Entry, EntryKind, Mark, MarkKind, Result
from release_lane.record.placement import Release, all_on
from release_lane.record.records import SCHEMA_KEY, Known, Recorded
from release_lane.record.revisions import Schema
from tests.record.test_kept import (
    BLUE,
    FIXTURES,
    GREEN,
    NO_VERSION,
    OF_TEMPLATE,
    VERSIONS,
    Left,
    compared,
    migrating,
    unordered,
)

pytestmark = pytest.mark.pure

(VERSION,) = [version for version in VERSIONS if version.name == "0.3.0"]
GOOD, BETTER = VERSION.good, VERSION.better
BEST = migrating("f0cd30b6c520abbbdc2b38b15dbf42871848870dcf4dea05c66dae863e87d5b4", "best", "r2")
BEST_ID = "93cd3f3ad31a"
ENVIRONMENT, FOLDER = "kept-aba2", FIXTURES / "0.3.0"
LEDGER = Ledger(objects=Folder(FOLDER / "ledger"), url="")


class Moment(Left):
    """One of the folders."""

    @property
    def running(self) -> dict[Any, Release | None]:
        """By the labels of what each colour runs."""
        containers = self.read("containers")
        return {colour: release_in(containers[colour], "app") for colour in (BLUE, GREEN)}


ROLLED_BACK, HELD = Moment(name="0.3.0/rolled-back"), Moment(name="0.3.0/held")


# ---- after a drill and a rollback


def after_the_rollback() -> Recorded:
    """Users are on the first release again. The second one keeps its proof, which says that it was drilled."""
    good, better = VERSION.proofs
    drilled = replace(
        better, at="2026-11-30T19:34:55+00:00", drilled="2026-11-30T19:34:34+00:00", tables=(), unchecked=(NO_VERSION,)
    )
    return Recorded(
        live_colour=BLUE,
        live=GOOD,
        previous=BETTER,
        history=(GOOD, BETTER, GOOD),
        evidence=(drilled, replace(good, at="2026-11-30T19:35:36+00:00")),
    )


def test_the_record_of_a_rollback_is_read_and_written_as_it_was() -> None:
    outputs, recorded = ROLLED_BACK.state.outputs, ROLLED_BACK.state.recorded
    assert recorded == after_the_rollback()
    assert {**recorded.as_outputs(), **{key: outputs[key] for key in OF_TEMPLATE}} == outputs
    assert recorded.left_by_rollback(BETTER.digest)
    assert recorded.earlier == ()


def test_a_rollback_is_read_from_what_gate_and_switch_were_given() -> None:
    switch = SwitchInputs.from_dict(ROLLED_BACK.gate("TrafficSwitch").inputs)
    assert (switch.decision, switch.live, switch.expected) == (DecisionKind.TRAFFIC_ONLY, BLUE, all_on(GREEN))
    assert (switch.course.home, switch.course.goes_back) == (GREEN, True)
    assert RolloutInputs.from_dict(ROLLED_BACK.gate("Rollout").inputs).known == Known(
        image=GOOD.digest,
        release=GOOD.id,
        task_definition=f"arn:aws:ecs:us-east-1:000000000000:task-definition/{VERSION.prefix}-blue:1",
        deployment="ecs-svc/1206672429880547719",
        tasks={"172.22.0.3": GOOD.digest, "172.22.0.4": GOOD.digest},
    )


def test_the_journal_of_a_rollback_is_read_and_written_as_it_was() -> None:
    tags = ROLLED_BACK.read("tags")
    journal = Journal(
        source=End(GREEN, BETTER.digest, BETTER.id), to=End(BLUE, GOOD.digest, GOOD.id), phase=Phase.MOVED
    )
    assert Journal.from_tags(tags) == journal
    assert journal.as_tags() == tags


def test_a_rollback_left_the_schema_and_both_colours_as_they_were() -> None:
    state = ROLLED_BACK.state
    assert state.schema == Schema(passed=("r1", "r2"), begun="r2")
    assert state.held == {BLUE: Held(release=GOOD, tasks=2), GREEN: Held(release=BETTER, tasks=2)}
    assert ROLLED_BACK.running == {BLUE: GOOD, GREEN: BETTER}


# ---- while a hold stood


def while_held() -> Recorded:
    """A third release has a tenth of the users, next to the first one."""
    before = after_the_rollback()
    proof = replace(
        VERSION.proofs[1],
        digest=BEST.digest,
        commit=BEST.commit,
        release_id=BEST_ID,
        at="2026-11-30T19:36:35+00:00",
        migrated="from r2 to r2",
        tables=(compared("78 ms", "65 ms"),),
        unchecked=(NO_VERSION, unordered(BEST)),
    )
    hold = Hold(percent=10, colour=GREEN, release=BEST, since="2026-11-30T19:36:35+00:00")
    return replace(before, evidence=(*before.evidence, proof), hold=hold)


def test_the_record_of_a_hold_is_read_and_written_as_it_was() -> None:
    outputs, recorded = HELD.state.outputs, HELD.state.recorded
    assert recorded == while_held()
    assert BEST.id == BEST_ID
    assert outputs[SCHEMA_KEY] == 2
    assert {**recorded.as_outputs(), **{key: outputs[key] for key in OF_TEMPLATE}} == outputs
    assert recorded.weights == {BLUE: 90, GREEN: 10}
    assert recorded.serves == {BLUE: GOOD, GREEN: BEST}


def test_what_a_hold_gave_switch_and_colours_is_read() -> None:
    switch = SwitchInputs.from_dict(HELD.gate("TrafficSwitch").inputs)
    assert (switch.release, switch.weights, switch.standing) == (BEST, {BLUE: 90, GREEN: 10}, after_the_rollback())
    assert (switch.course.steps, switch.course.hold) == ((10,), 10)
    assert HELD.state.held == {BLUE: Held(release=GOOD, tasks=2), GREEN: Held(release=BEST, tasks=2)}
    assert HELD.running == {BLUE: GOOD, GREEN: BEST}


def test_the_journal_of_a_hold_is_read_and_written_as_it_was() -> None:
    tags = HELD.read("tags")
    journal = Journal(source=End(BLUE, GOOD.digest, GOOD.id), to=End(GREEN, BEST.digest, BEST.id), phase=Phase.HELD)
    assert Journal.from_tags(tags) == journal
    assert journal.as_tags() == tags


# ---- the ledger

INTENT, OUTCOME = EntryKind.INTENT, EntryKind.OUTCOME
NONE, DONE, REFUSED = Result.NONE, Result.DONE, Result.REFUSED
ENTRIES: list[tuple[EntryKind, str, Result, Release | None, int, str]] = [
    (INTENT, "deploy", NONE, GOOD, 0, ""),
    (OUTCOME, "deploy", DONE, GOOD, 1, ""),
    (INTENT, "deploy", NONE, BETTER, 0, "a better one"),
    (OUTCOME, "deploy", DONE, BETTER, 3, "a better one"),
    (INTENT, "drill", NONE, GOOD, 0, ""),
    (OUTCOME, "drill", DONE, GOOD, 5, ""),
    (INTENT, "drill", NONE, BETTER, 0, ""),
    (OUTCOME, "drill", DONE, BETTER, 7, ""),
    (EntryKind.DRILL, "drill", DONE, BETTER, 0, ""),
    (EntryKind.QUARANTINE, "rollback", NONE, BETTER, 0, "it counts twice"),
    (INTENT, "rollback", NONE, GOOD, 0, "complaints"),
    (OUTCOME, "rollback", DONE, GOOD, 11, "complaints"),
    (OUTCOME, "deploy", REFUSED, BETTER, 0, ""),
    (EntryKind.PARDON, "pardon", NONE, BETTER, 0, "it does not"),
    (EntryKind.STOPPED, "stop-the-line", NONE, None, 0, "we look"),
    (EntryKind.RESUMED, "resume", NONE, None, 0, "all is well"),
    (INTENT, "deploy", NONE, BEST, 0, ""),
    (OUTCOME, "deploy", DONE, BEST, 17, ""),
    (INTENT, "flag", NONE, None, 0, "a quarter"),
    (OUTCOME, "flag", DONE, None, 19, "a quarter"),
    (INTENT, "hold", NONE, BEST, 0, "more orders"),
    (OUTCOME, "hold", DONE, BEST, 21, "more orders"),
]


def test_the_entries_of_a_ledger_are_read() -> None:
    entries = LEDGER.entries()
    assert [(each.kind, each.verb, each.result, each.digest, each.of, each.reason) for each in entries] == [
        (kind, verb, result, release.digest if release else "", of, reason)
        for kind, verb, result, release, of, reason in ENTRIES
    ]
    assert [each.sequence for each in entries] == [*range(1, 23)]
    who = {(each.who, each.run, each.approver) for each in entries}
    assert who == {("somebody", "https://ci.example/team/service/actions/runs/7", "")}
    elsewhere = {each.sequence: each.environment for each in entries if each.environment != ENVIRONMENT}
    assert elsewhere == {14: "", 19: f"{ENVIRONMENT}-flags", 20: f"{ENVIRONMENT}-flags"}
    assert [each.open for each in entries[:3]] == [{ENVIRONMENT: 1}, {}, {ENVIRONMENT: 3}]


def test_the_chain_of_a_ledger_is_intact() -> None:
    assert verify(LEDGER.contents()) == ()


def test_the_last_outcome_of_a_ledger_says_what_is_live() -> None:
    """And how a hold ended: the release that won is on the colour where it was held."""
    last = last_done(LEDGER.entries(), ENVIRONMENT)
    assert last is not None
    assert (last.sequence, last.digest, last.release, last.commit) == (22, BEST.digest, BEST_ID, BEST.commit)
    assert last.details["to"] == {"colour": "green", "digest": BEST.digest}


def test_an_entry_is_written_as_it_was() -> None:
    """The next one holds the hash of these bytes, and an earlier version may be the one that reads them."""
    for written in LEDGER.contents().entries:
        assert Entry.from_bytes(written.content).as_bytes() == written.content


def test_the_marks_of_a_ledger_are_read() -> None:
    subject = BETTER.digest.removeprefix("sha256:")
    named = {mark for name in LEDGER.contents().marks if (mark := Mark.of_name(name))}
    assert named == {
        Mark(kind=MarkKind.RELEASE, subject=subject, state="quarantined", sequence=10),
        Mark(kind=MarkKind.RELEASE, subject=subject, state="pardoned", sequence=14),
        Mark(kind=MarkKind.LINE, subject=ENVIRONMENT, state="stopped", sequence=15),
        Mark(kind=MarkKind.LINE, subject=ENVIRONMENT, state="resumed", sequence=16),
    }
    assert halts_in(LEDGER, ENVIRONMENT, BETTER.digest) == Halts(), "pardoned and resumed: the newest word counts"


# ---- next to a lock, and flags


def test_a_note_is_read_and_written_as_it_was() -> None:
    text = (FOLDER / "note.json").read_text()
    note = Note(
        host="runner-1",
        pid=4711,
        at="2026-11-30T19:33:29.370182+00:00",
        doing=f"release deploy {ENVIRONMENT} {BETTER.digest}",
        who="somebody",
        run="https://ci.example/team/service/actions/runs/7",
        place="runner-1",
    )
    assert Note.parse(text) == note
    assert json.loads(note.text()) == json.loads(text)


def test_the_flags_of_an_environment_are_read_and_written_as_they_were() -> None:
    outputs = json.loads((FOLDER / "flags.json").read_text())
    flags = FlagRecord(flags={"timings": 25}, before=({},))
    assert FlagRecord.from_outputs(outputs) == flags
    assert {**flags.as_outputs(), "parameter": f"/release-lane/{ENVIRONMENT}/flags"} == outputs
