"""Objects in a folder of this machine: for the local cloud, and for a disk that all who release share."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from release_lane.record.chain import Traces

READ_ONLY = 0o444


@dataclass(frozen=True)
class Folder:
    """Files below `root`, which is made with the first one. Those who may write there may also change and delete."""

    root: Path

    def newest(self, folder: str) -> str | None:
        """The smallest name."""
        return next(iter(self.names(folder)), None)

    def names(self, folder: str) -> Sequence[str]:
        """All files but those that are still being written."""
        found = (self.root / folder).rglob("*")
        return sorted(
            str(path.relative_to(self.root)) for path in found if path.suffix == ".json" and not path.is_dir()
        )

    def read(self, name: str) -> bytes:
        """One file."""
        return (self.root / name).read_bytes()

    def create(self, name: str, content: bytes) -> bool:
        """Written whole and on the disk before it gets its name, which only one writer can give."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{uuid.uuid4().hex}.new")
        try:
            with open(new, "xb") as file:
                os.fchmod(file.fileno(), READ_ONLY)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(new, path)
                return True
            return False
        finally:
            new.unlink(missing_ok=True)

    def traces(self) -> Traces:
        """A folder remembers nothing."""
        return Traces()
