"""CloudTrail: which calls were made, and by whom.

Sources: API reference of CloudTrail (LookupEvents: management events of the last 90 days, newest first, two requests a
second) and its record contents (userIdentity, userAgent, requestParameters, errorCode).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from release_lane.aws.session import client
from release_lane.record.names import Access
from release_lane.record.times import iso


def lookup(access: Access, names: Sequence[str]) -> list[dict[str, Any]]:
    """The last 50 calls of each of these names, newest first; EventTime is ISO 8601 (UTC)."""
    trail = client(access, "cloudtrail")
    found = []
    for name in names:
        asked = [{"AttributeKey": "EventName", "AttributeValue": name}]
        found += trail.lookup_events(LookupAttributes=asked, MaxResults=50)["Events"]
    newest = sorted(found, key=lambda each: each["EventTime"], reverse=True)
    return [{**each, "EventTime": iso(each["EventTime"].timestamp())} for each in newest]
