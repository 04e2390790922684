"""What load balancers ask of other services in this process: ACM for certificates, S3 for a place for access logs."""

from __future__ import annotations

import fnmatch
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from local_aws.emulator import acm
from local_aws.emulator.elbv2 import network
from local_aws.emulator.elbv2.actions.call import Fitness
from local_aws.emulator.elbv2.service import Neighbours
from local_aws.emulator.query import Scope
from local_aws.emulator.wire import ServiceError

LOG_DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com"
ACCOUNTS: Mapping[str, str] = {"us-east-1": "127311923021"}
"""Elastic Load Balancing's own account in a region, as older bucket policies name it; this cloud has one region."""


def fitness(arn: str, scope: Scope) -> Fitness:
    """Whether ACM has it, and whether a listener can serve with it now."""
    service = acm.running()
    found = service.find(arn, scope.account, scope.region) if service else None
    if found is None:
        return Fitness.MISSING
    return Fitness.FIT if found.status(time.time()) == "ISSUED" else Fitness.UNFIT


def pem(arn: str) -> str | None:
    """What a load balancer serves with; None if the certificate is gone."""
    service = acm.running()
    found = service.material(arn) if service else None
    return found.pem if found else None


# ---------------------------------------------------------------- access logs


def log_to(bucket: str, prefix: str, scope: Scope) -> None:
    """Write the test object that AWS writes. Raises ServiceError InvalidConfigurationRequest.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    """
    status, policy = _s3("GET", f"/{bucket}", scope, query={"policy": [""]})
    if status == 404 and b"NoSuchBucketPolicy" not in policy:
        raise ServiceError("InvalidConfigurationRequest", f"The S3 bucket does not exist: {bucket}")
    key = "/".join(part for part in (prefix, "AWSLogs", scope.account, "ELBAccessLogTestFile") if part)
    if status >= 300 or not permits(json.loads(policy), f"arn:aws:s3:::{bucket}/{key}", scope.region):
        raise ServiceError(
            "InvalidConfigurationRequest", f"Access Denied for bucket: {bucket}. Please check S3bucket permission"
        )
    _s3("PUT", f"/{bucket}/{key}", scope, f"Enable AccessLog for ELB: {bucket}".encode())


def permits(policy: Mapping[str, Any], object_arn: str, region: str) -> bool:
    """Whether a bucket's policy lets Elastic Load Balancing write this object. Conditions are not looked at."""
    ours = [one for one in _listed(policy.get("Statement")) if _concerns(one, object_arn, region)]
    allowed = any(one.get("Effect") == "Allow" for one in ours)
    return allowed and not any(one.get("Effect") == "Deny" for one in ours if not one.get("Condition"))


def _concerns(statement: Mapping[str, Any], object_arn: str, region: str) -> bool:
    actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
    account = ACCOUNTS.get(region, "")
    ours = {LOG_DELIVERY, "*"} | ({account, f"arn:aws:iam::{account}:root"} if account else set())
    return (
        bool(ours & set(_principals(statement.get("Principal"))))
        and any(fnmatch.fnmatchcase("s3:putobject", str(one).lower()) for one in actions)
        and any(fnmatch.fnmatchcase(object_arn, str(one)) for one in resources)
    )


def _principals(given: Any) -> Iterator[str]:
    match given:
        case str():
            yield given
        case Mapping():
            for kind in given.values():
                yield from map(str, _listed(kind))
        case _:
            return


def _listed(value: Any) -> list[Any]:
    match value:
        case None:
            return []
        case list():
            return value
        case _:
            return [value]


def _s3(
    method: str, path: str, scope: Scope, body: bytes = b"", query: Mapping[str, list[str]] | None = None
) -> tuple[int, bytes]:
    from ministack import app
    from ministack.core.responses import request_scope

    with request_scope(scope.account, scope.region):
        handler = app.SERVICE_HANDLERS["s3"]
        status, _, answer = app.call_service_handler_sync(handler, method, path, {}, body, query or {})
    return status, answer


NEIGHBOURS = Neighbours(find_subnets=network.find_subnets, fitness=fitness, log_to=log_to)
