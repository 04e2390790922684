"""ministack's EC2, corrected where a network that a killed update left must not be made a second time, and in what
AWS refuses of address ranges and rules.

- A subnet's addresses lie within its VPC's, and are no other subnet's: InvalidSubnet.Range, InvalidSubnet.Conflict.
- A VPC has one internet gateway at most: InvalidParameterValue.
- A VPC's range has a size from /16 to /28: InvalidVpc.Range.
- A security group's ranges are IPv4 or IPv6 ranges, each in its own place: InvalidParameterValue; and it has 60 inbound
  rules: RulesPerSecurityGroupLimitExceeded. A rule that is there may be added again; AWS refuses it.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

from local.emulator.elbv2.query import Params, parse
from local.emulator.wire import Response, ServiceError


def install() -> None:
    """Put our handler before ministack's."""
    from ministack import app

    app.SERVICE_HANDLERS["ec2"] = handle_request


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> Response:
    from ministack.services import ec2

    text = body.decode(errors="replace") if body else urlencode(query, doseq=True)
    params = Params(parse(text))
    ec2._ensure_defaults_initialized()  # ministack's own handler does so first
    try:
        match params.text("Action"):
            case "CreateSubnet":
                vpc = ec2._vpcs.get(params.text("VpcId"))
                within = str(vpc["CidrBlock"]) if vpc else ""
                beside = [each["CidrBlock"] for each in ec2._subnets.values() if each["VpcId"] == params.text("VpcId")]
                check_subnet(params.text("CidrBlock"), within, beside)
            case "CreateVpc":
                check_vpc(params.text("CidrBlock"))
            case "AuthorizeSecurityGroupIngress":
                group = ec2._security_groups.get(params.text("GroupId"))
                if group:
                    check_ingress(rules_in(ec2._parse_ip_permissions(_lists(text), "IpPermissions")), group)
            case "AttachInternetGateway":
                check_gateway(params.text("VpcId"), ec2._internet_gateways.values())
    except ServiceError as error:
        refused: Response = ec2._error(error.code, error.message, error.status)
        return refused
    answer: Response = await ec2.handle_request(method, path, headers, body, query)
    return answer


def check_subnet(cidr: str, within: str, beside: Iterable[str]) -> None:
    """`within`: the VPC's range, "" where ministack says by itself that there is no such VPC."""
    try:
        wanted = ipaddress.IPv4Network(cidr)
    except ValueError:
        return  # ministack says what is wrong, or takes its default
    if within and not wanted.subnet_of(ipaddress.IPv4Network(within)):
        raise ServiceError("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
    if any(wanted.overlaps(ipaddress.IPv4Network(each)) for each in beside):
        raise ServiceError("InvalidSubnet.Conflict", f"The CIDR '{cidr}' conflicts with another subnet")


def check_vpc(cidr: str) -> None:
    """What is no range at all, ministack refuses."""
    with contextlib.suppress(ValueError):
        if not 16 <= ipaddress.IPv4Network(cidr, strict=False).prefixlen <= 28:
            raise ServiceError("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")


Rule = tuple[str, str, str, str]
"""Protocol, ports, and from where."""

MOST_RULES = 60


def rules_in(permissions: Iterable[Mapping[str, Any]]) -> list[Rule]:
    """One for each place that traffic may come from, as AWS counts them."""
    places = {
        "IpRanges": "CidrIp",
        "Ipv6Ranges": "CidrIpv6",
        "PrefixListIds": "PrefixListId",
        "UserIdGroupPairs": "GroupId",
    }
    return [
        (str(each["IpProtocol"]), f"{each.get('FromPort', '')}-{each.get('ToPort', '')}", key, str(place.get(key)))
        for each in permissions
        for among, key in places.items()
        for place in each.get(among) or ()
    ]


def check_ingress(wanted: Sequence[Rule], group: Mapping[str, Any]) -> None:
    """`group`: as ministack keeps it."""
    for *_, key, place in wanted:
        kinds = {"CidrIp": ipaddress.IPv4Network, "CidrIpv6": ipaddress.IPv6Network}
        if key in kinds:
            try:
                kinds[key](place, strict=False)
            except ValueError:
                raise ServiceError("InvalidParameterValue", f"CIDR block {place} is malformed") from None
    if len({*rules_in(group["IpPermissions"]), *wanted}) > MOST_RULES:
        words = "The maximum number of rules per security group has been reached."
        raise ServiceError("RulesPerSecurityGroupLimitExceeded", words)


def _lists(text: str) -> dict[str, list[str]]:
    """As ministack hands parameters about."""
    return parse_qs(text, keep_blank_values=True)


def check_gateway(vpc: str, gateways: Iterable[Mapping[str, Any]]) -> None:
    """`gateways`: all of this account and region."""
    if any(each["VpcId"] == vpc for gateway in gateways for each in gateway.get("Attachments") or ()):
        raise ServiceError("InvalidParameterValue", f"Network {vpc} already has an internet gateway attached")
