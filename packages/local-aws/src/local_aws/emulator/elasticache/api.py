"""The HTTP side: AWS's query protocol in, XML out. `handle_request` is what ministack calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from local_aws.emulator.elasticache.service import Service
from local_aws.emulator.elbv2.api import scope_of
from local_aws.emulator.elbv2.service import Scope
from local_aws.emulator.rds.request import Given, parse
from local_aws.emulator.wire import Response, ServiceError, query_error, query_response

NAMESPACE = "http://elasticache.amazonaws.com/doc/2015-02-02/"
VERSION = "2015-02-02"

log = logging.getLogger("elasticache")
_service: Service | None = None


def attach(service: Service | None) -> None:
    """The service that answers from now on."""
    global _service
    _service = service


async def handle_request(
    _method: str, _path: str, headers: Mapping[str, str], body: bytes | str, query_params: Mapping[str, Any]
) -> Response:
    """ministack's signature. In a thread, because a subnet group asks EC2."""
    service = _service
    if service is None:
        raise RuntimeError("ElastiCache is not started: call local_aws.emulator.elasticache.start() first")
    text = body.decode() if isinstance(body, bytes) else body
    form = text or urlencode(query_params, doseq=True)
    return await asyncio.to_thread(answer, service, form, scope_of(headers))


def answer(service: Service, form: str, scope: Scope) -> Response:
    """The response to a form-encoded request."""
    members = parse(form)
    action, version = str(members.pop("Action", "")), members.pop("Version", VERSION)
    try:
        if version != VERSION:
            raise ServiceError("InvalidAction", f"Version {version} of the API is not served: only {VERSION} is")
        return query_response(action, service.perform(action, Given(members), scope), NAMESPACE)
    except ServiceError as error:
        return query_error(error, NAMESPACE)
    except Exception as error:
        log.exception("%s failed", action)
        return query_error(ServiceError("InternalFailure", f"{action} failed: {error!r}", 500), NAMESPACE)
