"""Logs of the local cloud: files of its parts, and the output of its containers, by name."""

from __future__ import annotations

import queue
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws.errors import LocalError
from local_aws.places import Places

LINES = 100

ROUTINE = re.compile(
    r"^\[WARNING\] .*: ("
    r"Proxy \S+ stopped \(cumulated conns"
    r"|Server \S+ (remains in forced drain mode|is UP(/DRAIN)? \(leaving forced|is stopping, changed from CLI)"
    r"|Backup Server \S+ (is UP|enters drain state|is going DOWN for maintenance)"
    r")"
)
"""What HAProxy warns of when the local cloud does what it always does: an old process ends after a reload, a slot is
given to a new target, and a target's second slot, which serves when no target is healthy, follows the first."""


@dataclass(frozen=True)
class Source:
    """Something that can be read. `also`: other words by which a person may mean it. `routine` lines are not shown."""

    name: str
    file: Path | None = None
    also: str = ""
    routine: re.Pattern[str] | None = None

    def command(self, lines: int, *, follow: bool) -> list[str]:
        """What prints its last lines and, with `follow`, those that come."""
        more = ["--follow"] if follow else []
        if self.file is None:
            return ["docker", "logs", "--tail", str(lines), *more, self.name]
        return ["tail", "--lines", str(lines), *(["--follow=name", "--retry"] if follow else []), str(self.file)]


def files(places: Places) -> list[Source]:
    """Log files of this cloud, and of a dockerd that some local cloud of this machine started."""
    haproxy = Source("haproxy", places.edge / "haproxy.log", routine=ROUTINE)
    plain = [Source(path.stem, path) for path in (*places.logs.glob("*.log"), places.daemon / "dockerd.log")]
    return sorted((one for one in (haproxy, *plain) if one.file and one.file.exists()), key=lambda one: one.name)


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
        next_step=f"these there are: {there}" if there else "local-aws up",
    )


def show(chosen: Iterable[Source], lines: int, write: Callable[[str], None]) -> None:
    for source in chosen:
        if source.file and source.routine:
            _show_telling(source.file, source.routine, lines, write)
            continue
        write(f"==> {source.file or source.name} <==")
        with _started(source.command(lines, follow=False)) as process:
            write(process.communicate()[0].rstrip("\n"))


def _show_telling(file: Path, routine: re.Pattern[str], lines: int, write: Callable[[str], None]) -> None:
    """The last of those lines that are not routine, and how many were left out."""
    said = file.read_text(errors="replace").splitlines()
    telling = [line for line in said if not routine.match(line)]
    left_out = len(said) - len(telling)
    write(f"==> {file} <==" + (f" without {left_out} lines of routine" if left_out else ""))
    write("\n".join(telling[max(0, len(telling) - lines) :]))


def follow(chosen: Sequence[Source], lines: int, write: Callable[[str], None]) -> None:
    """Their lines as they come, each after its source's name where there are several, until all have ended."""
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    for source in chosen:
        prefix = f"{source.name} | " if len(chosen) > 1 else ""
        threading.Thread(target=_pump, args=(source, lines, prefix, said), daemon=True).start()
    open_ends = len(chosen)
    while open_ends:
        line = said.get()
        if line is None:
            open_ends -= 1
        else:
            write(line)


def _pump(source: Source, lines: int, prefix: str, said: queue.SimpleQueue[str | None]) -> None:
    with _started(source.command(lines, follow=True)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if not (source.routine and source.routine.match(line)):
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
