"""A thread's event loop for Pulumi's mocks, whatever the tests before have left."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def loop() -> Iterator[None]:
    """`asyncio.run` takes the current loop away, and Pulumi's SDK asks for one."""
    fresh = asyncio.new_event_loop()
    asyncio.set_event_loop(fresh)
    yield
    asyncio.set_event_loop(None)
    fresh.close()


@pytest.fixture(autouse=True)
def in_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine runs a program in its own folder."""
    monkeypatch.chdir(Path(__file__).resolve().parents[4] / "infra")
