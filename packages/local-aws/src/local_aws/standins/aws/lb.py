"""Application load balancers, target groups and listeners."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from provider_kit import Change, Context, Props, State, UserError
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AutoName, AwsResource, tag_list, tag_map, tags_at_creation
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.aws.waiting import until, while_in_use
from local_aws.standins.fields import from_api, from_attributes, to_api, to_attributes
from local_aws.standins.schema import Prop, Table, defaults, upstream

ACTIVE_WITHIN = 10 * 60.0  # seconds, as in pulumi-aws
RELEASED_WITHIN = 20.0  # seconds for a deleted rule or listener to let go of a target group


class ElbResource(AwsResource):
    """Everything here has an ARN for its id."""

    service = "elbv2"

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.add_tags(ResourceArns=[id], Tags=tag_list(put))
        if drop:
            api.remove_tags(ResourceArns=[id], TagKeys=drop)

    def tags(self, api: Any, id: str) -> dict[str, str]:
        (description,) = api.describe_tags(ResourceArns=[id])["TagDescriptions"]
        return tag_map(description.get("Tags"))


ACCESS_LOGS: Table = {
    "bucket": Prop(attribute="access_logs.s3.bucket", required=True),
    "prefix": Prop(attribute="access_logs.s3.prefix"),
    "enabled": Prop(attribute="access_logs.s3.enabled", default=False),
}


class LoadBalancer(ElbResource):
    token = "aws:lb/loadBalancer:LoadBalancer"
    source = upstream("lb/loadbalancer", "elbv2/load_balancer")
    props = (
        {
            "name": Prop("Name", replace=True),
            "loadBalancerType": Prop("Type", default="application", replace=True),
            "internal": Prop(replace=True, computed=True),
            "ipAddressType": Prop("IpAddressType", computed=True),
            "securityGroups": Prop("SecurityGroups", computed=True, unordered=True),
            "subnets": Prop("Subnets", required=True, unordered=True, departs="required: no subnetMappings here"),
            "idleTimeout": Prop(attribute="idle_timeout.timeout_seconds", default=60),
            "clientKeepAlive": Prop(attribute="client_keep_alive.seconds", default=3600),
            "enableDeletionProtection": Prop(attribute="deletion_protection.enabled", default=False),
            "enableHttp2": Prop(attribute="routing.http2.enabled", default=True),
            "dropInvalidHeaderFields": Prop(attribute="routing.http.drop_invalid_header_fields.enabled", default=False),
            "desyncMitigationMode": Prop(attribute="routing.http.desync_mitigation_mode", default="defensive"),
            "preserveHostHeader": Prop(attribute="routing.http.preserve_host_header.enabled", default=False),
            "xffHeaderProcessingMode": Prop(attribute="routing.http.xff_header_processing.mode", default="append"),
            "accessLogs": Prop(fields=ACCESS_LOGS),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "arnSuffix", "dnsName", "vpcId", "zoneId"})
    autoname = AutoName(longest=32)

    @override
    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        changes = super().diff(ctx, old, inputs, ignore)
        logs = old.outputs.get("accessLogs")
        if inputs.get("accessLogs") is not None or not isinstance(logs, dict) or logs.get("enabled"):
            return changes
        # AWS remembers the bucket of logs that are switched off
        return [change for change in changes if change.top != "accessLogs"]

    @override
    def make(self, api: Any, new: Props) -> str:
        if unless_gone(api.describe_load_balancers, Names=[new["name"]]):
            raise UserError(f"there is a load balancer {new['name']} already")
        scheme = "internal" if new.get("internal") else "internet-facing"
        answer = api.create_load_balancer(**to_api(self.props, new), Scheme=scheme, **tags_at_creation(new))
        return str(answer["LoadBalancers"][0]["LoadBalancerArn"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self._put_attributes(api, id, defaults(self.props), new)

    def _put_attributes(self, api: Any, id: str, old: Props, new: Props) -> None:
        attributes = to_attributes(self.props, old, new) + _logs(old.get("accessLogs"), new.get("accessLogs"))
        if attributes:
            api.modify_load_balancer_attributes(LoadBalancerArn=id, Attributes=attributes)

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        until(ctx, f"load balancer {new['name']} active", ACTIVE_WITHIN, lambda: self._active(api, id))

    def _active(self, api: Any, id: str) -> bool:
        (balancer,) = api.describe_load_balancers(LoadBalancerArns=[id])["LoadBalancers"]
        return bool((balancer.get("State") or {}).get("Code", "active") == "active")

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        self._put_attributes(api, id, old, new)
        if old.get("securityGroups") != new.get("securityGroups"):
            api.set_security_groups(LoadBalancerArn=id, SecurityGroups=new.get("securityGroups") or [])
        if old.get("subnets") != new.get("subnets"):
            api.set_subnets(LoadBalancerArn=id, Subnets=new.get("subnets") or [])
        if new.get("ipAddressType") and old.get("ipAddressType") != new["ipAddressType"]:
            api.set_ip_address_type(LoadBalancerArn=id, IpAddressType=new["ipAddressType"])

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_load_balancers, LoadBalancerArns=[id])
        if not answer or not answer["LoadBalancers"]:
            return None
        balancer = answer["LoadBalancers"][0]
        attributes = api.describe_load_balancer_attributes(LoadBalancerArn=id)["Attributes"]
        return (
            from_api(self.props, balancer)
            | from_attributes(self.props, attributes)
            | {
                "name": balancer["LoadBalancerName"],
                "arn": id,
                "arnSuffix": id.partition(":loadbalancer/")[2],
                "dnsName": balancer["DNSName"],
                "zoneId": balancer.get("CanonicalHostedZoneId"),
                "vpcId": balancer.get("VpcId"),
                "internal": balancer.get("Scheme") == "internal",
                "accessLogs": _logs_found(from_attributes(ACCESS_LOGS, attributes)),
                "subnets": [zone["SubnetId"] for zone in balancer.get("AvailabilityZones") or ()],
                "tags": self.tags(api, id),
            }
        )

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_load_balancer, LoadBalancerArn=id)


def _logs(old: Props | None, new: Props | None) -> list[dict[str, str]]:
    """AWS looks at the bucket when logs are switched on, so it gets all of it at once; nothing but that when off."""
    new = new or {}
    if old == new or not (new.get("enabled") or (old or {}).get("enabled")):
        return []
    if not new.get("enabled"):
        return [{"Key": "access_logs.s3.enabled", "Value": "false"}]
    return to_attributes(ACCESS_LOGS, {}, {"prefix": "", **new})


def _logs_found(logs: Props) -> Props | None:
    return logs if logs.get("bucket") else None


HEALTH_CHECK: Table = {
    "enabled": Prop("HealthCheckEnabled", default=True),
    "healthyThreshold": Prop("HealthyThresholdCount", default=3),
    "interval": Prop("HealthCheckIntervalSeconds", default=30),
    "matcher": Prop(text=True, computed=True),
    "path": Prop("HealthCheckPath", computed=True),
    "port": Prop("HealthCheckPort", default="traffic-port", text=True),
    "protocol": Prop("HealthCheckProtocol", default="HTTP"),
    "timeout": Prop("HealthCheckTimeoutSeconds", computed=True),
    "unhealthyThreshold": Prop("UnhealthyThresholdCount", default=3),
}
STICKINESS: Table = {
    "enabled": Prop(attribute="stickiness.enabled", default=True),
    "type": Prop(attribute="stickiness.type", required=True),
    "cookieDuration": Prop(attribute="stickiness.lb_cookie.duration_seconds", default=86400),
    "cookieName": Prop(attribute="stickiness.app_cookie.cookie_name"),
}


class TargetGroup(ElbResource):
    token = "aws:lb/targetGroup:TargetGroup"
    source = upstream("lb/targetgroup", "elbv2/target_group")
    props = (
        {
            "name": Prop("Name", replace=True),
            "port": Prop("Port", replace=True),
            "protocol": Prop("Protocol", replace=True),
            "protocolVersion": Prop("ProtocolVersion", replace=True, computed=True),
            "vpcId": Prop("VpcId", replace=True),
            "targetType": Prop("TargetType", default="instance", replace=True),
            "ipAddressType": Prop("IpAddressType", replace=True, computed=True),
            "deregistrationDelay": Prop(attribute="deregistration_delay.timeout_seconds", default=300),
            "slowStart": Prop(attribute="slow_start.duration_seconds", default=0),
            "loadBalancingAlgorithmType": Prop(attribute="load_balancing.algorithm.type", computed=True),
            "stickiness": Prop(fields=STICKINESS, computed=True),
            "healthCheck": Prop(fields=HEALTH_CHECK, computed=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn", "arnSuffix", "loadBalancerArns"})
    autoname = AutoName(longest=32)

    @override
    def make(self, api: Any, new: Props) -> str:
        if unless_gone(api.describe_target_groups, Names=[new["name"]]):
            raise UserError(f"there is a target group {new['name']} already")
        answer = api.create_target_group(**to_api(self.props, new), **_health_check(new), **tags_at_creation(new))
        return str(answer["TargetGroups"][0]["TargetGroupArn"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self._put_attributes(api, id, defaults(self.props), new)

    def _put_attributes(self, api: Any, id: str, old: Props, new: Props) -> None:
        attributes = to_attributes(self.props, old, new)
        attributes += to_attributes(STICKINESS, old.get("stickiness") or {}, new.get("stickiness") or {})
        if attributes:
            api.modify_target_group_attributes(TargetGroupArn=id, Attributes=attributes)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        self._put_attributes(api, id, old, new)
        if new.get("healthCheck") and old.get("healthCheck") != new["healthCheck"]:
            api.modify_target_group(TargetGroupArn=id, **_health_check(new))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_target_groups, TargetGroupArns=[id])
        if not answer or not answer["TargetGroups"]:
            return None
        group = answer["TargetGroups"][0]
        attributes = api.describe_target_group_attributes(TargetGroupArn=id)["Attributes"]
        matcher = (group.get("Matcher") or {}).get("HttpCode")
        return (
            from_api(self.props, group)
            | from_attributes(self.props, attributes)
            | {
                "name": group["TargetGroupName"],
                "arn": id,
                "arnSuffix": id.rpartition(":")[2],
                "loadBalancerArns": group.get("LoadBalancerArns") or [],
                "healthCheck": from_api(HEALTH_CHECK, group) | ({"matcher": matcher} if matcher else {}),
                "stickiness": from_attributes(STICKINESS, attributes),
                "tags": self.tags(api, id),
            }
        )

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        while_in_use(ctx, RELEASED_WITHIN, ("ResourceInUse",), api.delete_target_group, TargetGroupArn=id)


def _health_check(new: Props) -> dict[str, Any]:
    check = new.get("healthCheck")
    if not check:
        return {}
    matcher = {"Matcher": {"HttpCode": check["matcher"]}} if check.get("matcher") else {}
    return to_api(HEALTH_CHECK, check) | matcher


WEIGHTED: Table = {"arn": Prop("TargetGroupArn", required=True), "weight": Prop("Weight", default=1)}
FORWARD_STICKINESS: Table = {
    "enabled": Prop("Enabled", default=False),
    "duration": Prop("DurationSeconds", required=True),
}
FORWARD: Table = {
    "targetGroups": Prop("TargetGroups", fields=WEIGHTED, required=True, unordered=True),
    "stickiness": Prop("TargetGroupStickinessConfig", fields=FORWARD_STICKINESS, unset={"enabled": False}),
}
ACTION: Table = {
    "type": Prop("Type", required=True),
    "order": Prop("Order", computed=True),
    "targetGroupArn": Prop("TargetGroupArn"),
    "forward": Prop("ForwardConfig", fields=FORWARD),
    "fixedResponse": Prop(
        "FixedResponseConfig",
        fields={
            "contentType": Prop("ContentType", required=True),
            "messageBody": Prop("MessageBody"),
            "statusCode": Prop("StatusCode", text=True, computed=True),
        },
    ),
    "redirect": Prop(
        "RedirectConfig",
        fields={
            "statusCode": Prop("StatusCode", text=True, required=True),
            "host": Prop("Host", default="#{host}"),
            "path": Prop("Path", default="/#{path}"),
            "port": Prop("Port", default="#{port}", text=True),
            "protocol": Prop("Protocol", default="#{protocol}"),
            "query": Prop("Query", default="#{query}"),
        },
    ),
}


class Listener(ElbResource):
    token = "aws:lb/listener:Listener"
    source = upstream("lb/listener", "elbv2/listener")
    props = (
        {
            "loadBalancerArn": Prop("LoadBalancerArn", replace=True, required=True),
            "port": Prop("Port"),
            "protocol": Prop("Protocol", default="HTTP", departs="default: load balancers here are applications"),
            "certificateArn": Prop(),
            "sslPolicy": Prop("SslPolicy", computed=True),
            "defaultActions": Prop("DefaultActions", fields=ACTION, required=True),
            "routingHttpResponseStrictTransportSecurityHeaderValue": Prop(
                attribute="routing.http.response.strict_transport_security.header_value", computed=True
            ),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset({"arn"})

    @override
    def make(self, api: Any, new: Props) -> str:
        answer = api.create_listener(**self._arguments(new), **tags_at_creation(new))
        return str(answer["Listeners"][0]["ListenerArn"])

    @override
    def settle(self, api: Any, id: str, new: Props) -> None:
        self._put_attributes(api, id, {}, new)

    def _put_attributes(self, api: Any, id: str, old: Props, new: Props) -> None:
        """An empty value is not sent, as in pulumi-aws: a header stays until it gets another value."""
        if attributes := [one for one in to_attributes(self.props, old, new) if one["Value"]]:
            api.modify_listener_attributes(ListenerArn=id, Attributes=attributes)

    def _arguments(self, new: Props) -> dict[str, Any]:
        certificate = new.get("certificateArn")
        more = {"Certificates": [{"CertificateArn": certificate}]} if certificate else {}
        return to_api(self.props, new) | more

    @override
    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """A policy that is left out is sent as it is recorded, as pulumi-aws does: AWS refuses it next to HTTP."""
        recorded = old.outputs.get("sslPolicy")
        left_out = recorded and inputs.get("sslPolicy") is None
        return super().update(ctx, old, inputs | {"sslPolicy": recorded} if left_out else inputs)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        before, after = self._arguments(old), self._arguments(new)
        if before != after:
            after.pop("LoadBalancerArn")
            api.modify_listener(ListenerArn=id, **after)
        self._put_attributes(api, id, old, new)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_listeners, ListenerArns=[id])
        if not answer or not answer["Listeners"]:
            return None
        listener = answer["Listeners"][0]
        attributes = api.describe_listener_attributes(ListenerArn=id)["Attributes"]
        live = from_api(self.props, listener) | from_attributes(self.props, attributes)
        live |= {"arn": id, "tags": self.tags(api, id)}
        certificates = listener.get("Certificates") or ()
        if certificates:
            live["certificateArn"] = certificates[0]["CertificateArn"]
        asked = known.get("defaultActions") or ()
        actions = [_both_spellings(action) for action in live.get("defaultActions") or ()]
        live["defaultActions"] = [
            _spelled_like(action, one) for action, one in zip_longest(actions, asked[: len(actions)])
        ]
        return live

    @override
    def imported(self, inputs: Props) -> Props:
        return inputs | {"defaultActions": [_simple_spelling(action) for action in inputs["defaultActions"]]}

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        unless_gone(api.delete_listener, ListenerArn=id)


def _both_spellings(action: Props) -> Props:
    """A forward to one group can be given in two ways; a refresh has to find the one that was used."""
    groups = (action.get("forward") or {}).get("targetGroups") or []
    if action.get("type") != "forward" or len(groups) > 1:
        return action
    arn = action.get("targetGroupArn") or (groups[0]["arn"] if groups else None)
    return {"forward": {"targetGroups": [{"arn": arn, "weight": 1}]}} | action | {"targetGroupArn": arn}


def _spelled_like(action: Props, asked: Props | None) -> Props:
    """As it was asked for: the provider records a forward in that spelling alone."""
    given = {"forward", "targetGroupArn"} & (asked or {}).keys() or {"targetGroupArn"}
    if "targetGroupArn" not in action or len(given) > 1:
        return action
    return {name: value for name, value in action.items() if name not in ("forward", "targetGroupArn") or name in given}


def _simple_spelling(action: Props) -> Props:
    if action.get("type") != "forward" or not action.get("targetGroupArn"):
        return {name: value for name, value in action.items() if name != "order"}
    return {"type": "forward", "targetGroupArn": action["targetGroupArn"]}
