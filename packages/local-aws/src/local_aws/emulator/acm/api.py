"""The HTTP side: AWS's JSON protocol. `handle_request` is what ministack calls."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

from local_aws.emulator.acm.service import Service
from local_aws.emulator.query import Scope, scope_of
from local_aws.emulator.wire import Response, ServiceError, json_error, json_response

log = logging.getLogger("acm")
_service: Service | None = None


def attach(service: Service | None) -> None:
    """The service that answers from now on."""
    global _service
    _service = service


async def handle_request(
    _method: str, _path: str, headers: Mapping[str, str], body: bytes | str, _query: Mapping[str, Any]
) -> Response:
    """ministack's signature. In a thread, because keys take a while to make."""
    service = _service
    if service is None:
        raise RuntimeError("ACM is not started: call local_aws.emulator.acm.start() first")
    lower = {key.lower(): value for key, value in headers.items()}
    action = lower.get("x-amz-target", "").rpartition(".")[2]
    return await asyncio.to_thread(answer, service, action, body or b"{}", scope_of(headers))


def answer(service: Service, action: str, body: bytes | str, scope: Scope) -> Response:
    """Wire in, wire out."""
    try:
        return json_response(service.perform(action, json.loads(body), scope.account, scope.region))
    except json.JSONDecodeError:
        return json_error(ServiceError("SerializationException", "The request is not JSON"))
    except ServiceError as error:
        return json_error(error)
    except Exception as error:
        log.exception("%s failed", action)
        return json_error(ServiceError("InternalFailure", f"{action} failed: {error!r}", 500))
