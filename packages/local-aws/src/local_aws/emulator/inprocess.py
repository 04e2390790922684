"""Calls from our services' threads to ministack's own services, without a network in between."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from local_aws.emulator.wire import ServiceError

TARGETS = {"logs": "Logs_20140328", "ssm": "AmazonSSM", "secretsmanager": "secretsmanager"}


def wait_until_served(port: int, pause: float = 0.05) -> None:
    """Until ministack answers. Before, it has not read what it kept: it knows no secret of an earlier process."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=5):
                return
        except OSError:
            time.sleep(pause)


def call(service: str, action: str, payload: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    """One JSON-protocol action for this account and region. Never from the event loop's own thread.

    Raises ServiceError with the service's error code.
    """
    # not before the first call: ministack reads the environment when it is imported
    from ministack import app
    from ministack.core.responses import request_scope

    headers = {
        "x-amz-target": f"{TARGETS[service]}.{action}",
        "content-type": "application/x-amz-json-1.1",
    }
    body = json.dumps(payload).encode()
    with request_scope(account, region):
        status, _, answer = app.call_service_handler_sync(app.SERVICE_HANDLERS[service], "POST", "/", headers, body, {})
    found: dict[str, Any] = json.loads(answer or b"{}")
    if status >= 300:
        code = str(found.get("__type", "InternalError")).rsplit("#", 1)[-1]
        raise ServiceError(code, str(found.get("message") or found.get("Message") or answer), status)
    return found
