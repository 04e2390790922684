"""Whether an address and port can be opened, and who holds it if not."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

LISTEN = "0A"  # in /proc/net/tcp


@dataclass(frozen=True)
class Holder:
    pid: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


class Taken(Exception):
    """Its text names the address and port, the process if it can be known, and what to do."""


def claim(address: str, port: int, own: Collection[int] = ()) -> bool:
    """True if it can be opened; False if one of the processes `own` still holds it. Raises Taken otherwise."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return True
        except OSError as error:
            found = holder(address, port)
            if found and found.pid in own:
                return False
            raise Taken(_why(address, port, error, found)) from error


def _why(address: str, port: int, error: OSError, found: Holder | None) -> str:
    at = f"{address}:{port}"
    match error.errno:
        case errno.EADDRINUSE if found:
            return f"{at} is already taken by {found}. End it: kill {found.pid}"
        case errno.EADDRINUSE:
            return f"{at} is already taken by a process that cannot be seen from here. Look for it: ss -ltnp"
        case errno.EACCES:
            return (
                f"{at} cannot be opened: this user may not use ports below 1024. "
                "As root: sysctl -w net.ipv4.ip_unprivileged_port_start=80"
            )
        case _:
            return f"{at} cannot be opened: {error.strerror}"


def holder(address: str, port: int, proc: Path = Path("/proc")) -> Holder | None:
    """The process that listens there, on that address or on all; None if /proc does not show it."""
    inodes = set(_listening(proc, address, port))
    return next((found for pid in _pids(proc) if (found := _holds(proc, pid, inodes))), None) if inodes else None


def _listening(proc: Path, address: str, port: int) -> Iterator[str]:
    any_v6, v4 = "0" * 32, struct.pack("<I", struct.unpack(">I", socket.inet_aton(address))[0]).hex().upper()
    wanted = {f"{host}:{port:04X}" for host in (v4, "0" * 8, any_v6)}
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[1] in wanted and fields[3] == LISTEN:
                yield fields[9]


def _pids(proc: Path) -> Iterator[int]:
    return (int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal())


def _holds(proc: Path, pid: int, inodes: set[str]) -> Holder | None:
    links = {f"socket:[{inode}]" for inode in inodes}
    try:
        if any(_link(entry) in links for entry in (proc / str(pid) / "fd").iterdir()):
            command = (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            return Holder(pid, command.strip()[:120])
    except OSError:
        pass  # another user's process, or one that has just ended
    return None


def _link(entry: Path) -> str:
    try:
        return os.readlink(entry)
    except OSError:
        return ""
