"""ministack's EC2, corrected where a network that a killed update left must not be made a second time, and in what
AWS refuses of address ranges and rules.

- A subnet's addresses lie within its VPC's, and are no other subnet's: InvalidSubnet.Range, InvalidSubnet.Conflict.
- A VPC has one internet gateway at most: InvalidParameterValue.
- A route table has one route to a range: RouteAlreadyExists.
- Elastic addresses, NAT gateways and VPC endpoints: egress.py.
- A VPC's range has a size from /16 to /28: InvalidVpc.Range.
- A security group's ranges are IPv4 or IPv6 ranges, each in its own place: InvalidParameterValue; and it has 60 inbound
  rules: RulesPerSecurityGroupLimitExceeded. It takes no rule that it has: InvalidPermission.Duplicate.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from local_aws.emulator import egress
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import parse
from local_aws.emulator.wire import Response, ServiceError

Essence = tuple[str, str, str, tuple[str, ...]]
"""Protocol, first and last port, sources."""

SOURCES = {
    "IpRanges": "CidrIp",
    "Ipv6Ranges": "CidrIpv6",
    "PrefixListIds": "PrefixListId",
    "UserIdGroupPairs": "GroupId",
}
"""Of an IpPermission: list to the key of what is let in."""


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
                taken = [each["CidrBlock"] for each in ec2._subnets.values() if each["VpcId"] == params.text("VpcId")]
                check_subnet(params.text("CidrBlock"), within, taken)
            case "CreateVpc":
                check_vpc(params.text("CidrBlock"))
            case "AuthorizeSecurityGroupIngress" | "ModifySecurityGroupRules":
                _check_rules(parse_qs(text), params.text("GroupId"))
            case "AttachInternetGateway":
                check_gateway(params.text("VpcId"), ec2._internet_gateways.values())
            case "CreateRoute":
                check_route(params, ec2._route_tables.get(params.text("RouteTableId")))
        found = egress.answers(params, ec2)
    except ServiceError as error:
        refused: Response = ec2._error(error.code, error.message, error.status)
        return refused
    if found is not None:
        own: Response = ec2._xml(200, f"{params.text('Action')}Response", egress.xml(found))
        return own
    answer: Response = await ec2.handle_request(method, path, headers, body, query)
    return answer


def check_subnet(cidr: str, within: str, taken: Iterable[str]) -> None:
    """`within`: the VPC's range, "" where ministack says by itself that there is no such VPC."""
    try:
        wanted = ipaddress.IPv4Network(cidr)
    except ValueError:
        return  # ministack says what is wrong, or takes its default
    if within and not wanted.subnet_of(ipaddress.IPv4Network(within)):
        raise ServiceError("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
    if any(wanted.overlaps(ipaddress.IPv4Network(each)) for each in taken):
        raise ServiceError("InvalidSubnet.Conflict", f"The CIDR '{cidr}' conflicts with another subnet")


def check_vpc(cidr: str) -> None:
    """What is no range at all, ministack refuses."""
    with contextlib.suppress(ValueError):
        if not 16 <= ipaddress.IPv4Network(cidr, strict=False).prefixlen <= 28:
            raise ServiceError("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")


def _check_rules(given: Mapping[str, list[str]], group: str) -> None:
    """Ingress rules that are added or changed."""
    from ministack.services import ec2

    there = (ec2._security_groups.get(group) or {}).get("IpPermissions") or ()
    known = {ec2._sg_rule_id(group, False, each): essence(each) for each in there}
    added = ec2._parse_ip_permissions(given, "IpPermissions")
    check_ranges(added)
    check_rules({essence(rule): "" for rule in added} | changed(given), known)
    check_room(added, there)


def check_ranges(rules: Iterable[Mapping[str, Any]]) -> None:
    """An IPv4 or IPv6 range is one, and in its own place."""
    for rule in rules:
        for field, kind in (("IpRanges", ipaddress.IPv4Network), ("Ipv6Ranges", ipaddress.IPv6Network)):
            for place in rule.get(field) or ():
                cidr = str(place[SOURCES[field]])
                try:
                    kind(cidr, strict=False)
                except ValueError:
                    raise ServiceError("InvalidParameterValue", f"CIDR block {cidr} is malformed") from None


MOST_RULES = 60


def check_room(added: Iterable[Mapping[str, Any]], there: Iterable[Mapping[str, Any]]) -> None:
    """AWS counts a rule for each place that traffic may come from."""
    places = sum(len(rule.get(field) or ()) for rule in (*added, *there) for field in SOURCES)
    if places > MOST_RULES:
        words = "The maximum number of rules per security group has been reached."
        raise ServiceError("RulesPerSecurityGroupLimitExceeded", words)


def changed(given: Mapping[str, list[str]]) -> dict[Essence, str]:
    """What ModifySecurityGroupRules wants of rules by IPv4 ranges, and the id of the rule that is to become it."""
    found: dict[Essence, str] = {}
    for number in itertools.count(1):
        at = f"SecurityGroupRule.{number}"
        if f"{at}.SecurityGroupRuleId" not in given:
            return found
        parts = ("IpProtocol", "FromPort", "ToPort", "CidrIpv4")
        protocol, low, high, cidr = (given.get(f"{at}.SecurityGroupRule.{part}", [""])[0] for part in parts)
        if cidr:
            found[protocol, low, high, (cidr,)] = given[f"{at}.SecurityGroupRuleId"][0]
    raise AssertionError("never comes here: the numbers do not end")


def essence(rule: Mapping[str, Any]) -> Essence:
    """What makes two rules one to AWS: protocol, ports and source; not the description."""
    sources = [
        value
        for field, key in SOURCES.items()
        for value in sorted(str(each.get(key)) for each in rule.get(field) or () if each.get(key))
    ]
    return str(rule["IpProtocol"]), str(rule.get("FromPort", "")), str(rule.get("ToPort", "")), tuple(sources)


def check_rules(wanted: Mapping[Essence, str], there: Mapping[str, Essence]) -> None:
    """`wanted`: to the id of the rule that becomes it, "" for a new one; `there`: the group's rules by id.

    An id that is not there is that of an egress rule.
    """
    for rule, becomes in wanted.items():
        if becomes in {"", *there} and any(rule == one for id, one in there.items() if id != becomes):
            protocol, low, high, sources = rule
            what = f"peer: {', '.join(sources)}, {protocol}, from port: {low}, to port: {high}, ALLOW"
            raise ServiceError("InvalidPermission.Duplicate", f'the specified rule "{what}" already exists')


def check_route(params: Params, table: Mapping[str, Any] | None) -> None:
    """A table has one route to a range."""
    cidr = params.text("DestinationCidrBlock")
    if cidr and table and any(route.get("DestinationCidrBlock") == cidr for route in table["Routes"]):
        raise ServiceError("RouteAlreadyExists", f"The route identified by {cidr} already exists.")


def check_gateway(vpc: str, gateways: Iterable[Mapping[str, Any]]) -> None:
    """`gateways`: all of this account and region."""
    if any(each["VpcId"] == vpc for gateway in gateways for each in gateway.get("Attachments") or ()):
        raise ServiceError("InvalidParameterValue", f"Network {vpc} already has an internet gateway attached")
