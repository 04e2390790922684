"""What the parts of the local cloud have said: log files, and the output of its containers, by name."""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.errors import LocalError
from local.places import Places

LINES = 100


@dataclass(frozen=True)
class Source:
    """Something that can be read. `also`: other words by which a person may mean it."""

    name: str
    file: Path | None = None
    also: str = ""

    def command(self, lines: int, *, follow: bool) -> list[str]:
        """What prints its last lines and, with `follow`, those that come."""
        more = ["--follow"] if follow else []
        if self.file is None:
            return ["docker", "logs", "--tail", str(lines), *more, self.name]
        return ["tail", "--lines", str(lines), *(["--follow=name", "--retry"] if follow else []), str(self.file)]


def files(places: Places) -> list[Source]:
    """Log files of this cloud, and of a dockerd that some local cloud of this machine started."""
    found = [*places.logs.glob("*.log"), places.edge / "haproxy.log", places.daemon / "dockerd.log"]
    return sorted((Source(path.stem, path) for path in found if path.exists()), key=lambda one: one.name)


def choose(sources: Sequence[Source], name: str | None) -> list[Source]:
    """Those that are meant: the one of that name, or all whose name or service contains it; without, all files."""
    if name is None:
        return [one for one in sources if one.file]
    exact = [one for one in sources if one.name == name]
    return exact or [one for one in sources if name in one.name or name in one.also]


def unknown(sources: Sequence[Source], name: str | None) -> LocalError:
    there = ", ".join(f"{one.name} ({one.also})" if one.also else one.name for one in sources)
    return LocalError(
        f"There is no log {name}." if name else "There is no log yet.",
        next_step=f"these there are: {there}" if there else "make up",
    )


def show(chosen: Iterable[Source], lines: int, write: Callable[[str], None]) -> None:
    for source in chosen:
        write(f"==> {source.file or source.name} <==")
        with _started(source.command(lines, follow=False)) as process:
            write(process.communicate()[0].rstrip("\n"))


def follow(chosen: Sequence[Source], lines: int, write: Callable[[str], None]) -> None:
    """Their lines as they come, each after its source's name where there are several, until all have ended."""
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for source in chosen:
        prefix = f"{source.name} | " if len(chosen) > 1 else ""
        threading.Thread(target=_pump, args=(source.command(lines, follow=True), prefix, said), daemon=True).start()
    open_ends = len(chosen)
    while open_ends:
        line = said.get()
        if line is None:
            open_ends -= 1
        else:
            write(line)


def _pump(command: list[str], prefix: str, said: queue.SimpleQueue[str | None]) -> None:
    with _started(command) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.put(prefix + line.rstrip("\n"))
    said.put(None)


def _started(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, text=True, errors="replace", bufsize=1,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def last_lines(log: Path, count: int) -> str:
    """The end of a log, for an error message."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "it wrote no log"
    return "\n        ".join(lines[-count:]) or "its log is empty"
