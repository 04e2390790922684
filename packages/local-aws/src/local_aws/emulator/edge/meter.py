"""What HAProxy counted and timed -> what each load balancer and target group carried.

Exact: requests, status codes, connections that failed. HAProxy counts them for each server and frontend; `show stat` is
read every second, from every process that still serves somebody, and once more before an old process is let go. Lost
is only what a HAProxy that was killed counted since the last look.

Sampled: response times. Of each target group's requests about a hundred in a second are logged, each with the rate of
that moment, so that it stands for as many requests as were left out (`render.SAMPLES`). Up to that rate all are there.
They are whole milliseconds from the request's end until the last header of the answer (AWS: until the first one).
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from local_aws.emulator.edge.render import SAMPLES
from local_aws.emulator.elbv2.traffic import BalancerTraffic, Count, GroupTraffic, Times, Traffic

COMMAND = "show stat -1 5 -1"  # of all proxies: frontends (1) and servers (4)
FRONTEND = "FRONTEND"
DIGITS = (2, 3, 4, 5)
SAMPLE = re.compile(rb": (\S+) (\d+) (\d+)\n?$")  # backend, milliseconds, requests in the last second
RECEIVE = 1 << 20  # bytes that may wait in the socket; the kernel may give less
END = b"no more samples"


@dataclass(frozen=True)
class Names:
    """HAProxy's names -> arns."""

    listeners: Mapping[str, str] = field(default_factory=dict)  # frontend -> load balancer
    groups: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # backend -> load balancer, target group


def rows(stat: str) -> Iterator[tuple[str, str, Count]]:
    """Proxy, server (or FRONTEND) and its counters, of all that ever had a request."""
    header, *lines = stat.splitlines()
    columns = header.lstrip("# ").split(",")
    total, unreachable = columns.index("stot"), columns.index("econ")
    codes = [(digit, columns.index(f"hrsp_{digit}xx")) for digit in DIGITS]
    last = max(unreachable, total, *(place for _, place in codes))
    for line in lines:
        cells = line.split(",", last + 1)
        if len(cells) > last and cells[total] not in ("", "0"):
            answers = {digit: int(cells[place] or 0) for digit, place in codes}
            yield cells[0], cells[1], Count(int(cells[total]), answers, int(cells[unreachable] or 0))


class Meter:
    """Adds up the counters of processes that come and go. Not thread-safe."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[tuple[str, str], Count]] = {}
        self._listeners: dict[str, Count] = {}
        self._groups: dict[str, Count] = {}

    def read(self, process: int, stat: str) -> None:
        seen = self._seen.setdefault(process, {})
        for proxy, server, count in rows(stat):
            more = count.since(seen.get((proxy, server), Count()))
            seen[proxy, server] = count
            book = self._listeners if server == FRONTEND else self._groups
            book[proxy] = book.get(proxy, Count()) + more

    def forget(self, process: int) -> None:
        self._seen.pop(process, None)

    def take(self) -> tuple[dict[str, Count], dict[str, Count]]:
        """By frontend and by backend, since the last time."""
        taken = self._listeners, self._groups
        self._listeners, self._groups = {}, {}
        return taken


class OwnAnswers:
    """What load balancers answered themselves: all that listeners answered but what came from targets.

    A target's answer is counted when it begins, and the listener's when it ends. So a difference below zero is kept
    until the rest has come.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], int] = {}

    def of(self, balancer: str, listened: Count, from_targets: Count) -> dict[int, int]:
        own = {}
        for digit in DIGITS:
            more = listened.answers.get(digit, 0) - from_targets.answers.get(digit, 0)
            total = self._open.pop((balancer, digit), 0) + more
            if total < 0:
                self._open[balancer, digit] = total
            elif total:
                own[digit] = total
        return own


@dataclass(frozen=True)
class Look:
    """One look at everything, by HAProxy's names."""

    listeners: Mapping[str, Count]
    groups: Mapping[str, Count]
    times: Mapping[str, Times]
    hosts: Mapping[str, tuple[int, int]]  # backend -> healthy, unhealthy targets now


def attributed(look: Look, names: Names, own: OwnAnswers) -> Traffic:
    """By arns. What has no name any more is left out."""
    groups = [
        GroupTraffic(
            load_balancer=balancer,
            target_group=group,
            count=look.groups.get(name, Count()),
            times=look.times.get(name, {}),
            healthy=look.hosts[name][0] if name in look.hosts else None,
            unhealthy=look.hosts[name][1] if name in look.hosts else None,
        )
        for name, (balancer, group) in names.groups.items()
    ]
    balancers = []
    for balancer in dict.fromkeys(names.listeners.values()):
        listened = _sum(look.listeners.get(name, Count()) for name, of in names.listeners.items() if of == balancer)
        answered = _sum(group.count for group in groups if group.load_balancer == balancer)
        balancers.append(BalancerTraffic(load_balancer=balancer, own=own.of(balancer, listened, answered)))
    return Traffic(tuple(groups), tuple(balancers))


def _sum(counts: Iterator[Count]) -> Count:
    total = Count()
    for count in counts:
        total += count
    return total


# ---------------------------------------------------------------- response times


def sample(line: bytes) -> tuple[str, float, float] | None:
    """Backend, seconds, and how many requests it stands for; None for requests that no target answered."""
    found = SAMPLE.search(line)
    if found is None:
        return None
    return found[1].decode(), int(found[2]) / 1000, max(1.0, int(found[3]) / SAMPLES)


class Samples:
    """Receives them as datagrams, in a thread of its own."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
        self._socket.bind(("127.0.0.1", 0))
        self._times: dict[str, dict[float, float]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._listen, name="edge-samples", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def take(self) -> dict[str, dict[float, float]]:
        """By backend, since the last time."""
        with self._lock:
            taken, self._times = self._times, {}
        return taken

    def stop(self) -> None:
        with suppress(OSError):
            self._socket.sendto(END, self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while (line := self._socket.recv(4096)) != END:
            if one := sample(line):
                backend, seconds, weight = one
                with self._lock:
                    times = self._times.setdefault(backend, {})
                    times[seconds] = times.get(seconds, 0.0) + weight
