"""Progress of several tasks at once: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from local_aws.toolchain.cache import Say

QUIET_FOR = 5.0  # seconds between two plain lines of one task that differ only in their figures


@dataclass
class Task:
    """One line of the display. `ended` and `ok` are None while it runs; times are monotonic seconds."""

    name: str
    begin: float
    text: str = ""
    ended: float | None = None
    ok: bool | None = None
    said: float = 0.0
    shape: str = field(default="", repr=False)


class Progress:
    """Thread-safe. Use as a context manager; `running(name)` gives the task's own `say`."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock, self._begin = clock, clock()
        self._tasks: list[Task] = []
        self._lock = threading.Lock()
        self._closed = False
        console = Console(file=self._stream, highlight=False)
        self._live = (
            Live(get_renderable=self._table, console=console, refresh_per_second=8, transient=False)
            if console.is_terminal and not console.is_dumb_terminal
            else None
        )

    def __enter__(self) -> Progress:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Output of tasks that still run after this, because another one failed, is dropped."""
        self._closed = True
        if self._live:
            self._live.stop()

    @contextmanager
    def running(self, name: str) -> Iterator[Say]:
        """A task while the block runs; it has failed if the block raises."""
        task = Task(name=name, begin=self._clock())
        with self._lock:
            self._tasks.append(task)
        try:
            yield lambda text: self._say(task, text)
        except BaseException:
            self._end(task, ok=False)
            raise
        self._end(task, ok=True)

    def _say(self, task: Task, text: str) -> None:
        text = text.removeprefix(f"{task.name}: ")
        now, shape = self._clock(), re.sub(r"\d+(\.\d+)?", "#", text)
        with self._lock:
            news = shape != task.shape or now - task.said >= QUIET_FOR
            task.text = text
            if news:
                task.shape, task.said = shape, now
        if news and not self._live:
            self._print(f"{task.name}: {text}")

    def _end(self, task: Task, *, ok: bool) -> None:
        task.ended, task.ok = self._clock(), ok
        if not self._live:
            outcome = "done" if ok else "FAILED"
            self._print(f"{task.name}: {outcome} ({task.ended - task.begin:.1f} s)")

    def _print(self, text: str) -> None:
        with self._lock:
            if self._closed:
                return
            print(f"[{self._clock() - self._begin:6.1f} s] {text}", file=self._stream, flush=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for task in list(self._tasks):
            seconds = (task.ended or self._clock()) - task.begin
            sign: Spinner | Text = Spinner("dots")
            if task.ok is not None:
                sign = Text("ok", "green") if task.ok else Text("FAILED", "red")
            table.add_row(
                sign, task.name, Text(f"{seconds:.1f} s", "dim"), Text(task.text, no_wrap=True, overflow="ellipsis")
            )
        return table
