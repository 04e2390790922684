"""Processes of this machine, as /proc shows them; those that lost their engine, and how they are ended.

A program leaves a trace of which engine works on which stack: one small file for each engine, in a folder of this user
and this boot. Where the kernel shows no processes (no Linux), nothing is found.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from release_lane.engine.plugins import Plugin, Process, Stack, Trace, left_over, own_engine, port_in

PROC = Path("/proc")
GRACE = 5.0
"""Seconds that a plugin has between being asked to end and being ended: as many as its engine would give it."""
TICK = 0.05
LISTENING = "0A"
"""A socket's state in /proc/net/tcp (include/net/tcp_states.h, TCP_LISTEN)."""


def stack_of(environ: Mapping[str, str], project: str, name: str) -> Stack:
    """The stack of this name in the backend that an environment leads to."""
    return Stack(backend=_backend(environ), project=project, name=name)


def leave_trace(stack: Stack) -> None:
    """Say that the engine above this process works on this stack. Without /proc or a place to write, say nothing."""
    found = own_engine(os.getpid(), _with_ancestors([os.getpid()]), Listening())
    folder = _folder()
    if found is None or folder is None:
        return
    engine, port = found
    trace = Trace(port=port, engine=engine.pid, began=engine.began, project=stack.project, stack=stack.name)
    with contextlib.suppress(OSError):
        new = folder / f".{engine.pid}.new"
        new.write_text(json.dumps(asdict(trace)))
        new.replace(folder / f"{port}-{engine.pid}.json")


def without_engine(stack: Stack) -> tuple[Plugin, ...]:
    """Plugins of dead engines on this machine that may still work on this stack."""
    plugins = list(_plugins())
    traces = _traces({port for _, port in plugins})
    processes = _with_ancestors(pid for pid, _ in plugins)
    return left_over(processes.values(), traces, stack, Listening())


def end(plugin: Plugin, sleep: Callable[[float], None] = time.sleep) -> None:
    """End it and what it started, as its engine would: ask, and after GRACE insist."""
    for number, patience in ((signal.SIGINT, GRACE), (signal.SIGKILL, GRACE)):
        if not runs(plugin.pid, plugin.began):
            return
        with contextlib.suppress(ProcessLookupError):
            leads = os.getpgid(plugin.pid) == plugin.pid  # the engine makes each plugin the leader of a group
            (os.killpg if leads else os.kill)(plugin.pid, number)
        for _ in range(round(patience / TICK)):
            if not runs(plugin.pid, plugin.began):
                return
            sleep(TICK)


def runs(pid: int, began: int) -> bool:
    """Is there still the process that started then, and is it no zombie?"""
    fields = stat_of(pid)
    return bool(fields) and fields[0] not in "ZX" and int(fields[19]) == began


# ---- /proc


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state first; empty where there is none."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def began_at(ticks: int) -> float | None:
    """A process's start as seconds since 1970; None where the kernel does not say."""
    with contextlib.suppress(OSError, StopIteration, IndexError, ValueError):
        lines = (PROC / "stat").read_text().splitlines()
        boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return boot + ticks / os.sysconf("SC_CLK_TCK")
    return None


def place() -> str:
    """This boot of this machine, and the container in it, if any; "" where the kernel does not say (no Linux)."""
    with contextlib.suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(PROC / 'self/ns/pid')}"
    return ""


def _plugins() -> Iterator[tuple[int, int]]:
    """Processes of this user that were started as plugins, and the ports of their engines."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(PROC):
            with contextlib.suppress(OSError):
                mine = entry.name.isdigit() and entry.stat().st_uid == os.getuid()
                if mine and (port := port_in(_command(int(entry.name)))) is not None:
                    yield int(entry.name), port


def _with_ancestors(pids: Iterable[int]) -> dict[int, Process]:
    """These processes and those above them, by id."""
    found: dict[int, Process] = {}
    for pid in pids:
        while pid not in found and (process := _process(pid)):
            found[pid] = process
            pid = process.parent
    return found


def _process(pid: int) -> Process | None:
    fields = stat_of(pid)
    if not fields or fields[0] in "ZX":
        return None
    process = Process(pid=pid, parent=int(fields[1]), began=int(fields[19]), command=_command(pid))
    return process if process.engine_port is None else _with_environment(process)


def _command(pid: int) -> tuple[str, ...]:
    with contextlib.suppress(OSError), open(PROC / str(pid) / "cmdline", "rb") as file:
        return tuple(file.read().decode(errors="replace").rstrip("\0").split("\0"))
    return ()


def _with_environment(process: Process) -> Process:
    given: dict[str, str] = {}
    with contextlib.suppress(OSError):
        text = (PROC / str(process.pid) / "environ").read_bytes().decode(errors="replace")
        given = dict(each.partition("=")[::2] for each in text.split("\0"))
    began = began_at(process.began)
    since = datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds") if began else "an unknown time"
    return replace(process, project=given.get("PULUMI_PROJECT", ""), backend=_backend(given), since=since)


def _backend(environ: Mapping[str, str]) -> str:
    """The backend that an environment leads to: its URL, or where the engine keeps what `pulumi login` chose."""
    home = environ.get("PULUMI_HOME") or f"{environ.get('HOME', '')}/.pulumi"
    return environ.get("PULUMI_BACKEND_URL") or home


class Listening:
    """Which process listens where, read when it is asked for: the kernel's list is long on a busy machine."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, int]] = {}

    def __call__(self, pid: int, port: int) -> bool:
        """By the process's own view of the network: it may be in a container.

        Some processes show nothing of themselves, like the one that inherits orphans. Of these, one that is called like
        the engine is taken for it, so that no plugin of a running engine is ever ended.
        """
        try:
            network = os.readlink(PROC / str(pid) / "ns/net")
            if network not in self._of:
                self._of[network] = dict(_listening(pid))
            return any(self._of[network].get(socket) == port for socket in _sockets(pid))
        except PermissionError:
            return [Path(word).name for word in _command(pid)[:1]] == ["pulumi"]
        except OSError:
            return False


def _listening(pid: int) -> Iterator[tuple[str, int]]:
    """Sockets that listen, by their number, with their ports. The kernel names them before all others."""
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), open(PROC / str(pid) / "net" / name) as lines:
            next(lines, "")
            for line in lines:
                fields = line.split()
                if fields[3] != LISTENING:
                    break
                yield fields[9], int(fields[1].rpartition(":")[2], 16)


def _sockets(pid: int) -> Iterator[str]:
    for entry in os.scandir(PROC / str(pid) / "fd"):
        with contextlib.suppress(FileNotFoundError):
            if found := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry.path)):
                yield found[1]


# ---- Traces


def _folder() -> Path | None:
    """Where this user's traces are; None where there is no such place, or somebody else made it."""
    boot = re.sub(r"[^0-9a-z]+", "-", place())
    if not boot:
        return None
    folder = Path(tempfile.gettempdir()) / f"release-lane-engines-{os.getuid()}-{boot}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            return folder
    return None


def _traces(ports: set[int]) -> list[Trace]:
    """Of engines that run, or of which a process still knows the port; the others are removed."""
    found: list[Trace] = []
    folder = _folder()
    for path in folder.glob("*.json") if folder else ():
        with contextlib.suppress(OSError, ValueError, TypeError):
            trace = Trace(**json.loads(path.read_text()))
            if trace.port in ports or runs(trace.engine, trace.began):
                found.append(trace)
            else:
                path.unlink()
    return found
