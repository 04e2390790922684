"""What is on disk: alarms with their state, tags and history after every change; datapoints now and then.

An emulator that was killed comes back with all alarms, and without the datapoints of the last minute at most.
"""

from __future__ import annotations

from pathlib import Path

from local_aws.emulator.cloudwatch.datapoints import Datapoints
from local_aws.emulator.cloudwatch.model import Scope, State
from local_aws.emulator.wire import NOT_A_STATE, StateFile

VERSION = 1


class Store:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self, folder: Path) -> None:
        self._alarms = StateFile(folder / "cloudwatch.json")
        self._data = StateFile(folder / "cloudwatch-datapoints.json")

    def load(self) -> State:
        """The state of before, or an empty one. Raises Unreadable."""
        return self._alarms.restore(State, VERSION, "CloudWatch's alarms")

    def save(self, state: State) -> None:
        self._alarms.keep(state, VERSION)

    def load_datapoints(self) -> dict[Scope, Datapoints]:
        """None where there are none, or where they cannot be read: they are no loss."""
        try:
            found = self._data.versioned(VERSION) or []
            return {Scope(account, region): Datapoints.from_document(rows) for account, region, rows in found}
        except NOT_A_STATE:
            return {}

    def save_datapoints(self, datapoints: dict[Scope, Datapoints]) -> None:
        rows = [[scope.account, scope.region, one.document()] for scope, one in datapoints.items()]
        self._data.save({"version": VERSION, "state": rows})
