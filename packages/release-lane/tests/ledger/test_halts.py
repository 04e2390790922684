"""What the ledger says against a release: the newest word about its digest and about the line counts."""

from __future__ import annotations

import pytest
from release_lane.errors import CloudError
from release_lane.ledger.halts import halts_in
from release_lane.ledger.memory import Memory, in_memory
from release_lane.ledger.store import Store
from release_lane.record.halts import FAULT, Halts, State, of_digest, of_line, why
from release_lane.record.ledger import Draft, EntryKind, Mark

pytestmark = pytest.mark.pure

BAD, GOOD = "sha256:" + "b" * 64, "sha256:" + "a" * 64


def say(store: Store, kind: EntryKind, mark: Mark, reason: str) -> None:
    draft = Draft(id=reason, kind=kind, at="2026-12-25T11:00:00Z", who="ada", reason=reason, marks=(mark,))
    store.append(draft)


def test_an_empty_ledger_says_nothing() -> None:
    assert halts_in(in_memory(), "production", BAD) == Halts()


def test_the_newest_word_about_a_digest_counts_in_every_environment() -> None:
    store = in_memory()
    say(store, EntryKind.QUARANTINE, of_digest(BAD, State.QUARANTINED), "it charges twice")
    for environment in ("staging", "production"):
        found = halts_in(store, environment, BAD).quarantined
        assert found is not None
        assert why(found) == "it charges twice (ada, 2026-12-25T11:00:00Z, entry 1 of the ledger)"
        assert halts_in(store, environment, GOOD) == Halts()
    say(store, EntryKind.PARDON, of_digest(BAD, State.PARDONED), "it was the provider")
    assert halts_in(store, "staging", BAD) == Halts()
    say(store, EntryKind.QUARANTINE, of_digest(BAD, State.QUARANTINED), "it was not")
    found = halts_in(store, "staging", BAD).quarantined
    assert found is not None
    assert (found.sequence, found.reason) == (3, "it was not")


def test_a_line_is_stopped_in_its_environment_until_it_is_resumed() -> None:
    store = in_memory()
    say(store, EntryKind.STOPPED, of_line("production", State.STOPPED), "orders are lost")
    assert halts_in(store, "production", GOOD).stopped
    assert halts_in(store, "staging", GOOD) == Halts()
    say(store, EntryKind.RESUMED, of_line("production", State.RESUMED), "found them")
    assert halts_in(store, "production", GOOD) == Halts()


def test_one_listing_each_and_an_entry_is_read_only_where_something_is_said() -> None:
    objects = Memory()
    store = in_memory(objects)
    halts_in(store, "production", BAD)
    assert objects.calls == ["newest", "newest"]
    say(store, EntryKind.QUARANTINE, of_digest(BAD, State.QUARANTINED), "it charges twice")
    objects.calls.clear()
    halts_in(store, "production", BAD)
    assert sorted(objects.calls) == ["newest", "newest", "read"]


def test_a_ledger_that_is_away_does_not_count_as_silent() -> None:
    with pytest.raises(CloudError):
        halts_in(in_memory(Memory(away=True)), "production", BAD)


def test_what_crosses_the_engine_is_read_again() -> None:
    store = in_memory()
    say(store, EntryKind.QUARANTINE, of_digest(BAD, State.QUARANTINED), "it charges twice, “sagt Ada”")
    found = halts_in(store, "production", BAD)
    assert Halts.from_dict(found.as_dict()) == found
    assert Halts.from_dict({}) == Halts()


def test_an_entry_about_more_than_the_fault_names_the_fault() -> None:
    store = in_memory()
    draft = Draft(id="1", kind=EntryKind.OUTCOME, at="2026-12-25T11:00:00Z", reason="the weekly release")
    entry = store.append(Draft(**{**vars(draft), "details": {FAULT: "errors of green: 7 %"}}))
    assert why(entry) == "errors of green: 7 % (unknown, 2026-12-25T11:00:00Z, entry 1 of the ledger)"
