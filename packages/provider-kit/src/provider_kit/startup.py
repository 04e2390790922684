"""The start of a plugin's process, kept short: the engine starts every plugin anew for every command.

`begin()` before anything else is imported, `done()` when everything is.
"""

from __future__ import annotations

import gc
import sys
from types import ModuleType


def begin() -> None:
    """Let the collector wait, and load gRPC without its half for asyncio, which a plugin does not use."""
    gc.disable()  # what is loaded now stays: looking for garbage in it would take a tenth of the start
    _load_grpc()


def _load_grpc() -> None:
    """`import grpc` would load asyncio, ssl and what belongs to them: 40 ms, half of it all.

    The empty stand-ins are taken away again, so a later `import asyncio` gets the real one. `grpc.aio` cannot be used
    in this process any more.
    """
    halves = [name for name in ("asyncio", "grpc.aio") if name not in sys.modules]
    sys.modules.update({name: ModuleType(name) for name in halves})
    try:
        import grpc  # noqa: F401
    finally:
        for name in halves:
            del sys.modules[name]


def done() -> None:
    """Collect again, but not among what was loaded."""
    gc.freeze()
    gc.enable()
