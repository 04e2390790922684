"""What is asked of S3, as far as no bucket is needed to see it; the rest is in the stories and the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from release_lane.errors import CloudError
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
    answers: list[str] = field(default_factory=list)
    """Codes of the errors that PutObject ends with, one after the other; then it succeeds."""

    def put_object(self, *, Bucket: str, Key: str, **asked: Any) -> None:
        del Bucket
        assert asked["IfNoneMatch"] == "*"
        if self.answers:
            raise ClientError({"Error": {"Code": self.answers.pop(0)}}, "PutObject")
        self.written.append(Key)

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


def of(there: S3, monkeypatch: pytest.MonkeyPatch, prefix: str = "") -> Bucket:
    monkeypatch.setattr(bucket, "client", lambda *_: there)
    return Bucket(access=Access(region="r", account="0" * 12), name="b", prefix=prefix)


CONFLICT = "ConditionalRequestConflict"


@pytest.mark.parametrize(
    ("answers", "created"),
    [([], True), (["PreconditionFailed"], False), ([CONFLICT], True), ([CONFLICT, "PreconditionFailed"], False)],
    ids=["none is there", "one is there", "another write failed", "another write came first"],
)
def test_a_conflict_with_another_writer_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], created: bool
) -> None:
    there = S3(answers=answers)
    assert of(there, monkeypatch).create("entries/1.json", b"x") is created
    assert there.written == (["entries/1.json"] if created else [])


@pytest.mark.parametrize(
    ("answers", "error"),
    [([CONFLICT] * 10, CloudError), (["AccessDenied"], ClientError)],
    ids=["others write all the time", "no permission"],
)
def test_what_is_not_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, answers: list[str], error: type[Exception]
) -> None:
    with pytest.raises(error):
        of(S3(answers=answers), monkeypatch).create("entries/1.json", b"x")


@pytest.mark.parametrize("prefix", ["", "shop/"])
def test_only_traces_of_the_ledger_itself_count(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """The bucket may hold something else: states of the engine are written again with each update."""
    entry, mark, state = f"{prefix}entries/1.json", f"{prefix}marks/line/a/1.json", f"{prefix}.pulumi/stacks/shop.json"
    there = S3(written=[entry, entry, mark, state, state], deleted=[mark, state])
    found = of(there, monkeypatch, prefix).traces()
    assert found == Traces(deleted={"marks/line/a/1.json"}, overwritten={"entries/1.json"}, kept=True)
