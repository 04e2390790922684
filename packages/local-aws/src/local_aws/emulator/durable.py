"""ministack stores its state at an orderly end only. Here a change is answered when it is stored.

So an emulator that was killed comes back with all that it ever confirmed: the networks, roles and images that Pulumi's
state speaks of. Changes that come together are stored together. Log lines and metrics are too many to be stored each
time: they are kept from one orderly end to the next start, and lost where the emulator is killed in between.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from local_aws.emulator.wire import Response

Handler = Callable[..., Awaitable[Response]]
READS = re.compile(r"(Describe|Get|List|BatchGet|BatchCheck|Head|Lookup|Search|Filter|Query|Simulate|Decode|Assume)")
LOGS = "cloudwatch_logs"
NO_LINES = (
    *("destinations", "resource_policies", "log_group_policies", "metric_filters", "queries"),
    *("delivery_sources", "delivery_destinations", "deliveries"),
)
"""What it keeps besides its groups, and besides the place of each line."""
MANY = frozenset({"PutLogEvents", "CreateLogStream", "PutMetricData"})
logger = logging.getLogger("durable")
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
    """Stores the state of services that were changed. Used from the event loop only."""

    def __init__(self, save: Callable[[str], Awaitable[None]]) -> None:
        """`save` stores the state of one service, by its key, as it is when it is called."""
        self._save = save
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._saving: asyncio.Task[None] | None = None

    async def stored(self, key: str) -> None:
        """Returns when the service's state, as it is now or later, was stored (or could not be: that is in the log)."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(done)
        if self._saving is None or self._saving.done():
            self._saving = asyncio.get_running_loop().create_task(self._save_all())
        await done

    async def _save_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            for key, futures in waiting.items():
                try:
                    await self._save(key)
                except Exception:
                    logger.exception("the state of %s was not stored", key)
                for each in futures:
                    if not each.done():  # the caller may have gone
                        each.set_result(None)


async def save(key: str) -> None:
    """A service's state, by ministack's own means."""
    from ministack import app
    from ministack.core.persistence import save_state

    module = app._get_module(app._state_map[key])
    state = without_lines(module) if key == LOGS else module.get_state()  # a copy, made on the loop: consistent
    if state is not None:
        await asyncio.to_thread(save_state, key, state)


def without_lines(module: Any) -> dict[str, Any]:
    """The state of ministack's log service, with empty streams. A session's lines are tens of megabytes, and while they
    are copied no request is answered."""
    groups = module._log_groups
    empty: dict[int, Any] = {
        id(stream["events"]): [] for _, group in groups.all_items() for stream in group["streams"].values()
    }
    return {
        "log_groups": copy.deepcopy(groups, empty),  # what is in the memo counts as copied
        **{name: copy.deepcopy(getattr(module, f"_{name}")) for name in NO_LINES},
    }


def install(own: frozenset[str]) -> None:
    """Watch every service of ministack's except our `own`, and pushes to its registry."""
    from ministack import app
    from ministack.services import ecr

    saver, keys = Saver(save), {module: key for key, module in app._state_map.items()}
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
            await saver.stored(key)
        return response

    return handle


def watched_registry(handler: Handler, saver: Saver) -> Handler:
    """A push is complete with its manifest."""

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
    ) -> Response:
        response = await handler(method, path, headers, body, query)
        if "/manifests/" in path and method in ("PUT", "DELETE"):
            await saver.stored("ecr")
        return response

    return handle
