"""What `release history --verify` finds: an edited, cut, reordered, missing, deleted or overwritten entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from release_lane.ledger.memory import Memory, in_memory
from release_lane.record.chain import MOVED, PROVEN, Contents, Fault, Traces, Written, verify
from release_lane.record.digest import Digest
from release_lane.record.evidence import Proof
from release_lane.record.hold import Hold
from release_lane.record.ledger import Draft, EntryKind, Mark, MarkKind, Result
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.records import Recorded

pytestmark = pytest.mark.pure

NOW = "2026-01-02T03:04:05+00:00"
LATER = "2026-01-02T04:04:05+00:00"


def release(letter: str) -> Release:
    return Release(digest=Digest("sha256:" + letter * 64), service=Service(), commit=letter * 40)


A, B = release("a"), release("b")


def written() -> Memory:
    """A release of A to production, one of B to staging, a quarantine of B, and one of A to production again."""
    objects = Memory()
    ledger = in_memory(objects)
    for number, (environment, which, at) in enumerate([("production", A, NOW), ("staging", B, NOW)]):
        intent = ledger.append(
            Draft(id=f"{number}i", kind=EntryKind.INTENT, at=at, environment=environment, release=which.id)
        )
        ledger.append(
            Draft(
                id=f"{number}o", kind=EntryKind.OUTCOME, at=at, environment=environment, of=intent.sequence,
                digest=which.digest, release=which.id, result=Result.DONE, details={MOVED: True, PROVEN: at},
            )
        )  # fmt: skip
    mark = Mark(kind=MarkKind.RELEASE, subject="b" * 64, state="quarantined")
    ledger.append(Draft(id="q", kind=EntryKind.QUARANTINE, at=LATER, digest=B.digest, marks=(mark,)))
    return objects


def contents(objects: Memory) -> Contents:
    return in_memory(objects).contents()


def faults(objects: Memory) -> list[tuple[Fault, int]]:
    return [(each.fault, each.sequence) for each in verify(contents(objects))]


def name(objects: Memory, sequence: int) -> str:
    return next(each for each in objects.objects if each.endswith(f"-{sequence}.json"))


def test_a_ledger_as_it_was_written_is_intact() -> None:
    assert faults(written()) == []


def test_an_empty_ledger_is_intact() -> None:
    assert verify(Contents(entries=())) == ()


@pytest.mark.parametrize("sequence", [1, 2, 3, 4])
def test_an_edited_entry_is_found(sequence: int) -> None:
    objects = written()
    at = name(objects, sequence)
    objects.objects[at] = objects.objects[at].replace(b'"who":""', b'"who":"eve"')
    assert faults(objects) == [(Fault.CHANGED, sequence)]


def test_the_newest_entry_has_no_successor_that_would_show_an_edit_unless_the_store_has_versions() -> None:
    """Object lock and versions are for that; a folder cannot show it."""
    objects = written()
    at = name(objects, 5)
    objects.objects[at] = objects.objects[at].replace(b'"who":""', b'"who":"eve"')
    assert faults(objects) == []
    objects.traced = Traces(overwritten={at}, kept=True)
    assert faults(objects) == [(Fault.OVERWRITTEN, 5)]


@pytest.mark.parametrize("gone", [[1], [2], [2, 3], [1, 2]])
def test_a_missing_entry_is_found(gone: list[int]) -> None:
    objects = written()
    for sequence in gone:
        del objects.objects[name(objects, sequence)]
    assert (Fault.MISSING, gone[0]) in faults(objects)


def test_a_missing_entry_whose_successors_were_renumbered_is_found() -> None:
    objects = written()
    for sequence in (2, 3, 4):
        objects.objects[name(objects, sequence)] = objects.objects[name(objects, sequence + 1)]
    del objects.objects[name(objects, 5)]
    assert (Fault.REORDERED, 2) in faults(objects)


def test_entries_in_another_order_are_found() -> None:
    objects = written()
    second, third = name(objects, 2), name(objects, 3)
    objects.objects[second], objects.objects[third] = objects.objects[third], objects.objects[second]
    assert [each for each in faults(objects) if each[0] is Fault.REORDERED] == [
        (Fault.REORDERED, 2),
        (Fault.REORDERED, 3),
    ]


def test_a_forged_first_entry_is_found() -> None:
    objects = written()
    at = name(objects, 1)
    value = {**json.loads(objects.objects[at]), "previous": "f" * 64}
    objects.objects[at] = json.dumps(value).encode()
    assert (Fault.CHANGED, 1) in faults(objects)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"{}"])
def test_an_entry_that_cannot_be_read_is_found_and_the_others_are_still_compared(content: bytes) -> None:
    objects = written()
    objects.objects[name(objects, 2)] = content
    assert (Fault.UNREADABLE, 2) in faults(objects)


def test_what_has_no_name_of_an_entry_is_found() -> None:
    found = verify(Contents(entries=(Written(name="entries/x.json", content=b"{}"),)))
    assert [each.fault for each in found] == [Fault.UNREADABLE]


def test_a_deleted_entry_of_a_store_with_versions_is_found_even_if_it_was_the_newest() -> None:
    objects = written()
    at = name(objects, 5)
    for each in (at, *(mark for mark in objects.objects if mark.startswith("marks/"))):
        del objects.objects[each]
    assert faults(objects) == []
    objects.traced = Traces(deleted={at}, kept=True)
    assert faults(objects) == [(Fault.DELETED, 5)]


def test_a_deleted_mark_is_found() -> None:
    objects = written()
    del objects.objects[next(each for each in objects.objects if each.startswith("marks/"))]
    assert faults(objects) == [(Fault.MARK, 5)]


def test_a_mark_that_no_entry_made_is_found() -> None:
    objects = written()
    pardon = Mark(kind=MarkKind.RELEASE, subject="b" * 64, state="pardoned", sequence=6)
    objects.objects[pardon.name] = b"{}"
    assert faults(objects) == [(Fault.MARK, 0)]


def test_an_outcome_of_another_environments_intent_is_found() -> None:
    ledger = in_memory()
    ledger.append(Draft(id="1", kind=EntryKind.INTENT, at=NOW, environment="staging"))
    ledger.append(Draft(id="2", kind=EntryKind.OUTCOME, at=NOW, environment="production", of=1))
    assert [each.fault for each in verify(ledger.contents())] == [Fault.OUTCOME]


# ---- what is live


def recorded(live: Release, at: str = NOW) -> Recorded:
    proof = Proof(digest=live.digest, commit=live.commit, release_id=live.id, at=at)
    return Recorded(live_colour=Colour.BLUE, live=live, history=(live,), evidence=(proof,))


def live_faults(**live: Recorded | None) -> list[Fault]:
    return [each.fault for each in verify(contents(written()), live)]


def test_what_is_live_is_what_the_last_outcome_says() -> None:
    assert live_faults(production=recorded(A), staging=recorded(B)) == []


Later = Callable[[], Recorded | None]


@pytest.mark.parametrize(
    "now",
    [lambda: recorded(B), lambda: recorded(A, LATER), lambda: None],
    ids=["another release", "the same one, released again", "nothing"],
)
def test_a_ledger_whose_newest_entries_were_cut_off_differs_from_what_is_live(now: Later) -> None:
    assert live_faults(production=now()) == [Fault.LIVE]


def test_an_environment_that_has_no_outcome_yet_is_not_compared() -> None:
    """The ledger was set after its first releases."""
    assert live_faults(canary=recorded(A)) == []


def test_an_update_that_moved_no_users_says_nothing_of_what_is_live() -> None:
    objects = written()
    ledger = in_memory(objects)
    ledger.append(Draft(id="h", kind=EntryKind.OUTCOME, at=LATER, environment="production", result=Result.DONE))
    assert verify(ledger.contents(), {"production": recorded(A)}) == ()


def test_findings_come_in_the_order_of_the_entries() -> None:
    objects = written()
    for sequence in (1, 3):
        at = name(objects, sequence)
        objects.objects[at] = objects.objects[at].replace(b'"who":""', b'"who":"eve"')
    found = verify(contents(objects), {"production": recorded(replace(A, commit=""), LATER)})
    assert [each.sequence for each in found] == sorted(each.sequence for each in found)
    assert len(found) == 3


def test_while_a_hold_stands_the_last_outcome_is_of_the_release_that_is_held() -> None:
    held = replace(recorded(B), hold=Hold(percent=10, colour=Colour.GREEN, release=A, since=NOW))
    assert live_faults(production=held) == []
    assert live_faults(production=replace(held, hold=None)) == [Fault.LIVE]
