"""A provider's process: start, serve, and end on a signal or when the engine is gone."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from typing import Any

import grpc

from provider_kit.resource import Provider
from provider_kit.rpc import MESSAGE_LIMIT, Servicer, handler

WORKERS = 128  # threads at most, made as needed; the engine itself asks for far less at once
GRACE = 4.0  # seconds for work under way to end itself; the engine kills after 5
PARENT_POLL = 0.25  # seconds between looks at whether the parent is still there
FLUSH = 0.5  # seconds at most for the last answers to leave
CHILD_GRACE = 0.5  # seconds for child processes between SIGTERM and SIGKILL


class Ending(StrEnum):
    """Why the process ends."""

    CLOSED = "closed"
    """The engine is done with it, or a person ended it."""
    CANCELLED = "cancelled"
    """The update was interrupted before."""
    ORPHANED = "orphaned"
    """The engine is gone without a word."""


def start(
    provider: Provider, engine_address: str, cancelled: threading.Event | None = None
) -> tuple[Any, int, Servicer]:
    """Serve on a free loopback port; returns the gRPC server, the port and the servicer."""
    servicer = Servicer(provider, engine_address, cancelled)
    server = grpc.server(
        ThreadPoolExecutor(WORKERS),
        handlers=(handler(servicer),),
        options=[("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.so_reuseport", 0)],
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port, servicer


def serve(
    provider: Provider,
    argv: Sequence[str],
    cancelled: threading.Event | None = None,
    at_end: Callable[[Ending], None] = lambda _: None,
) -> None:
    """Be the plugin process: `argv` are its arguments, of which the last is the engine's address.

    `cancelled` is set when the update is interrupted, for code that no context reaches. `at_end` runs once no request
    is at work any more, in the seconds before the engine kills; what it raises has no reader.

    Prints the port, serves, and does not return: the process ends on SIGINT or SIGTERM (the engine uses
    the first) or with its parent, and takes its child processes along.
    """
    parent = os.getppid()
    if not argv:
        sys.exit(f"pulumi-resource-{provider.name} is a plugin: the Pulumi engine starts it.")
    bell = _ring_on_signals()
    server, port, servicer = start(provider, argv[-1], cancelled)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    orphaned = _wait_for_the_end(bell, parent)
    ending = Ending.CANCELLED if servicer.cancelled.is_set() else Ending.ORPHANED if orphaned else Ending.CLOSED
    servicer.cancelled.set()
    _wait_for_work(servicer, bell)
    with suppress(Exception):
        at_end(ending)
    server.stop(FLUSH).wait(FLUSH)
    _end_children()
    os._exit(0)  # threads of work that does not end must not keep the process


def _ring_on_signals() -> int:
    """A descriptor that becomes readable on SIGINT and SIGTERM, also where the parent had them ignored."""
    read, write = os.pipe()
    os.set_blocking(write, False)

    def ring(_number: int, _frame: object) -> None:
        os.write(write, b"!")

    signal.signal(signal.SIGINT, ring)
    signal.signal(signal.SIGTERM, ring)
    return read


def _rung(bell: int, seconds: float) -> bool:
    readable, _, _ = select.select([bell], [], [], seconds)
    if readable:
        os.read(bell, 1)
    return bool(readable)


def _wait_for_the_end(bell: int, parent: int) -> bool:
    """Until a signal, or until the parent is gone: is it gone?"""
    while os.getppid() == parent:
        if _rung(bell, PARENT_POLL):
            return False
    return True


def _wait_for_work(servicer: Servicer, bell: int) -> None:
    """Until no request is at work, GRACE is over, or a second signal says now."""
    end = time.monotonic() + GRACE
    while time.monotonic() < end and not servicer.active.wait_until_idle(0.05) and not _rung(bell, 0):
        pass


def _end_children() -> None:
    """End what the work has started. A survivor would keep the engine waiting on our output pipe.

    Only where this process leads its own group, as it does below the engine: never signal strangers.
    """
    if os.getpgrp() != os.getpid() or not _has_children():
        return
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    end = time.monotonic() + CHILD_GRACE
    while time.monotonic() < end and _has_children():
        time.sleep(0.02)
    if _has_children():
        os.killpg(0, signal.SIGKILL)


def _has_children() -> bool:
    """Reaps what has ended; whether anything is left."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True
