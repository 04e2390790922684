"""The functions (data sources) that the program calls."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from provider_kit import Context, Props, UserError
from provider_kit.resource import Function

from local_aws.standins.aws.door import Door

Answer = Callable[[Door, Props], Props]


def _caller(door: Door, _args: Props) -> Props:
    who = door.client("sts").get_caller_identity()
    return {"id": who["Account"], "accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"]}


def _region(door: Door, args: Props) -> Props:
    region = args.get("region") or args.get("name") or door.region
    endpoint = f"ec2.{region}.amazonaws.com"
    return {"id": region, "name": region, "region": region, "endpoint": endpoint, "description": region}


def _zones(door: Door, args: Props) -> Props:
    region = args.get("region") or door.region
    filters = [{"Name": one["name"], "Values": list(one["values"])} for one in args.get("filters") or ()]
    answer = door.client("ec2", region).describe_availability_zones(Filters=filters)
    zones = sorted(
        (zone for zone in answer["AvailabilityZones"] if _is_asked_for(zone, args)),
        key=lambda zone: str(zone["ZoneName"]),
    )
    return args | {
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone.get("GroupName") or zone["ZoneName"] for zone in zones}),
    }


def _is_asked_for(zone: Mapping[str, Any], args: Props) -> bool:
    return (
        args.get("state") in (None, zone["State"])
        and zone["ZoneName"] not in (args.get("excludeNames") or ())
        and zone["ZoneId"] not in (args.get("excludeZoneIds") or ())
    )


def _authorization(door: Door, args: Props) -> Props:
    region = args.get("region") or door.region
    (data,) = door.client("ecr", region).get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    return args | {
        "id": region,
        "region": region,
        "authorizationToken": data["authorizationToken"],
        "expiresAt": str(data.get("expiresAt", "")),
        "proxyEndpoint": data["proxyEndpoint"],
        "userName": user,
        "password": password,
    }


FUNCTIONS: Final[Mapping[str, tuple[frozenset[str], Answer]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": (frozenset({"id"}), _caller),
    "aws:index/getRegion:getRegion": (frozenset({"region", "name", "id"}), _region),
    "aws:index/getAvailabilityZones:getAvailabilityZones": (
        frozenset({"region", "state", "filters", "excludeNames", "excludeZoneIds"}),
        _zones,
    ),
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": (
        frozenset({"region", "registryId"}),
        _authorization,
    ),
}
"""Token -> (the arguments that it takes, what answers it)."""

SECRET_RESULTS: Final[Mapping[str, frozenset[str]]] = {
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": frozenset({"authorizationToken", "password"})
}


def functions(door: Door) -> Mapping[str, Function]:
    """All functions, through `door`."""
    return {token: _strict(token, taken, door, answer) for token, (taken, answer) in FUNCTIONS.items()}


def _strict(token: str, taken: frozenset[str], door: Door, answer: Answer) -> Function:
    def function(_ctx: Context, args: Props) -> Props:
        unknown = ", ".join(sorted(args.keys() - taken))
        if unknown:
            raise UserError(f"{token}: {unknown}: not served by the local cloud's stand-in for pulumi-aws")
        return answer(door, args)

    return function
