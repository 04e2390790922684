"""Files that a verb leaves in a folder, for a pipeline to publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from release_lane.errors import UsageError


def write_into(folder: str, files: Mapping[str, str]) -> None:
    """Each file by its name; none is ever seen half written. `UsageError` where they cannot be written."""
    there = Path(folder)
    try:
        there.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            new = there / f".{name}.new"
            new.write_text(text, encoding="utf-8")
            new.replace(there / name)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.", next_step="name another folder with --out."
        ) from error
