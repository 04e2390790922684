"""What is on disk: alarms with their state, tags and history after every change; datapoints now and then.

An emulator that was killed comes back with all alarms, and without the datapoints of the last minute at most.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_aws.emulator.cloudwatch.datapoints import Datapoints
from local_aws.emulator.cloudwatch.model import Scope, State
from local_aws.emulator.wire import StateFile, decode, encode

VERSION = 1


class Unreadable(Exception):
    """The file is not a state of this version."""


class Store:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self, folder: Path) -> None:
        self._alarms = StateFile(folder / "cloudwatch.json")
        self._data = StateFile(folder / "cloudwatch-datapoints.json")

    def load(self) -> State:
        """The state of before, or an empty one. Raises Unreadable."""
        try:
            document = self._versioned(self._alarms)
            return State() if document is None else decode(State, document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            path = self._alarms.path
            raise Unreadable(f"{path} does not hold CloudWatch's alarms ({error!r}); remove it") from error

    def save(self, state: State) -> None:
        self._alarms.save({"version": VERSION, "state": encode(state)})

    def load_datapoints(self) -> dict[Scope, Datapoints]:
        """None where there are none, or where they cannot be read: they are no loss."""
        try:
            found = self._versioned(self._data) or []
            return {Scope(account, region): Datapoints.from_document(rows) for account, region, rows in found}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}

    def save_datapoints(self, datapoints: dict[Scope, Datapoints]) -> None:
        rows = [[scope.account, scope.region, one.document()] for scope, one in datapoints.items()]
        self._data.save({"version": VERSION, "state": rows})

    @staticmethod
    def _versioned(file: StateFile) -> Any:
        document = file.load()
        if document is None:
            return None
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}, not {VERSION}")
        return document["state"]
