"""Which addresses a local cloud takes next to others, and keeps."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws import processes, slots
from local_aws.errors import LocalError, NotAllowed
from local_aws.places import Places
from local_aws.slots import Claim, choose

PORT_TAKEN = LocalError("127.0.0.1:4566 is taken")


def claim(slot: int, **more: str) -> Claim:
    return Claim(cloud=f"cloud{slot}", slot=slot, runtime=f"/checkout{slot}/.local", **more)


def problems(found: Mapping[int, LocalError]) -> Callable[[int], LocalError | None]:
    return found.get


@pytest.mark.pure
@pytest.mark.parametrize(
    ("claimed", "taken", "slot"),
    [((), (), 0), ((0,), (), 1), ((1,), (), 0), ((), (0,), 1), ((0, 2), (1,), 3)],
)
def test_the_first_free_slot_that_can_be_opened(claimed: tuple[int, ...], taken: tuple[int, ...], slot: int) -> None:
    found = problems(dict.fromkeys(taken, PORT_TAKEN))
    assert choose(range(5), [claim(number) for number in claimed], found) == slot


@pytest.mark.pure
def test_a_port_that_is_taken_in_every_slot_is_reported_with_its_holder() -> None:
    with pytest.raises(LocalError, match="4566 is taken"):
        choose(range(3), [], lambda _: PORT_TAKEN)


@pytest.mark.pure
def test_a_user_who_may_not_open_port_80_is_warned_at_once() -> None:
    looked: list[int] = []

    def problem(slot: int) -> LocalError:
        looked.append(slot)
        return NotAllowed("port 80")

    with pytest.raises(NotAllowed):
        choose(range(3), [], problem)
    assert looked == [0]


@pytest.mark.pure
def test_when_all_are_held_their_holders_are_named() -> None:
    with pytest.raises(LocalError, match=r"All 2 slots .*\n.*/checkout0/.local, /checkout1/.local"):
        choose(range(2), [claim(0), claim(1)], problems({}))


# --- with folders


def places(tmp_path: Path, name: str) -> Places:
    runtime = tmp_path / name / ".local"
    runtime.mkdir(parents=True, exist_ok=True)
    return Places(
        root=runtime.parent,
        runtime=runtime,
        cache=tmp_path / "cache",
        shared=tmp_path / "shared",
        daemon=tmp_path / "run",
    )


def take(one: Places) -> Places:
    return slots.take(one, lambda _: None, lambda _: None)


def with_state(one: Places) -> Places:
    one.emulator.mkdir()
    return one


@pytest.mark.provider
def test_two_checkouts_have_different_addresses_and_keep_them(tmp_path: Path) -> None:
    first, second = take(places(tmp_path, "a")), take(places(tmp_path, "b"))
    assert (first.slot, second.slot) == (0, 1)
    assert {first.endpoint, first.balancers, first.network}.isdisjoint(
        {second.endpoint, second.balancers, second.network}
    )
    slots.let_go(first, keep=False)
    assert take(with_state(second)).slot == 1


@pytest.mark.provider
def test_a_slot_is_free_after_down(tmp_path: Path) -> None:
    slots.let_go(take(places(tmp_path, "a")), keep=False)
    assert take(places(tmp_path, "b")).slot == 0
    assert slots.claims(tmp_path / "shared")[0].runtime == str(tmp_path / "b/.local")


@pytest.mark.provider
def test_a_kept_state_keeps_its_slot(tmp_path: Path) -> None:
    kept = with_state(take(places(tmp_path, "a")))
    slots.let_go(kept, keep=True)
    assert [one.up for one in slots.claims(kept.shared)] == [False]
    assert take(places(tmp_path, "b")).slot == 1
    assert take(kept).slot == 0
    assert [one.up for one in slots.claims(kept.shared)] == [True, True]


@pytest.mark.provider
def test_a_kept_state_whose_slot_was_taken_is_refused_saying_by_whom(tmp_path: Path) -> None:
    """Say, a copy of a checkout together with its `.local`."""
    take(places(tmp_path, "a"))
    copy = with_state(places(tmp_path, "copy"))
    copy.slot_file.write_text("0\n")
    with pytest.raises(LocalError, match=rf"Slot 0 is held by the local cloud of {tmp_path}/a/.local") as refused:
        take(copy)
    assert f"cd {tmp_path}/a && local-aws down" in refused.value.next_step
    assert [one.cloud for one in slots.claims(copy.shared)] == [places(tmp_path, "a").cloud_id]


@pytest.mark.provider
def test_a_slot_without_any_state_is_chosen_anew(tmp_path: Path) -> None:
    """An `up` that never got as far as a load balancer."""
    take(places(tmp_path, "a"))
    copy = places(tmp_path, "copy")
    copy.slot_file.write_text("0\n")
    assert take(copy).slot == 1


@pytest.mark.provider
def test_a_removed_checkout_holds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "refusal_to_bind", lambda *_: None)
    gone = take(places(tmp_path, "a"))
    gone.slot_file.unlink()
    assert take(places(tmp_path, "b")).slot == 0
    assert not (gone.shared / f"{gone.cloud_id}.json").exists()  # who cannot look into its folder would believe it


@pytest.mark.provider
def test_a_claim_stays_while_a_process_listens_at_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that shares /var/tmp sees the claim, and not the folder."""
    elsewhere = take(places(tmp_path, "a"))
    elsewhere.slot_file.unlink()
    monkeypatch.setattr(processes, "refusal_to_bind", lambda _, port: OSError() if port == elsewhere.port else None)
    take(places(tmp_path, "b"))
    assert (elsewhere.shared / f"{elsewhere.cloud_id}.json").exists()


@pytest.mark.provider
def test_a_folder_that_may_not_be_looked_into_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = take(places(tmp_path, "a"))

    def refused(path: Path, *_: object, **__: object) -> str:
        raise PermissionError(str(path))

    found = slots._read(slots._claim_file(private))
    assert found is not None
    monkeypatch.setattr(Path, "read_text", refused)
    assert slots._holds(found)


@pytest.mark.provider
def test_after_a_restart_of_the_machine_no_cloud_is_up(tmp_path: Path) -> None:
    here = take(places(tmp_path, "a"))
    path = here.shared / f"{here.cloud_id}.json"
    assert slots.claims(here.shared)[0].up
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boot": "an earlier one"}))
    assert not slots.claims(here.shared)[0].up


@pytest.mark.provider
@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cloud": "x", "slot": "1", "runtime": "/"}'])
def test_a_damaged_claim_is_no_claim(tmp_path: Path, text: str) -> None:
    here = places(tmp_path, "a")
    here.shared.mkdir()
    (here.shared / "0123.json").write_text(text)
    assert take(here).slot == 0


@pytest.mark.provider
def test_any_user_may_claim_and_none_may_remove_anothers(tmp_path: Path) -> None:
    here = take(places(tmp_path, "a"))
    assert here.shared.stat().st_mode & 0o7777 == 0o1777
    assert (here.shared / f"{here.cloud_id}.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.provider
def test_a_link_in_place_of_the_shared_folder_is_not_followed(tmp_path: Path) -> None:
    here = places(tmp_path, "a")
    (tmp_path / "elsewhere").mkdir()
    here.shared.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LocalError, match="no folder that this user can write to"):
        take(here)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.provider
def test_no_other_process_chooses_meanwhile(tmp_path: Path) -> None:
    def examine(one: Places) -> None:
        handle = os.open(one.shared, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)
        examined.append(one.slot)

    examined: list[int] = []
    slots.take(places(tmp_path, "a"), examine, lambda _: None)
    assert examined == [0]


@pytest.mark.provider
def test_the_addresses_of_a_slot_are_examined_before_it_is_taken(tmp_path: Path) -> None:
    asked: list[str] = []

    def examine(one: Places) -> None:
        asked.append(f"{one.endpoint} {one.balancers}")
        if one.slot == 0:
            raise PORT_TAKEN

    here = places(tmp_path, "a")
    assert slots.take(here, examine, lambda _: None) == replace(here, slot=1)
    assert asked == ["http://127.0.0.1:4566 127.0.10", "http://127.0.0.1:4567 127.0.11"]
