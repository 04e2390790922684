"""ministack's IAM, corrected where a role takes only so much: all inline policies together, blanks not counted.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import parse
from local_aws.emulator.wire import Response, ServiceError, query_error

MOST = 10_240
NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"


def install() -> None:
    """Put our handler before ministack's."""
    from ministack import app

    app.SERVICE_HANDLERS["iam"] = handle_request


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> Response:
    from ministack.services import iam

    params = Params(parse(body.decode(errors="replace") if body else urlencode(query, doseq=True)))
    role = iam._roles.get(params.text("RoleName"))
    try:
        if params.text("Action") == "PutRolePolicy" and role:
            known = {**role["InlinePolicies"], params.text("PolicyName"): params.text("PolicyDocument")}
            check_policies(params.text("RoleName"), known)
    except ServiceError as error:
        return query_error(error, NAMESPACE)
    answer: Response = await iam.handle_request(method, path, headers, body, query)
    return answer


def check_policies(role: str, policies: Mapping[str, str]) -> None:
    """By name, as text."""
    if sum(len("".join(text.split())) for text in policies.values()) > MOST:
        raise ServiceError("LimitExceeded", f"Maximum policy size of {MOST} bytes exceeded for role {role}", 409)
