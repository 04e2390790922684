"""Processes of the local cloud: start them in sessions of their own, find them again, end them; who listens on a port.

A process is known by its id *and* the moment it started, so that a stale record never names a stranger.
Linux only: everything is read from /proc.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")  # seconds


@dataclass(frozen=True)
class Started:
    """A process that we started. `ticks` is its start, in clock ticks since the machine's boot."""

    name: str
    pid: int
    ticks: int
    command: str

    @property
    def alive(self) -> bool:
        return start_ticks(self.pid) == self.ticks

    @property
    def since(self) -> float:
        """When it started: seconds since the epoch."""
        return started_at(self.ticks)


def start_ticks(pid: int) -> int | None:
    """When process `pid` started, in ticks since boot; None when there is no such process, or only its zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def started_at(ticks: int) -> float:
    boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + ticks * TICK


def clock(seconds: float) -> str:
    """A moment as people say it; with the day, if that is another one."""
    then = time.localtime(seconds)
    today = time.strftime("%Y-%m-%d", then) == time.strftime("%Y-%m-%d")
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", then)


def command_of(pid: int) -> str:
    """The command line of a process, one line; "" when it is gone or hidden."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def memory_of(pids: Iterable[int]) -> int:
    """Bytes of all these processes together; what several share is counted once (PSS).

    Of another user's process only its resident set is known, which counts what it shares in full.
    """
    return sum(map(_memory_of, pids))


def _memory_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except PermissionError:
        with contextlib.suppress(OSError):
            return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        pass
    return 0


def in_containers(ids: Iterable[str]) -> set[int]:
    """Processes of the containers with these full ids, as this machine numbers them: by their control group."""
    wanted = set(ids)
    found = set()
    for pid in every_pid():
        with contextlib.suppress(OSError):
            if wanted.intersection(re.findall(r"[0-9a-f]{64}", Path(f"/proc/{pid}/cgroup").read_text())):
                found.add(pid)
    return found


def every_pid() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def marked(variable: str, value: str) -> list[int]:
    """Live processes whose environment says `variable=value`: what we started, and what that started in turn."""
    mark = f"{variable}={value}".encode()
    found = []
    for pid in every_pid():
        with contextlib.suppress(OSError):
            given = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if mark in given and pid != os.getpid() and start_ticks(pid) is not None:
                found.append(pid)
    return found


def environment_of(pid: int) -> dict[str, str]:
    """What the process was given when it started; {} when it is gone or hidden."""
    try:
        given = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in given if "=" in entry)


# --- start, find, end


def spawn(run: Path, name: str, command: list[str], *, log: Path, environment: Mapping[str, str], cwd: Path) -> Started:
    """Start `command` in a session of its own, its output to `log`, and note it as `run/<name>.pid`."""
    run.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    started = Started(name, process.pid, start_ticks(process.pid) or 0, " ".join(command))
    _record(run, name).write_text(json.dumps({**asdict(started), "run": str(run.absolute())}))
    return started


def find(run: Path, name: str) -> Started | None:
    """The recorded process if it still lives; a stale record is removed.

    A record that was copied with its folder names the process of the original, so it is stale as well.
    """
    path = _record(run, name)
    try:
        record = json.loads(path.read_text())
        home = record.pop("run")
        started = Started(**record)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if started.alive and home == str(run.absolute()):
        return started
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    return None


def forget(run: Path, name: str) -> None:
    _record(run, name).unlink(missing_ok=True)


def _record(run: Path, name: str) -> Path:
    return run / f"{name}.pid"


def end(pids: Iterable[int], grace: float) -> None:
    """SIGTERM to each process, wait until all are gone, SIGKILL to what is left after `grace` seconds."""
    known = {pid: ticks for pid in pids if (ticks := start_ticks(pid)) is not None}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _still(known):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        wait_until_gone(known, grace if number is signal.SIGTERM else 2.0)


def end_children(grace: float = 1.0) -> None:
    """End what this process started and still waits for: its children in its own session, not `spawn`ed ones."""
    own = os.getsid(0)
    children = []
    for pid in every_pid():
        with contextlib.suppress(OSError, IndexError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and int(fields[3]) == own:
                children.append(pid)
    end(children, grace)


def wait_until_gone(known: Mapping[int, int], seconds: float) -> bool:
    """True once none of the processes (pid -> start ticks) is left, False after `seconds`."""
    deadline = time.monotonic() + seconds
    while left := _still(known):
        if time.monotonic() > deadline:
            return False
        for pid in left:
            _reap(pid)
        time.sleep(0.01)
    return True


def _still(known: Mapping[int, int]) -> list[int]:
    return [pid for pid, ticks in known.items() if start_ticks(pid) == ticks]


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


# --- ports


def refusal_to_bind(address: str, port: int) -> OSError | None:
    """Why it cannot be opened; None when it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
        return None


def listener(address: str, port: int) -> int | None:
    """The process that listens on address:port (or on that port of every address); None if it cannot be seen."""
    inodes = {inode for host, at, inode in _listening() if at == port and host in (address, "0.0.0.0", "::")}
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in every_pid():
        with contextlib.suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(handle) in wanted:
                        return pid
    return None


def _listening() -> list[tuple[str, int, str]]:
    """(address, port, inode) of every listening TCP socket."""
    found = []
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                host, port = fields[1].split(":")
                if fields[3] == "0A":
                    found.append((_address(host), int(port, 16), fields[9]))
    return found


def _address(text: str) -> str:
    """/proc/net/tcp writes addresses in hex, each 32-bit word in the machine's own byte order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words)).removeprefix("::ffff:")
