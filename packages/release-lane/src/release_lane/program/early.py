"""What is asked before anybody needs the answers, while this program still loads.

The engine starts a provider when it is first asked something, and providers one after the other; and it takes a while
to open another stack's state, whose secrets may need a slow key. Neither needs the settings, whose parser takes a
while to load. So both go on at once.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import pulumi

# Underscored, but the only way to wait in a program that is not a coroutine; it is what `pulumi.runtime.invoke` itself
# uses, and the SDK's version is pinned.
from pulumi.runtime.sync_await import _sync_await

Question = tuple[str, Mapping[str, Any]]
"""A function's token, and its arguments."""

READY = "release:index:ready"
STACK_OUTPUTS = "pulumi:pulumi:readStackOutputs"

_asked: dict[str, asyncio.Task[dict[str, Any] | Exception]] = {}


def questions(config: Mapping[str, str]) -> list[Question]:
    """What every update of a stack with this raw configuration will ask for, known without parsing it."""
    project = pulumi.get_project()
    if config.get(f"{project}:role") == "artifacts":
        return [(READY, {})]
    # In this order: the engine is done with the outputs sooner than with the start of a provider.
    return [outputs_of(config.get(f"{project}:artifacts") or "artifacts"), (READY, {})]


def outputs_of(stack: str) -> Question:
    """Asks for the outputs of a stack of this project."""
    return STACK_OUTPUTS, {"name": f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"}


def loaded(module: str, ahead: Sequence[Question]) -> ModuleType:
    """Import `module` in a thread, while the engine is asked `ahead`."""

    async def both() -> ModuleType:
        for question in ahead:
            _asked[_key(question)] = asyncio.ensure_future(_outcome(question))
        return await asyncio.to_thread(importlib.import_module, module)

    return _sync_await(both())


async def answer(question: Question) -> dict[str, Any]:
    """The answer, asked for now unless it was asked for ahead. Each is given once. Raises what the SDK raises."""
    asked = _asked.pop(_key(question), None)
    found = await (asked or _outcome(question))
    if isinstance(found, Exception):
        raise found
    return found


async def _outcome(question: Question) -> dict[str, Any] | Exception:
    """An error is kept like an answer: nobody may ever ask for it."""
    token, arguments = question
    try:
        return dict(await pulumi.runtime.invoke_async(token, dict(arguments)) or {})
    except Exception as error:
        return error


def _key(question: Question) -> str:
    return json.dumps(question, sort_keys=True)
