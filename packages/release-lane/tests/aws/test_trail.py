"""CloudTrail's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from release_lane.aws import trail
from release_lane.record.names import Access

pytestmark = pytest.mark.pure


@dataclass(frozen=True)
class Trail:
    """LookupEvents; botocore gives times in the time zone of the machine."""

    events: Mapping[str, str]

    def lookup_events(self, LookupAttributes: Any, MaxResults: int) -> Mapping[str, Any]:
        del MaxResults
        name = LookupAttributes[0]["AttributeValue"]
        return {"Events": [{"EventName": name, "EventTime": datetime.fromisoformat(self.events[name])}]}


def test_calls_come_newest_first_with_times_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Trail({"DeleteRule": "2026-06-01T12:00:00+02:00", "ModifyRule": "2026-06-01T12:00:00-04:00"})
    monkeypatch.setattr(trail, "client", lambda *_: known)
    found = trail.lookup(Access(region="r", account="0" * 12), ["DeleteRule", "ModifyRule"])
    assert [(each["EventName"], each["EventTime"]) for each in found] == [
        ("ModifyRule", "2026-06-01T16:00:00+00:00"),
        ("DeleteRule", "2026-06-01T10:00:00+00:00"),
    ]
