"""The HTTP side: AWS's query protocol in, XML out. `handle_request` is what ministack calls."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from local_aws.emulator.elbv2.query import Params, parse
from local_aws.emulator.elbv2.service import Scope, Service
from local_aws.emulator.wire import Response, ServiceError, query_error, query_response

NAMESPACE = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"
VERSION = "2015-12-01"
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([a-z0-9-]+)/")
ACCOUNT, REGION = "000000000000", "us-east-1"

log = logging.getLogger("elbv2")
_service: Service | None = None


def attach(service: Service | None) -> None:
    """The service that answers from now on."""
    global _service
    _service = service


async def handle_request(
    _method: str, _path: str, headers: Mapping[str, str], body: bytes | str, query_params: Mapping[str, Any]
) -> Response:
    """ministack's signature. In a thread, because a change waits for the load balancer."""
    service = _service
    if service is None:
        raise RuntimeError("Elastic Load Balancing is not started: call local_aws.emulator.elbv2.start() first")
    text = body.decode() if isinstance(body, bytes) else body
    form = text or urlencode(query_params, doseq=True)
    return await asyncio.to_thread(answer, service, form, scope_of(headers))


def answer(service: Service, form: str, scope: Scope) -> Response:
    """The response to a form-encoded request."""
    members = parse(form)
    action, version = members.pop("Action", ""), members.pop("Version", VERSION)
    try:
        if version != VERSION:
            raise ServiceError("InvalidAction", f"Version {version} of the API is not served: only {VERSION} is")
        return query_response(str(action), service.perform(str(action), Params(members), scope), NAMESPACE)
    except ServiceError as error:
        return query_error(error, NAMESPACE)
    except Exception as error:
        log.exception("%s failed", action)
        return query_error(ServiceError("InternalFailure", f"{action} failed: {error!r}", 500), NAMESPACE)


def scope_of(headers: Mapping[str, str]) -> Scope:
    """Account and region from the signature: an access key of 12 digits is an account, as everywhere in ministack."""
    lower = {key.lower(): value for key, value in headers.items()}
    found = CREDENTIAL.search(lower.get("authorization", ""))
    if found is None:
        return Scope(ACCOUNT, REGION)
    key, region = found.groups()
    return Scope(key if re.fullmatch(r"\d{12}", key) else ACCOUNT, region)
