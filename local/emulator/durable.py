"""ministack stores its state at an orderly end only. Here each service's is stored soon after it changed.

So an emulator that was killed comes back with the networks, roles and images that Pulumi's state speaks of. Log
lines and metrics are too many to store each time: they are kept from one orderly end to the next start.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from local.emulator.wire import Response

Handler = Callable[..., Awaitable[Response]]
SOON = 0.3  # seconds in which changes are gathered
READS = re.compile(r"(Describe|Get|List|BatchGet|BatchCheck|Head|Lookup|Search|Filter|Query|Simulate|Decode|Assume)")
MANY = frozenset({"PutLogEvents", "CreateLogStream", "PutMetricData"})
ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


def action_of(headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> str:
    """The action's name in ministack's JSON and query protocols; "" for REST services."""
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2]
    if found := ACTION.search(body or b""):
        return found[1].decode()
    given = query.get("Action") or [""]
    return str(given[0] if isinstance(given, list) else given)


def changes(method: str, action: str) -> bool:
    """Whether such a request may have changed what should be stored."""
    if action:
        return not READS.match(action) and action not in MANY
    return method not in ("GET", "HEAD", "OPTIONS")


class Saver:
    """Stores the state of services that were touched. Used from the event loop only."""

    def __init__(self) -> None:
        self._touched: set[str] = set()
        self._saving: asyncio.Task[None] | None = None

    def touch(self, state_key: str) -> None:
        self._touched.add(state_key)
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save_soon())

    async def _save_soon(self) -> None:
        from ministack import app
        from ministack.core.persistence import save_state

        while self._touched:
            await asyncio.sleep(SOON)
            touched, self._touched = self._touched, set()
            for key in touched:
                state = app._get_module(app._state_map[key]).get_state()  # a copy, made on the loop: consistent
                if state is not None:
                    await asyncio.to_thread(save_state, key, state)


def install(own: frozenset[str]) -> None:
    """Watch every service of ministack's except our `own`, and pushes to its registry."""
    from ministack import app
    from ministack.services import ecr

    saver, keys = Saver(), {module: key for key, module in app._state_map.items()}
    for name, handler in list(app.SERVICE_HANDLERS.items()):
        if name not in own and app.SERVICE_REGISTRY[name]["module"] in keys:
            app.SERVICE_HANDLERS[name] = watched(handler, saver, keys[app.SERVICE_REGISTRY[name]["module"]])
    ecr.handle_registry_request = watched_registry(ecr.handle_registry_request, saver)


def watched(handler: Handler, saver: Saver, key: str) -> Handler:
    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Response:
        response = await handler(method, path, headers, body, query)
        if changes(method, action_of(headers, body, query)):
            saver.touch(key)
        return response

    return handle


def watched_registry(handler: Handler, saver: Saver) -> Handler:
    """A push is complete with its manifest."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Response:
        response = await handler(method, path, headers, body, query)
        if "/manifests/" in path and method in ("PUT", "DELETE"):
            saver.touch("ecr")
        return response

    return handle
