"""Application Auto Scaling, as far as a release has to know of it: which services have a scalable target.

Nothing is scaled here, and there are no policies: any other request gets an error. Targets are kept in a file.
Sources: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html,
API_DescribeScalableTargets.html and API_DeregisterScalableTarget.html there.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local_aws.emulator.wire import Response, ServiceError, StateFile, json_error, json_response

SERVICE = "application-autoscaling"
PREFIX = "AnyScaleFrontendService"
"""Before the action's name in X-Amz-Target."""

KEY = ("ServiceNamespace", "ResourceId", "ScalableDimension")
Target = dict[str, Any]


class Targets:
    """Scalable targets of all accounts, by account, region, namespace, resource and dimension."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._lock = threading.Lock()

    def perform(self, action: str, body: Mapping[str, Any], scope: str) -> dict[str, Any]:
        """Answer one request. Raises ServiceError."""
        actions: Mapping[str, Callable[[list[Target], Mapping[str, Any], str], dict[str, Any]]] = {
            "RegisterScalableTarget": _register,
            "DescribeScalableTargets": _describe,
            "DeregisterScalableTarget": _deregister,
        }
        if action not in actions:
            raise ServiceError("UnknownOperationException", f"The local cloud does not carry {action}.")
        with self._lock:
            known: list[Target] = self._file.load() or []
            answer = actions[action](known, body, scope)
            if action != "DescribeScalableTargets":
                self._file.save(known)
        return answer


def _register(known: list[Target], body: Mapping[str, Any], scope: str) -> dict[str, Any]:
    there = _find(known, body, scope)
    limits = {name: int(body[name]) for name in ("MinCapacity", "MaxCapacity") if name in body}
    if there is None:
        if len(limits) < 2:
            raise ServiceError("ValidationException", "MinCapacity and MaxCapacity are required for a new target.")
        there = {"scope": scope, "CreationTime": time.time(), **{name: body[name] for name in KEY}}
        known.append(there)
    there.update(limits)
    if there["MinCapacity"] > there["MaxCapacity"]:
        raise ServiceError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
    return {"ScalableTargetARN": f"arn:aws:{SERVICE}:{scope}:scalable-target/{there['ResourceId']}"}


def _describe(known: list[Target], body: Mapping[str, Any], scope: str) -> dict[str, Any]:
    wanted = [
        each
        for each in known
        if each["scope"] == scope
        and each["ServiceNamespace"] == body.get("ServiceNamespace")
        and each["ResourceId"] in (body.get("ResourceIds") or [each["ResourceId"]])
        and each["ScalableDimension"] == body.get("ScalableDimension", each["ScalableDimension"])
    ]
    return {"ScalableTargets": [{name: value for name, value in each.items() if name != "scope"} for each in wanted]}


def _deregister(known: list[Target], body: Mapping[str, Any], scope: str) -> dict[str, Any]:
    there = _find(known, body, scope)
    if there is None:
        raise ServiceError("ObjectNotFoundException", f"No scalable target found for {body.get('ResourceId')}")
    known.remove(there)
    return {}


def _find(known: list[Target], body: Mapping[str, Any], scope: str) -> Target | None:
    missing = [name for name in KEY if not body.get(name)]
    if missing:
        raise ServiceError("ValidationException", f"{missing[0]} is required.")
    mine = [each for each in known if each["scope"] == scope]
    return next((each for each in mine if all(each[name] == body[name] for name in KEY)), None)


def install(folder: Path) -> None:
    """Add it to ministack's services: it has none of that name."""
    from ministack import app
    from ministack.core import router
    from ministack.core.responses import get_account_id, get_region

    targets = Targets(StateFile(folder / "scalable-targets.json"))

    async def handle_request(
        _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query: Mapping[str, Any]
    ) -> Response:
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        scope = f"{get_region()}:{get_account_id()}"
        return await asyncio.to_thread(answer, targets, action, body, scope)

    app.SERVICE_HANDLERS[SERVICE] = handle_request
    router.SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [PREFIX]}


def answer(targets: Targets, action: str, body: bytes, scope: str) -> Response:
    """Wire in, wire out."""
    try:
        return json_response(targets.perform(action, json.loads(body or b"{}"), scope))
    except ServiceError as error:
        return json_error(error)
