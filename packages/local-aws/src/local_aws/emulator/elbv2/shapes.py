"""Values as the API shows them: mappings in the order and with the names of AWS's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.emulator.elbv2.model import (
    DEFAULT,
    HTTPS,
    Action,
    Condition,
    FixedResponse,
    Forward,
    HostHeader,
    HttpHeader,
    Listener,
    LoadBalancer,
    PathPattern,
    QueryString,
    Redirect,
    RequestMethod,
    Rule,
    SourceIp,
    State,
    TargetGroup,
)
from local_aws.emulator.elbv2.tls import Policy

Shape = dict[str, Any]


def load_balancer(one: LoadBalancer) -> Shape:
    return {
        "LoadBalancerArn": one.arn,
        "DNSName": one.address,
        "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
        "CreatedTime": one.created,
        "LoadBalancerName": one.name,
        "Scheme": one.scheme,
        "VpcId": one.vpc,
        "State": {"Code": "active"},
        "Type": "application",
        "AvailabilityZones": zones(one),
        "SecurityGroups": one.security_groups,
        "IpAddressType": one.address_type,
    }


def zones(one: LoadBalancer) -> list[Shape]:
    return [{"ZoneName": net.zone, "SubnetId": net.id, "LoadBalancerAddresses": []} for net in one.subnets]


def target_group(one: TargetGroup, state: State) -> Shape:
    check = one.check
    return {
        "TargetGroupArn": one.arn,
        "TargetGroupName": one.name,
        "Protocol": "HTTP",
        "Port": one.port,
        "VpcId": one.vpc,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": check.port,
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": check.interval,
        "HealthCheckTimeoutSeconds": check.timeout,
        "HealthyThresholdCount": check.healthy,
        "UnhealthyThresholdCount": check.unhealthy,
        "HealthCheckPath": check.path,
        "Matcher": {"HttpCode": check.matcher},
        "LoadBalancerArns": state.load_balancers_of(one.arn),
        "TargetType": "ip",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    }


def listener(one: Listener, state: State) -> Shape:
    return {
        "ListenerArn": one.arn,
        "LoadBalancerArn": one.load_balancer,
        "Port": one.port,
        "Protocol": one.protocol,
        **(_secured(one) if one.protocol == HTTPS else {}),
        "DefaultActions": [action(state.default_rule(one.arn).action)],
    }


def _secured(one: Listener) -> Shape:
    """Only the default certificate is shown here."""
    return {
        "Certificates": [{"CertificateArn": one.certificates[0]}],
        "SslPolicy": one.policy,
        "MutualAuthentication": {"Mode": "off"},
    }


def certificates(one: Listener) -> list[Shape]:
    """All of a listener's, the default one first."""
    return [{"CertificateArn": arn, "IsDefault": at == 0} for at, arn in enumerate(one.certificates)]


def policy(one: Policy) -> Shape:
    return {
        "Name": one.name,
        "SslProtocols": one.protocols,
        "Ciphers": [{"Name": name, "Priority": at} for at, name in enumerate(one.ciphers, 1)],
        "SupportedLoadBalancerTypes": ["application", "network"],
    }


def rule(one: Rule) -> Shape:
    return {
        "RuleArn": one.arn,
        "Priority": "default" if one.priority == DEFAULT else str(one.priority),
        "Conditions": [condition(each) for each in one.conditions],
        "Actions": [action(one.action)],
        "IsDefault": one.priority == DEFAULT,
    }


def action(one: Action) -> Shape:
    """A forward to one target group shows it in both places, as AWS does."""
    match one:
        case Forward(groups=groups):
            shape: Shape = {"Type": "forward", "Order": 1}
            if len(groups) == 1:
                shape["TargetGroupArn"] = groups[0].arn
            weighted = [{"TargetGroupArn": group.arn, "Weight": group.weight} for group in groups]
            sticky = {"Enabled": False}
            return {**shape, "ForwardConfig": {"TargetGroups": weighted, "TargetGroupStickinessConfig": sticky}}
        case FixedResponse(status=status, content_type=content_type, body=body):
            fixed = {"MessageBody": body or None, "StatusCode": status, "ContentType": content_type}
            return {"Type": "fixed-response", "Order": 1, "FixedResponseConfig": fixed}
        case Redirect():
            return {"Type": "redirect", "Order": 1, "RedirectConfig": _redirect(one)}


def _redirect(one: Redirect) -> Shape:
    return {
        "Protocol": one.protocol,
        "Port": one.port,
        "Host": one.host,
        "Path": one.path,
        "Query": one.query,
        "StatusCode": f"HTTP_{one.status}",
    }


def condition(one: Condition) -> Shape:
    match one:
        case PathPattern(values=values):
            return {"Field": "path-pattern", "Values": values, "PathPatternConfig": {"Values": values}}
        case HostHeader(values=values):
            return {"Field": "host-header", "Values": values, "HostHeaderConfig": {"Values": values}}
        case HttpHeader(name=name, values=values):
            return {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": name, "Values": values}}
        case RequestMethod(values=values):
            return {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": values}}
        case SourceIp(values=values):
            return {"Field": "source-ip", "SourceIpConfig": {"Values": values}}
        case QueryString(values=pairs):
            return {
                "Field": "query-string",
                "QueryStringConfig": {"Values": [{"Key": pair.key, "Value": pair.value} for pair in pairs]},
            }


def pairs(values: Mapping[str, str]) -> list[Shape]:
    """Tags and attributes."""
    return [{"Key": key, "Value": value} for key, value in values.items()]
