"""An entry of the ledger, its name, its marks, and which intents are open after it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from release_lane.errors import Refused
from release_lane.record.ledger import (
    Actor,
    Draft,
    Entry,
    EntryKind,
    Mark,
    MarkKind,
    Result,
    hash_of,
    sequence_in,
)

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "a" * 64
INTENT = Draft(
    id="1f", kind=EntryKind.INTENT, at="2026-01-02T03:04:05Z", environment="production", verb="promote", digest=DIGEST,
    commit="c" * 40, release="ab12", who="ann", approver="bob", run="https://ci/1", reason="für alle",
    details={"decision": "deploy", "from": {"colour": "blue"}},
)  # fmt: skip
OUTCOME = Draft(id="2f", kind=EntryKind.OUTCOME, at="2026-01-02T03:05:05Z", environment="production", of=1)


def test_an_entry_is_read_as_it_was_written() -> None:
    bad = Mark(kind=MarkKind.RELEASE, subject="a" * 64, state="quarantined")
    entry = replace(OUTCOME, result=Result.ROLLED_BACK, marks=(bad,)).after(INTENT.after(None, ""), "f" * 64)
    assert Entry.from_bytes(entry.as_bytes()) == entry


def test_the_same_entry_always_has_the_same_bytes() -> None:
    first = replace(INTENT, details={"a": 1, "b": {"c": 2, "d": 3}}).after(None, "")
    second = replace(INTENT, details={"b": {"d": 3, "c": 2}, "a": 1}).after(None, "")
    assert first.as_bytes() == second.as_bytes()


def test_the_hash_changes_with_every_field() -> None:
    plain = hash_of(INTENT.after(None, "").as_bytes())
    for changed in ({"who": "eve"}, {"at": ""}, {"details": {}}, {"environment": "staging"}, {"result": Result.DONE}):
        assert hash_of(replace(INTENT, **changed).after(None, "").as_bytes()) != plain


def test_an_entry_of_a_later_layout_is_refused_by_name() -> None:
    later = {**json.loads(INTENT.after(None, "").as_bytes()), "schema": 2}
    with pytest.raises(Refused, match="a later version of the lane"):
        Entry.from_bytes(json.dumps(later).encode())


def test_a_field_that_a_later_version_added_is_no_obstacle() -> None:
    entry = INTENT.after(None, "")
    more = {**json.loads(entry.as_bytes()), "weather": "fine"}
    assert Entry.from_bytes(json.dumps(more).encode()) == entry


def test_an_entry_of_a_kind_that_a_later_version_added_is_no_obstacle_either() -> None:
    """Staging is upgraded before production, and both write one chain."""
    entry = INTENT.after(None, "")
    mark = {"kind": "season", "subject": "spring", "state": "over"}
    later = {**json.loads(entry.as_bytes()), "kind": "forecast", "result": "cloudy", "marks": [mark]}
    found = Entry.from_bytes(json.dumps(later).encode())
    assert (found.kind, found.result, found.marks) == (EntryKind.OTHER, Result.UNKNOWN, ())
    assert OUTCOME.after(found, "").sequence == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": "1"}', '{"id":"1","kind":"rumour","at":"","sequence":1}'])
def test_what_is_no_entry_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|field|Expecting|EntryKind"):
        Entry.from_bytes(text.encode())


def test_the_newest_entry_is_the_first_of_a_listing() -> None:
    names = [replace(INTENT.after(None, ""), sequence=number).name for number in (1, 9, 10, 11, 999_999, 1_000_000)]
    assert sorted(names, reverse=True) == names
    assert [sequence_in(name) for name in names] == [1, 9, 10, 11, 999_999, 1_000_000]


@pytest.mark.parametrize("name", ["entries/999999999999-2.json", "entries/1.json", "marks/x", "entries/.json"])
def test_a_name_that_does_not_say_one_number_is_no_entrys(name: str) -> None:
    assert sequence_in(name) is None


def test_an_intent_is_open_until_its_outcome() -> None:
    begun = INTENT.after(None, "")
    other = replace(INTENT, environment="staging").after(begun, "")
    assert other.open == {"production": 1, "staging": 2}
    assert OUTCOME.after(other, "").open == {"staging": 2}


def test_an_outcome_without_an_intent_closes_none() -> None:
    """`release abort` during a switch: the switch is still open."""
    assert replace(OUTCOME, of=0).after(INTENT.after(None, ""), "").open == {"production": 1}


def test_a_review_neither_opens_nor_closes() -> None:
    assert replace(INTENT, kind=EntryKind.REVIEW).after(INTENT.after(None, ""), "").open == {"production": 1}


def test_the_name_of_a_mark_says_all_that_it_is_asked_for() -> None:
    mark = Mark(kind=MarkKind.LINE, subject="production", state="stopped", sequence=12)
    assert Mark.of_name(mark.name) == mark
    assert mark.name < replace(mark, sequence=11).name, "the newest has to come first"


@pytest.mark.parametrize("name", ["marks/rumour/a/999999999999-x.json", "marks/line/a/b.json", "entries/1.json"])
def test_a_name_of_another_form_is_no_marks(name: str) -> None:
    assert Mark.of_name(name) is None


def test_a_mark_gets_the_sequence_of_its_entry() -> None:
    stopped = Mark(kind=MarkKind.LINE, subject="production", state="stopped")
    entry = replace(INTENT, kind=EntryKind.STOPPED, marks=(stopped,)).after(INTENT.after(None, ""), "")
    assert [mark.sequence for mark in entry.marks] == [2]


def test_who_acts_is_handed_over_as_text() -> None:
    actor = Actor(verb="promote", who="ann", approver="bob", run="https://ci/1", reason="r", details={"seal": "s"})
    assert Actor.from_text(actor.as_text()) == actor


@pytest.mark.parametrize("text", ["", "nothing", "[]", "null", "{", '{"details": 3}'])
def test_any_other_text_says_nothing_of_who_acts(text: str) -> None:
    assert Actor.from_text(text) == Actor()
