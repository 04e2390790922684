"""Locks and notes as they lie in a folder, and how URLs of backends are read. S3 itself: on the local cloud."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from release_lane.command.adapters.backend import Bucket, Folder, RealBackend, objects_at
from release_lane.engine.locks import Holder, Note
from release_lane.errors import CloudError

pytestmark = pytest.mark.cli

NOTE = Note(host="ci.7", pid=42, at="2026-01-02T03:04:04.500+00:00", doing="release deploy staging", run="https://r/7")


def backend(root: Path) -> RealBackend:
    return RealBackend(url=lambda: f"file://{root}", project="lane", root=Path("/"))


def lock(root: Path, stack: str = "staging", name: str = "a", **over: object) -> None:
    folder = root / ".pulumi/locks/organization/lane" / stack
    folder.mkdir(parents=True, exist_ok=True)
    content = {"pid": 42, "username": "ann", "hostname": "ci.7", "timestamp": "2026-01-02T03:04:05.1Z", **over}
    (folder / f"{name}.json").write_text(json.dumps(content))
    (folder / f"{name}.json.attrs").write_text("{}")


def test_a_folder_without_locks_is_not_locked(tmp_path: Path) -> None:
    assert backend(tmp_path).holders("staging") == ()


def test_every_lock_of_the_stack_is_reported_and_none_of_others(tmp_path: Path) -> None:
    lock(tmp_path)
    lock(tmp_path, name="b", pid=43)
    lock(tmp_path, stack="production", pid=44)
    assert [holder.pid for holder in backend(tmp_path).holders("staging") or ()] == [42, 43]


def test_a_note_explains_the_lock_of_its_process(tmp_path: Path) -> None:
    there = backend(tmp_path)
    lock(tmp_path)
    there.leave("staging", NOTE)
    (holder,) = there.holders("staging") or ()
    assert holder.note == NOTE
    there.withdraw("staging", NOTE)
    there.withdraw("staging", NOTE)
    (holder,) = there.holders("staging") or ()
    assert holder.note is None


@pytest.mark.parametrize(
    "over",
    [
        {"pid": 43},
        {"hostname": "ci.8"},
        {"timestamp": "2026-01-02T03:04:00Z"},
        {"timestamp": "2026-01-02T04:04:05Z"},
        {"timestamp": "somewhen"},
    ],
    ids=["process", "host", "before the note", "long after it", "no time"],
)
def test_a_note_of_another_process_explains_nothing(tmp_path: Path, over: dict[str, object]) -> None:
    there = backend(tmp_path)
    lock(tmp_path, **over)
    there.leave("staging", NOTE)
    (holder,) = there.holders("staging") or ()
    assert holder.note is None


def test_a_lock_that_the_engine_named_is_explained_although_it_says_whole_seconds(tmp_path: Path) -> None:
    there = backend(tmp_path)
    there.leave("staging", NOTE)
    named = Holder(user="ann", host="ci.7", pid=42, since="2026-01-02T03:04:04Z")
    (holder,) = there.explained("staging", (named,))
    assert holder.note == NOTE


def test_notes_lie_outside_of_the_engines_own_folder(tmp_path: Path) -> None:
    backend(tmp_path).leave("staging", NOTE)
    assert [path.name for path in tmp_path.iterdir()] == [".release-lane"]


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / ".release-lane").write_text("in the way")
    with pytest.raises(CloudError, match="could not be left"):
        backend(tmp_path).leave("staging", NOTE)


def test_a_backend_that_keeps_its_locks_to_itself_is_none() -> None:
    there = RealBackend(url=lambda: "https://api.pulumi.com/ann", project="lane", root=Path("/"))
    named = (Holder(user="ann", host="ci.7", pid=42, since="2026-01-02T03:04:04Z"),)
    assert there.holders("staging") is None
    assert there.explained("staging", named) == named
    there.leave("staging", NOTE)
    there.withdraw("staging", NOTE)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("file:///var/state", "/var/state"),
        ("file:///var/state?no_tmp_dir=true", "/var/state"),
        ("file://state", "/checkout/state"),
        ("file://./state", "/checkout/state"),
    ],
)
def test_a_folders_url_is_read_as_the_engine_reads_it(url: str, root: str) -> None:
    assert objects_at(url, Path("/checkout")) == Folder(root=Path(root))


def test_a_home_is_meant_by_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert objects_at("file://~", Path("/checkout")) == Folder(root=Path("/home/ann"))
    assert objects_at("file://~/state", Path("/checkout")) == Folder(root=Path("/home/ann/state"))


@pytest.mark.parametrize(
    ("url", "bucket"),
    [
        ("s3://b", Bucket("b")),
        ("s3://b/a/path/?region=eu-west-1&awssdk=v2", Bucket("b", "a/path/", region="eu-west-1")),
        ("s3://b?profile=deploy", Bucket("b", profile="deploy")),
        (
            "s3://b?endpoint=127.0.0.1:4566&disableSSL=true&s3ForcePathStyle=true",
            Bucket("b", endpoint="http://127.0.0.1:4566", path_style=True),
        ),
        (
            "s3://b?endpoint=https://s3.example&use_path_style=true",
            Bucket("b", endpoint="https://s3.example", path_style=True),
        ),
        ("s3://b?endpoint=s3.example", Bucket("b", endpoint="https://s3.example")),
    ],
)
def test_a_buckets_url_is_read_as_the_engine_reads_it(url: str, bucket: Bucket) -> None:
    assert Bucket.read_url(urlsplit(url)) == bucket
    assert objects_at(url, Path("/")) == bucket


@pytest.mark.parametrize(
    "url", ["", "gs://b", "azblob://b", "https://api.pulumi.com", "s3://b?role=arn:aws:iam::1:role/x"]
)
def test_other_backends_are_not_read(url: str) -> None:
    assert objects_at(url, Path("/")) is None
