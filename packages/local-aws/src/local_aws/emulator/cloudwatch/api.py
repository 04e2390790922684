"""The HTTP side. `handle_request` is what ministack calls.

One action is the local cloud's own: LocalMetricsClock (Period, Delay), the switch of `cloudwatch/__init__.py`.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any

from local_aws.emulator.cloudwatch import protocol
from local_aws.emulator.cloudwatch.model import Scope
from local_aws.emulator.cloudwatch.request import Members
from local_aws.emulator.cloudwatch.service import Service
from local_aws.emulator.wire import Response, ServiceError

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([a-z0-9-]+)/")
ACCOUNT, REGION = "000000000000", "us-east-1"

log = logging.getLogger("cloudwatch")
_service: Service | None = None


def attach(service: Service | None) -> None:
    """The service that answers from now on."""
    global _service
    _service = service


async def handle_request(
    _method: str, path: str, headers: Mapping[str, str], body: bytes | str, query_params: Mapping[str, Any]
) -> Response:
    """ministack's signature. In a thread: actions of an alarm wait for other services."""
    service = _service
    if service is None:
        raise RuntimeError("CloudWatch is not started: call local_aws.emulator.cloudwatch.start() first")
    lower = {key.lower(): value for key, value in headers.items()}
    content = body.encode() if isinstance(body, str) else body or b""
    return await asyncio.to_thread(answer, service, path, lower, content, query_params)


def answer(service: Service, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> Response:
    """`headers`: names in lower case."""
    spoken = protocol.protocol_of(headers)
    try:
        request = protocol.read(path, headers, body, query)
        return protocol.write(request, service.perform(request.action, Members(request.members), scope_of(headers)))
    except ServiceError as error:
        return protocol.refuse(spoken, error)
    except Exception as error:
        log.exception("a request failed: %s", path)
        return protocol.refuse(spoken, ServiceError("InternalServiceError", f"It failed: {error!r}", 500))


def scope_of(headers: Mapping[str, str]) -> Scope:
    """Account and region from the signature: an access key of 12 digits is an account, as everywhere in ministack."""
    found = CREDENTIAL.search(headers.get("authorization", ""))
    if found is None:
        return Scope(ACCOUNT, REGION)
    key, region = found.groups()
    return Scope(key if re.fullmatch(r"\d{12}", key) else ACCOUNT, region)
