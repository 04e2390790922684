"""A change is answered when it is stored, and changes that come together are stored together."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from local_aws.emulator.durable import NO_LINES, Saver, watched, without_lines

pytestmark = pytest.mark.pure

CREATE = {"x-amz-target": "AmazonSSM.PutParameter"}
READ = {"x-amz-target": "AmazonSSM.GetParameter"}


class Disk:
    """Stores what `state` is when a write begins; a write ends when it is allowed to."""

    def __init__(self) -> None:
        self.state = 0
        self.stored: list[tuple[str, int]] = []
        self.free = asyncio.Event()
        self.broken = False

    async def save(self, key: str) -> None:
        was = self.state
        await self.free.wait()
        if self.broken:
            raise OSError("the disk is full")
        self.stored.append((key, was))


async def settled() -> None:
    """Everything that can run has run."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_change_waits_until_a_state_that_has_it_is_stored() -> None:
    async def story() -> None:
        disk = Disk()
        saver = Saver(disk.save)
        disk.state = 1
        first = asyncio.create_task(saver.stored("ssm"))
        await settled()
        disk.state = 2  # after the write of 1 has begun
        later = [asyncio.create_task(saver.stored("ssm")) for _ in range(3)]
        await settled()
        assert not first.done()
        disk.free.set()
        await asyncio.gather(first, *later)
        assert disk.stored == [("ssm", 1), ("ssm", 2)], "three changes in one write"

    asyncio.run(story())


def test_a_disk_that_is_full_keeps_no_caller_waiting() -> None:
    async def story() -> None:
        disk = Disk()
        disk.broken = True
        disk.free.set()
        saver = Saver(disk.save)
        await asyncio.wait_for(saver.stored("ssm"), 5)
        disk.broken = False
        await asyncio.wait_for(saver.stored("ssm"), 5)
        assert disk.stored == [("ssm", 0)]

    asyncio.run(story())


def test_who_gave_up_waiting_disturbs_no_other() -> None:
    async def story() -> None:
        disk = Disk()
        saver = Saver(disk.save)
        impatient, patient = (asyncio.create_task(saver.stored("ssm")) for _ in range(2))
        await settled()
        impatient.cancel()
        disk.free.set()
        await asyncio.wait_for(patient, 5)

    asyncio.run(story())


@pytest.mark.parametrize(("headers", "writes"), [(CREATE, [("ssm", 0)]), (READ, [])])
def test_only_changes_are_stored(headers: dict[str, str], writes: list[tuple[str, int]]) -> None:
    async def answer(*_: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, b"{}"

    async def story() -> None:
        disk = Disk()
        disk.free.set()
        handle = watched(answer, Saver(disk.save), "ssm")
        assert await handle("POST", "/", headers, b"{}", {}) == (200, {}, b"{}")
        assert disk.stored == writes

    asyncio.run(story())


def test_a_change_of_log_groups_is_stored_without_the_lines_of_a_session() -> None:
    """Any would do whose groups have streams; the copy is no part of what goes on."""

    class Groups(dict[str, Any]):
        def all_items(self) -> Any:
            return self.items()

    lines = [{"timestamp": 1, "message": "GET /"}]
    groups = Groups({"/lane": {"tags": {"a": "b"}, "streams": {"app/1": {"events": lines, "at": 7}}}})
    module = SimpleNamespace(_log_groups=groups, **{f"_{name}": {name: 1} for name in NO_LINES})
    state = without_lines(module)
    assert state["log_groups"] == {"/lane": {"tags": {"a": "b"}, "streams": {"app/1": {"events": [], "at": 7}}}}
    assert state["log_groups"]["/lane"] is not groups["/lane"]
    assert lines == [{"timestamp": 1, "message": "GET /"}]
    assert {*state} == {"log_groups", *NO_LINES}
