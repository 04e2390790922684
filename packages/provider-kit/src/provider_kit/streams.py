"""Standard streams that outlive their reader, for every command of ours.

`release deploy … | head -1` must not stop half way: output to a reader that left is dropped, and the exit code stays
that of the work. What cannot be encoded is written as an escape. A stream that was closed (`2>&-`) is opened on
/dev/null, so that no other file gets its number and, with it, all output.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any, TextIO

UNWRITTEN = 5
"""Exit code: what was asked for was done, but the result could not be written, to a full disk for example."""

_LEFT = (errno.EPIPE, errno.ECONNRESET)


class Lasting(io.RawIOBase):
    """Writes to a descriptor; after the first failure, which is kept in `lost`, writes nothing and says nothing."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._terminal = os.isatty(descriptor)
        self.lost: OSError | None = None

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The descriptor, which is not closed together with this."""
        return self._descriptor

    def isatty(self) -> bool:
        """As it was when the command began."""
        return self._terminal

    def write(self, data: Any) -> int:
        """All of it, also where the descriptor does not block."""
        rest = bytes(data)
        while rest and self.lost is None:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.lost = error
        return len(data)

    @property
    def left(self) -> bool:
        """Its reader has left, and wants no more. A terminal that was closed answers with EIO."""
        return self.lost is not None and (self.lost.errno in _LEFT or (self._terminal and self.lost.errno == errno.EIO))


def outlive_readers() -> None:
    """Give this process such streams, once, at the entry of a command."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free
    sys.stdin = sys.stdin or os.fdopen(os.open(os.devnull, os.O_RDONLY))
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.stdout, sys.stderr = _lasting(sys.stdout), _lasting(sys.stderr)


def _lasting(given: TextIO | None) -> TextIO:
    if given is None:  # closed when the process began: by now another file may have its number
        return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")
    given.flush()
    raw: Any = Lasting(given.fileno())
    return io.TextIOWrapper(raw, encoding=given.encoding, errors="backslashreplace", line_buffering=True)


def outliving(main: Callable[..., int], *arguments: Any) -> int:
    """The exit code of a whole command with such streams."""
    outlive_readers()
    return conclude(main(*arguments))


def reader_left(stream: TextIO) -> bool:
    """For a command that would otherwise run for ever without a reader."""
    raw = getattr(stream, "buffer", None)
    return isinstance(raw, Lasting) and raw.left


def unwritten(stream: TextIO) -> str:
    """Why what was written there did not get there, "" if it did or if its reader has left."""
    stream.flush()
    raw = getattr(stream, "buffer", None)
    return raw.lost.strerror or str(raw.lost) if isinstance(raw, Lasting) and raw.lost and not raw.left else ""


def conclude(code: int) -> int:
    """The exit code of a command that would end with `code`: it says so if its result could not be written."""
    why = unwritten(sys.stdout)
    if not why or code:
        return code
    print(f"Error: It is done, but the result could not be written to standard output: {why}.", file=sys.stderr)
    return UNWRITTEN
