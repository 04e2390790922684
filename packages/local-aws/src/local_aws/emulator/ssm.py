"""ministack's Parameter Store, corrected where a parameter's tier takes only so much of a value.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_aws.emulator.durable import action_of
from local_aws.emulator.wire import Response, ServiceError, json_error

MOST = {"Standard": 4096, "Advanced": 8192}
"""Of a value, by tier. AWS counts characters, and calls them so."""


def install() -> None:
    """Put our handler before ministack's."""
    from ministack import app

    app.SERVICE_HANDLERS["ssm"] = handle_request


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> Response:
    from ministack.services import ssm

    if action_of(headers, body, query) == "PutParameter" and (given := _object(body)):
        name, value = str(given.get("Name", "")), str(given.get("Value", ""))
        try:
            check_value(value, str(given.get("Tier") or ssm._default_tier(given, value, ssm._parameters.get(name))))
        except ServiceError as error:
            return json_error(error)
    answer: Response = await ssm.handle_request(method, path, headers, body, query)
    return answer


def _object(body: bytes) -> dict[str, Any]:
    """Empty for what is none: ministack says so."""
    try:
        given = json.loads(body)
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def check_value(value: str, tier: str) -> None:
    """Intelligent-Tiering takes what the largest tier takes."""
    if len(value) <= (most := MOST.get(tier, MOST["Advanced"])):
        return
    larger = "" if most == MOST["Advanced"] else " To create a larger parameter value, use the advanced-parameter tier."
    named = tier if tier in MOST else "Advanced"
    raise ServiceError(
        "ValidationException",
        f"{named} tier parameters support a maximum parameter value of {most} characters.{larger}",
    )
