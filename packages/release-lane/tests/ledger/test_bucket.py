"""What is asked of S3, as far as no bucket is needed to see it; the rest is in the stories and the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from release_lane.ledger import bucket
from release_lane.ledger.bucket import Bucket
from release_lane.record.chain import Traces
from release_lane.record.names import Access

pytestmark = pytest.mark.pure


@dataclass
class S3:
    """A bucket with versions: keys as often as they were written, and those that were deleted."""

    written: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    def get_paginator(self, what: str) -> S3:
        assert what == "list_object_versions"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> Iterator[Mapping[str, Any]]:
        del Bucket
        yield {"Versions": [{"Key": key} for key in self.written if key.startswith(Prefix)]}
        yield {"DeleteMarkers": [{"Key": key} for key in self.deleted if key.startswith(Prefix)]}

    def get_bucket_versioning(self, Bucket: str) -> Mapping[str, str]:
        del Bucket
        return {"Status": "Enabled"}


@pytest.mark.parametrize("prefix", ["", "shop/"])
def test_only_traces_of_the_ledger_itself_count(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """The bucket may hold something else: states of the engine are written again with each update."""
    entry, mark, state = f"{prefix}entries/1.json", f"{prefix}marks/line/a/1.json", f"{prefix}.pulumi/stacks/shop.json"
    there = S3(written=[entry, entry, mark, state, state], deleted=[mark, state])
    monkeypatch.setattr(bucket, "client", lambda *_: there)
    found = Bucket(access=Access(region="r", account="0" * 12), name="b", prefix=prefix).traces()
    assert found == Traces(deleted={"marks/line/a/1.json"}, overwritten={"entries/1.json"}, kept=True)
