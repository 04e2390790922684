"""Ports of a local cloud that are taken: waited for only without a visible holder."""

from __future__ import annotations

import errno
import os

import pytest
from local_aws import emulator_process, processes
from local_aws.errors import LocalError
from local_aws.places import Places

pytestmark = pytest.mark.provider
TAKEN = OSError(errno.EADDRINUSE, "taken")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[OSError | None]:
    """What the next looks at a port find; after them it is free."""
    found: list[OSError | None] = []
    monkeypatch.setattr(processes, "refusal_to_bind", lambda *_: found.pop(0) if found else None)
    monkeypatch.setattr(processes, "listener", lambda *_: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return found


@pytest.fixture
def places() -> Places:
    return Places.read()


def test_a_port_without_a_visible_holder_is_waited_for(places: Places, looks: list[OSError | None]) -> None:
    """The kernel frees the ports of a killed emulator a little after its process is gone."""
    looks += [TAKEN, TAKEN]
    emulator_process.need_ports(places, patience=60)
    assert looks == []


def test_not_for_ever(places: Places, looks: list[OSError | None]) -> None:
    looks += [TAKEN, TAKEN]
    with pytest.raises(LocalError, match="a process that is not visible"):
        emulator_process.need_ports(places, patience=0)
    assert looks == [TAKEN]


def test_a_port_of_a_living_process_is_reported_at_once(
    places: Places, looks: list[OSError | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "listener", lambda *_: os.getpid())
    looks += [TAKEN, TAKEN]
    with pytest.raises(LocalError, match=f"taken by process {os.getpid()}"):
        emulator_process.need_ports(places, patience=60)
    assert looks == [TAKEN]
