"""HAProxy as a child process.

A reload is a second process, a new generation: it takes the listening sockets over from the first (`-x`), so that no
connection is refused, and tells it to finish (`-sf`). Each generation has its own command socket, `run-<n>.sock`.
A child dies with this process, also when that is killed (`setpriv --pdeathsig`), and therefore must be started by a
thread that lives as long as the process: the kernel's signal comes when the *thread* ends.

All paths are relative to the folder, which is the child's working directory, because a path of a unix socket may have
107 characters at most.
"""

from __future__ import annotations

import fcntl
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local_aws.emulator.edge.runtime import Lost, Runtime

OLDEST = (2, 6)
READY_WITHIN = 10.0  # seconds
ENDED_WITHIN = 2.0  # seconds after SIGTERM
LOOK_EVERY = 0.002  # seconds, while a process starts or ends: the kernel has no event for these
CONFIG, LOG, PIDS = "haproxy.cfg", "haproxy.log", "haproxy.pid"
CERTIFICATES = "certificates"
MOST_CONNECTIONS = 10_000


class Failed(Exception):
    """HAProxy did not start; the text is what it said."""


class Occupied(Exception):
    """Another emulator drives the load balancer of this folder."""


@dataclass(frozen=True)
class Generation:
    """`process` is a direct child; `runtime` its command connection."""

    process: subprocess.Popen[bytes]
    runtime: Runtime
    socket: str

    @property
    def pid(self) -> int:
        return self.process.pid


class Folder:
    """The folder of one load balancer, and its processes."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self._count = 0

    def occupy(self) -> None:
        """Only one emulator may use it, until that leaves or dies. Raises Occupied."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Occupied(f"{self.path} is in use by another emulator; end that one first: local-aws down") from None

    def leave(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def short(self, name: str) -> str:
        """A path that is short however deep the folder lies; valid in this process."""
        return f"/proc/self/fd/{self._fd}/{name}"

    def write(self, name: str, text: str) -> None:
        draft = self.path / f"{name}.new"
        draft.write_text(text)
        os.replace(draft, self.path / name)

    def keep_certificates(self, files: Mapping[str, str]) -> None:
        """Name -> PEM with its key, readable by their owner alone; a name always has the same text."""
        place = self.path / CERTIFICATES
        place.mkdir(mode=0o700, exist_ok=True)
        for name in files.keys() - {entry.name for entry in place.iterdir()}:
            draft = place / f"{name}.new"
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(files[name])
            os.replace(draft, place / name)

    def drop_certificates(self, but: Collection[str]) -> None:
        """HAProxy reads them once, at its start."""
        for entry in (self.path / CERTIFICATES).glob("*"):
            if entry.name not in but:
                entry.unlink()

    def spawn(self, executable: str, events: int, samples: int, after: Generation | None) -> Generation:
        """Start with the configuration that lies here; ready when this returns. Raises Failed, nothing changed.

        `events` and `samples` are the UDP ports that it logs to: what happens to servers, and response times.
        """
        self._count += 1
        name = f"run-{self._count}.sock"
        command = ["setpriv", "--pdeathsig", "TERM", executable, "-f", CONFIG]
        if after:
            command += ["-x", after.socket, "-sf", str(after.pid)]
        ports = {"EDGE_EVENTS": str(events), "EDGE_SAMPLES": str(samples)}
        settings = {"EDGE_SOCKET": name, "EDGE_MAXCONN": str(capacity()), **ports}
        with (self.path / LOG).open("ab") as log:
            begin = log.tell()
            process = subprocess.Popen(
                command,
                cwd=self.path,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the emulator, which ends its children in order
            )
        return Generation(process, self._connect(process, name, begin), name)

    def _connect(self, process: subprocess.Popen[bytes], name: str, begin: int) -> Runtime:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            with suppress(Lost):
                return Runtime(self.short(name))
            time.sleep(LOOK_EVERY)
        process.kill()
        process.wait()
        said = (self.path / LOG).read_bytes()[begin:].decode(errors="replace").strip()
        raise Failed(said or "HAProxy did not become ready")

    def record(self, pids: list[int]) -> None:
        """The pid file: one process a line, the current one last."""
        self.write(PIDS, "".join(f"{pid}\n" for pid in pids))

    def forget(self, gone: Generation) -> None:
        """Remove what an ended process has left."""
        gone.runtime.close()
        (self.path / gone.socket).unlink(missing_ok=True)

    def clear(self) -> None:
        """End what an earlier emulator left behind, and remove its sockets."""
        with suppress(OSError):
            end([pid for pid in map(int, (self.path / PIDS).read_text().split()) if self._is_ours(pid)])
        for stale in self.path.glob("*.sock"):
            stale.unlink()
        (self.path / LOG).write_bytes(b"")

    def _is_ours(self, pid: int) -> bool:
        """A process id may belong to somebody else by now."""
        try:
            named = Path(f"/proc/{pid}/comm").read_text().strip() in ("haproxy", "setpriv")
            return named and Path(f"/proc/{pid}/cwd").samefile(self.path)
        except OSError:
            return False

    def close(self) -> None:
        os.close(self._fd)


def end(pids: list[int]) -> None:
    """SIGTERM, and SIGKILL for those that stay."""
    for sign, patience in ((signal.SIGTERM, ENDED_WITHIN), (signal.SIGKILL, ENDED_WITHIN)):
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, sign)
        deadline = time.monotonic() + patience
        while (pids := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)


def alive(pid: int) -> bool:
    """A zombie is not, unless other threads of it still run: they hold its sockets."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return False
    state, threads = fields[0], int(fields[17])
    return state not in "ZX" or threads > 1


def find_executable() -> str:
    """Raises Failed, saying how to get it."""
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/sbin:/usr/local/sbin")
    if found is None:
        raise Failed("HAProxy is not installed. On Debian or Ubuntu: apt-get install haproxy")
    if shutil.which("setpriv") is None:
        raise Failed("setpriv is not installed. It is part of util-linux: apt-get install util-linux")
    said = subprocess.run([found, "-v"], capture_output=True, text=True).stdout
    version = parse_version(said)
    if version < OLDEST:
        raise Failed(f"{found} is {said.splitlines()[0] if said else 'broken'}; 2.6 or newer is needed")
    return found


def parse_version(said: str) -> tuple[int, int]:
    """From `haproxy -v`; (0, 0) if it says nothing of the kind."""
    found = re.search(r"version (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def capacity() -> int:
    """Connections that the limit of open files allows.

    Each needs two; a third of the limit is left for listeners, for health checks (one a server slot) and for the
    process itself, so that dozens of load balancers fit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(100, min(MOST_CONNECTIONS, hard // 3))
