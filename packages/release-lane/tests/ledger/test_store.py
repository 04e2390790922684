"""One chain on every store, also with two writers at once; what it costs, and what happens if it is away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from release_lane.errors import CloudError
from release_lane.ledger.folder import Folder
from release_lane.ledger.memory import Memory, in_memory
from release_lane.ledger.store import Ledger, Objects
from release_lane.record.chain import verify
from release_lane.record.ledger import Draft, EntryKind, Mark, MarkKind

pytestmark = pytest.mark.pure

MakeObjects = Callable[[], Objects]
WRITERS, EACH = 4, 8


@pytest.fixture(params=["memory", "folder"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> MakeObjects:
    """What several writers share; each call opens it anew."""
    memory = Memory()
    return (lambda: memory) if request.param == "memory" else (lambda: Folder(tmp_path / "ledger"))


def ledger(objects: Objects) -> Ledger:
    return Ledger(objects=objects, url="there")


def draft(id: str = "1", environment: str = "staging", **more: object) -> Draft:
    plain = Draft(id=id, kind=EntryKind.INTENT, at="2026-01-02T03:04:05Z", environment=environment)
    return replace(plain, **more)  # type: ignore[arg-type]


STOPPED = draft(kind=EntryKind.STOPPED, marks=(Mark(kind=MarkKind.LINE, subject="staging", state="stopped"),))
RESUMED = draft(kind=EntryKind.RESUMED, marks=(Mark(kind=MarkKind.LINE, subject="staging", state="resumed"),))


def test_entries_count_from_one_and_are_read_oldest_first(shared: MakeObjects) -> None:
    written = [ledger(shared()).append(draft(str(number))) for number in range(12)]
    assert [entry.sequence for entry in written] == [*range(1, 13)]
    assert ledger(shared()).entries() == tuple(written)
    assert ledger(shared()).entries(last=3) == tuple(written[-3:])
    assert ledger(shared()).newest() == written[-1]
    assert tuple(ledger(shared()).some([7, 2, 12])) == (written[6], written[1], written[11])
    assert ledger(shared()).entry(2) == written[1]


def test_an_empty_store_has_no_entry_and_no_mark(shared: MakeObjects) -> None:
    empty = ledger(shared())
    assert (empty.newest(), empty.entries(), empty.mark(MarkKind.LINE, "staging")) == (None, (), None)
    assert verify(empty.contents()) == ()


def test_writers_at_the_same_time_keep_one_chain(shared: MakeObjects) -> None:
    def write(writer: int) -> list[int]:
        own = ledger(shared())
        return [own.append(draft(f"{writer}/{number}", f"e{writer}")).sequence for number in range(EACH)]

    with ThreadPoolExecutor(WRITERS) as pool:
        places = [place for places in pool.map(write, range(WRITERS)) for place in places]
    contents = ledger(shared()).contents()
    assert sorted(places) == [*range(1, WRITERS * EACH + 1)]
    assert len({each.content for each in contents.entries}) == WRITERS * EACH
    assert verify(contents) == ()


def test_the_newest_mark_is_what_counts(shared: MakeObjects) -> None:
    one = ledger(shared())
    one.append(STOPPED)
    stopped = one.mark(MarkKind.LINE, "staging")
    one.append(replace(RESUMED, id="2"))
    resumed = one.mark(MarkKind.LINE, "staging")
    assert stopped is not None
    assert (stopped.state, stopped.sequence) == ("stopped", 1)
    assert resumed is not None
    assert (resumed.state, resumed.sequence) == ("resumed", 2)
    assert one.mark(MarkKind.LINE, "production") is None
    assert verify(one.contents()) == ()


def test_a_name_is_given_once(shared: MakeObjects) -> None:
    objects = shared()
    assert objects.create("entries/a.json", b"1")
    assert not objects.create("entries/a.json", b"2")
    assert objects.read("entries/a.json") == b"1"


# ---- another writer in between


def test_an_entry_whose_place_was_taken_comes_after_the_one_that_took_it() -> None:
    objects = Memory()
    mine, other = in_memory(objects), in_memory(objects)
    mine.append(draft("1"))

    def overtake() -> None:
        objects.meanwhile = lambda: None
        other.append(draft("2", "production"))

    objects.meanwhile = overtake
    assert mine.append(draft("3")).sequence == 3
    assert verify(mine.contents()) == ()


def test_a_try_whose_answer_was_lost_is_written_once() -> None:
    """S3 took it, the answer never came, and the second try is answered: there is one already."""
    objects = Memory()

    def taken() -> None:
        objects.meanwhile = lambda: None
        entry = draft("1").after(None, "")
        objects.objects[entry.name] = entry.as_bytes()

    objects.meanwhile = taken
    assert in_memory(objects).append(draft("1")).sequence == 1
    assert len(objects.objects) == 1


def test_a_writer_that_never_gets_a_place_gives_up() -> None:
    objects = Memory()
    number = 0

    def faster() -> None:
        nonlocal number
        number += 1
        objects.meanwhile = lambda: None
        in_memory(objects).append(draft(f"other {number}"))
        objects.meanwhile = faster

    objects.meanwhile = faster
    with pytest.raises(CloudError, match="faster 100 times"):
        in_memory(objects).append(draft("mine"))


def test_marks_that_a_killed_writer_did_not_make_are_made_by_the_next_one() -> None:
    objects = Memory()
    in_memory(objects).append(STOPPED)
    del objects.objects[next(name for name in objects.objects if name.startswith("marks/"))]
    in_memory(objects).append(draft("2"))
    assert verify(in_memory(objects).contents()) == ()


# ---- what it costs, and a store that is away


def test_the_first_entry_of_a_process_costs_a_listing_a_read_and_a_write_and_the_next_one_a_write() -> None:
    objects = Memory()
    in_memory(objects).append(draft("1"))
    objects.calls.clear()
    own = in_memory(objects)
    own.append(draft("2"))
    assert objects.calls == ["newest", "read", "create"]
    own.append(draft("3"))
    assert objects.calls == ["newest", "read", "create", "create"]


def test_a_question_that_every_update_asks_costs_one_listing() -> None:
    objects = Memory()
    in_memory(objects).mark(MarkKind.LINE, "staging")
    assert objects.calls == ["newest"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda one: one.append(draft()),
        lambda one: one.newest(),
        lambda one: one.entries(),
        lambda one: one.mark(MarkKind.LINE, "staging"),
        lambda one: one.contents(),
    ],
    ids=["append", "newest", "entries", "mark", "contents"],
)
def test_a_store_that_is_away_is_named_with_what_to_do(ask: Callable[[Ledger], object]) -> None:
    with pytest.raises(CloudError, match=r"The ledger memory cannot be (written|read)") as away:
        ask(in_memory(Memory(away=True)))
    assert away.value.why == "The network is down."
    assert "`ledger`" in away.value.next_step


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("entries/", lambda one: one.append(draft())),
        ("entries/", lambda one: one.newest()),
        ("marks/line/staging/", lambda one: one.mark(MarkKind.LINE, "staging")),
    ],
    ids=["append", "newest", "mark"],
)
def test_a_strange_object_where_the_newest_should_be_is_named_and_hides_nothing(
    name: str, ask: Callable[[Ledger], object]
) -> None:
    """S3's console makes such a folder. Without it a stopped line would look as if it went on."""
    objects = Memory()
    in_memory(objects).append(STOPPED)
    objects.objects[name] = b""
    with pytest.raises(CloudError, match="cannot be") as strange:
        ask(in_memory(objects))
    assert strange.value.why.startswith(f"{name} is no ")
    assert "release history --verify" in strange.value.why


def test_a_folder_that_cannot_be_written_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CloudError, match="cannot be written"):
        ledger(Folder(tmp_path / "file")).append(draft())


def test_a_file_in_the_folder_is_never_seen_half_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.create("entries/a.json", b"1")
    (tmp_path / "entries/.b.new").write_bytes(b"half")
    assert list(folder.names("entries/")) == ["entries/a.json"]
    assert not folder.create("entries/a.json", b"2")
    assert sorted(each.name for each in (tmp_path / "entries").iterdir()) == [".b.new", "a.json"]
