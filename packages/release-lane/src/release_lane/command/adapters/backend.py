"""The parts of the engine's backend that the command reads: locks, and the notes that it leaves during updates.

The engine has no command that lists locks, so their objects are read: a folder or an S3 bucket (pkg/backend/diy,
backend.go and lock.go). Other backends keep theirs to themselves. Notes lie outside of the engine's own folder.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

from release_lane.engine.locks import Holder, Note, read_lock
from release_lane.errors import CloudError

LOCKS = ".pulumi/locks/organization"
NOTES = ".release-lane/updates"
"""Folders; below each a project, then a stack. docs/guides/on-aws.md grants the rights to them."""

SOON = 600.0
"""Seconds within which an engine takes its lock after it was started. An older note is of another process."""


class Backend(Protocol):
    """What the command needs of it."""

    def holders(self, stack: str) -> tuple[Holder, ...] | None:
        """Who holds the stack's lock, with the notes that explain them; None where this backend does not say."""

    def explained(self, stack: str, holders: tuple[Holder, ...]) -> tuple[Holder, ...]:
        """The same holders, each with its note if there is one."""

    def leave(self, stack: str, note: Note) -> None:
        """Leave a note. Raises `CloudError` where it cannot be left."""

    def withdraw(self, stack: str, note: Note) -> None:
        """Remove it again; gone already is fine."""


class Objects(Protocol):
    """Named texts."""

    def names(self, folder: str) -> list[str]:
        """Names of all objects below a folder, without it."""

    def read(self, name: str) -> str | None:
        """One object; None if it is gone."""

    def write(self, name: str, text: str) -> None:
        """Write one."""

    def delete(self, name: str) -> None:
        """Delete one; gone already is fine."""


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A folder of this machine."""

    root: Path

    def names(self, folder: str) -> list[str]:
        """Empty if there is no such folder."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(path.name for path in (self.root / folder).iterdir())
        return []

    def read(self, name: str) -> str | None:
        """One file."""
        with contextlib.suppress(FileNotFoundError):
            return (self.root / name).read_text(encoding="utf-8")
        return None

    def write(self, name: str, text: str) -> None:
        """One file, which is never seen half written."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f".{path.name}.new").write_text(text, encoding="utf-8")
        path.with_name(f".{path.name}.new").replace(path)

    def delete(self, name: str) -> None:
        """One file."""
        (self.root / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Bucket:
    """An S3 bucket, or what lies below a prefix of one."""

    name: str
    prefix: str = ""
    region: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    path_style: bool = False

    @staticmethod
    def read_url(url: SplitResult) -> Bucket:
        """With the parameters that the engine reads (gocloud.dev, s3blob and aws)."""
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        endpoint = query.get("endpoint")
        plain = query.get("disableSSL", query.get("disable_https", "false")).lower() in ("true", "1", "t")
        if endpoint and "://" not in endpoint:
            endpoint = f"{'http' if plain else 'https'}://{endpoint}"
        path = url.path.strip("/")
        return Bucket(
            name=url.netloc,
            prefix=f"{path}/" if path else "",
            region=query.get("region"),
            endpoint=endpoint,
            profile=query.get("profile"),
            path_style=query.get("s3ForcePathStyle", query.get("use_path_style", "false")).lower() in ("true", "1"),
        )

    @cached_property
    def _client(self) -> Any:
        import boto3  # slow to load, and most calls of the command have no need of it
        from botocore.config import Config

        config = Config(
            connect_timeout=5, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"},
            s3={"addressing_style": "path"} if self.path_style else None,
        )  # fmt: skip
        # The engine's SDK reads AWS_REGION, which boto3 does not.
        region = self.region or os.environ.get("AWS_REGION")
        session = boto3.session.Session(profile_name=self.profile, region_name=region)
        return session.client("s3", endpoint_url=self.endpoint, config=config)

    def names(self, folder: str) -> list[str]:
        """By ListObjectsV2."""
        start = f"{self.prefix}{folder}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=start)
        return sorted(each["Key"].removeprefix(start) for page in pages for each in page.get("Contents") or ())

    def read(self, name: str) -> str | None:
        """By GetObject."""
        try:
            got = self._client.get_object(Bucket=self.name, Key=self.prefix + name)
        except self._client.exceptions.NoSuchKey:
            return None
        return bytes(got["Body"].read()).decode()

    def write(self, name: str, text: str) -> None:
        """By PutObject."""
        self._client.put_object(Bucket=self.name, Key=self.prefix + name, Body=text.encode())

    def delete(self, name: str) -> None:
        """By DeleteObject."""
        self._client.delete_object(Bucket=self.name, Key=self.prefix + name)


def objects_at(url: str, root: Path) -> Objects | None:
    """Where this backend keeps its objects; None for one that the command cannot read. Paths are relative to `root`."""
    if url.startswith("file://"):
        # As the engine reads it: everything after file:// is a path, ~ and relative ones as well.
        return Folder(root=(root / Path(url.removeprefix("file://").split("?")[0]).expanduser()).absolute())
    parts = urlsplit(url)
    return Bucket.read_url(parts) if parts.scheme == "s3" and "role" not in parse_qs(parts.query) else None


@dataclass(frozen=True, kw_only=True)
class RealBackend:
    """The backend at `url`, which is asked for when it is needed first. `project`: the project's name."""

    url: Callable[[], str]
    project: str
    root: Path

    @cached_property
    def _objects(self) -> Objects | None:
        return objects_at(self.url(), self.root)

    def holders(self, stack: str) -> tuple[Holder, ...] | None:
        """By the lock objects."""
        objects = self._objects
        if objects is None:
            return None
        with _failing_as_cloud_error(f"The locks of {stack} cannot be read"):
            folder = f"{LOCKS}/{self.project}/{stack}"
            texts = [objects.read(f"{folder}/{name}") for name in objects.names(folder) if name.endswith(".json")]
        found = tuple(read_lock(text) for text in texts if text is not None)
        return self.explained(stack, found) if found else ()

    def explained(self, stack: str, holders: tuple[Holder, ...]) -> tuple[Holder, ...]:
        """By host, process and time; what cannot be read explains nothing."""
        objects = self._objects
        if objects is None:
            return holders
        try:
            with _failing_as_cloud_error("Notes cannot be read"):
                return tuple(_with_note(each, self._note(objects, stack, each)) for each in holders)
        except CloudError:
            return holders

    def leave(self, stack: str, note: Note) -> None:
        """One object for each engine."""
        if self._objects:
            with _failing_as_cloud_error(f"The note of who updates {stack} could not be left"):
                self._objects.write(self._name(stack, note.host, note.pid), note.text())

    def withdraw(self, stack: str, note: Note) -> None:
        """The same object."""
        if self._objects:
            with _failing_as_cloud_error(f"The note of who updates {stack} could not be removed"):
                self._objects.delete(self._name(stack, note.host, note.pid))

    def _note(self, objects: Objects, stack: str, holder: Holder) -> Note | None:
        text = objects.read(self._name(stack, holder.host, holder.pid))
        note = Note.parse(text) if text else None
        return note if note and _explains(note, holder) else None

    def _name(self, stack: str, host: str, pid: int) -> str:
        return f"{NOTES}/{self.project}/{stack}/{re.sub(r'[^A-Za-z0-9.-]', '-', host)}-{pid}.json"


def _with_note(holder: Holder, note: Note | None) -> Holder:
    return Holder(user=holder.user, host=holder.host, pid=holder.pid, since=holder.since, note=note)


def _explains(note: Note, holder: Holder) -> bool:
    """Is it of this very process, and not of an earlier one with the same number, which was killed?"""
    if (note.host, note.pid) != (holder.host, holder.pid):
        return False
    try:
        later = (datetime.fromisoformat(holder.since) - datetime.fromisoformat(note.at)).total_seconds()
    except (ValueError, TypeError):
        return False
    return -2 <= later <= SOON  # the engine may be quicker than the note, and writes whole seconds in its messages


@contextlib.contextmanager
def _failing_as_cloud_error(what: str) -> Any:
    """Errors of files and of S3 as a `CloudError`."""
    try:
        yield
    except CloudError:
        raise
    except Exception as error:
        raise CloudError(
            f"{what}.", why=str(error), next_step="check PULUMI_BACKEND_URL and the credentials for it."
        ) from error


@dataclass
class FakeBackend:
    """`held` are the holders of each stack's lock; `readable` False: a backend that does not say."""

    held: dict[str, tuple[Holder, ...]] = field(default_factory=dict)
    notes: dict[tuple[str, int], Note] = field(default_factory=dict)
    left: list[Note] = field(default_factory=list)
    readable: bool = True
    asked: int = 0
    frees: Mapping[str, int] = field(default_factory=dict)
    """After so many looks a stack's lock is free."""
    each: Callable[[], None] = lambda: None
    """What happens with each look."""

    def holders(self, stack: str) -> tuple[Holder, ...] | None:
        """As given."""
        self.asked += 1
        self.each()
        if self.asked > self.frees.get(stack, 1_000_000):
            self.held.pop(stack, None)
        return self.explained(stack, self.held.get(stack, ())) if self.readable else None

    def explained(self, stack: str, holders: tuple[Holder, ...]) -> tuple[Holder, ...]:
        """With the notes of their process ids."""
        return tuple(_with_note(each, self.notes.get((stack, each.pid))) for each in holders)

    def leave(self, stack: str, note: Note) -> None:
        """Kept."""
        self.notes[stack, note.pid] = note
        self.left.append(note)

    def withdraw(self, stack: str, note: Note) -> None:
        """Gone."""
        self.notes.pop((stack, note.pid), None)
