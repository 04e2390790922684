"""Plugins that outlived their engine: which processes of this machine are such, and of which stack. Pure.

An engine that is killed cannot end its plugins. Each goes on with what it was asked for last, so the next update would
not be alone. The engine gives every plugin its own address as the last argument, and listens there itself
(pkg/resource/plugin, ExecPlugin and ServerAddr): a plugin none of whose ancestors listens there has lost its engine.
The engine does not tell a plugin which stack it updates. The program knows, and leaves a `Trace` while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from release_lane.errors import Refused

_ADDRESS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):(?P<port>\d{1,5})")


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process of this machine. `began` is its start in the kernel's ticks, `since` the same in ISO 8601.

    `project` and `backend` are what its environment says.
    """

    pid: int
    parent: int
    began: int
    command: tuple[str, ...]
    since: str = ""
    project: str = ""
    backend: str = ""

    @property
    def engine_port(self) -> int | None:
        """The port at which its engine listens, if it was started as a plugin."""
        return port_in(self.command)


Listens = Callable[[int, int], bool]
"""Does this process listen on this port?"""


def port_in(command: Sequence[str]) -> int | None:
    """The port at which the engine of a plugin with this command line listens; None for any other command."""
    found = _ADDRESS.fullmatch(command[-1]) if len(command) > 1 else None
    return int(found["port"]) if found else None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack, wherever it is worked on: `backend` as an environment names it."""

    backend: str
    project: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a program left: the process `engine`, which began then and listens on `port`, works on this stack."""

    port: int
    engine: int
    began: int
    project: str
    stack: str


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A plugin without an engine. `known`: it is of the stack that was asked for; else its stack left no trace."""

    pid: int
    began: int
    name: str
    since: str
    known: bool = True

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid}) since {self.since}"


def left_over(
    processes: Iterable[Process], traces: Sequence[Trace], stack: Stack, listens: Listens
) -> tuple[Plugin, ...]:
    """Plugins of a dead engine that may still work on this stack. Those of any other stack are left out."""
    by_id = {each.pid: each for each in processes}
    found = []
    for each in sorted(by_id.values(), key=lambda process: process.pid):
        if each.engine_port is None or each.backend != stack.backend or engine_of(each, by_id, listens):
            continue
        trace = _trace_of(each, traces)
        if trace is None and each.project == stack.project:
            found.append(_plugin(each, known=False))
        elif trace and (trace.project, trace.stack) == (stack.project, stack.name):
            found.append(_plugin(each, known=True))
    return tuple(found)


def outlived(stack: str, plugins: Sequence[Plugin]) -> Refused:
    """The refusal to work next to them."""
    who = "; ".join(map(str, plugins))
    unknown = [str(each.pid) for each in plugins if not each.known]
    return Refused(
        f"An update of {stack} was killed, and what it had started still runs: {who}. Nothing was changed."
        if not unknown
        else f"Of an update that was killed there still runs: {who}. Nothing was changed.",
        why="each may still finish its last request, next to this update"
        + ("; which stack it works on is not known" if unknown else ""),
        next_step=f"make sure that no update of another stack needs it, then `kill {' '.join(unknown)}`."
        if unknown
        else f"`release recover {stack}` ends them, and says what else was left.",
    )


def engine_of(plugin: Process, by_id: Mapping[int, Process], listens: Listens) -> Process | None:
    """The ancestor that listens where this plugin's engine does; None if there is none any more.

    Another process may listen on the port of a dead engine, so the port alone says nothing.
    """
    port = plugin.engine_port
    return next((each for each in ancestors(plugin, by_id) if port is not None and listens(each.pid, port)), None)


def own_engine(pid: int, by_id: Mapping[int, Process], listens: Listens) -> tuple[Process, int] | None:
    """The engine that a program runs under, and its port: by the language host, which is one of its plugins."""
    for each in ancestors(by_id[pid], by_id) if pid in by_id else ():
        if each.engine_port is not None and (engine := engine_of(each, by_id, listens)):
            return engine, each.engine_port
    return None


def ancestors(process: Process, by_id: Mapping[int, Process]) -> Iterator[Process]:
    """Its parent, the parent's parent, and so on, as far as they are known."""
    seen = {process.pid}
    while (parent := by_id.get(process.parent)) and parent.pid not in seen:
        yield parent
        seen.add(parent.pid)
        process = parent


def _trace_of(plugin: Process, traces: Sequence[Trace]) -> Trace | None:
    """Ports are used again: of the engines that listened there, the last one that began before the plugin."""
    before = [each for each in traces if each.port == plugin.engine_port and each.began <= plugin.began]
    return max(before, key=lambda trace: trace.began, default=None)


def _plugin(process: Process, *, known: bool) -> Plugin:
    return Plugin(pid=process.pid, began=process.began, name=_name(process.command), since=process.since, known=known)


def _name(command: Sequence[str]) -> str:
    """In a few words: `pulumi-resource-aws`; without options and folders."""
    words = [word.rpartition("/")[2] for word in command[:-1] if not word.startswith("-")]
    return next((word for word in words if word.startswith("pulumi-")), " ".join(words))
