"""Attributes of load balancers, target groups and listeners: AWS's names and defaults, and what we do with each.

    honoured  the load balancer acts on it
    recorded  kept and shown; it has no meaning on one machine (zones, protection by WAF …)
    fixed     only the default is accepted, because anything else would change traffic and is not carried

https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html and siblings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from local_aws.emulator.elbv2.errors import unsupported, wrong
from local_aws.emulator.elbv2.query import Params


class Use(Enum):
    HONOURED = "honoured"
    RECORDED = "recorded"
    FIXED = "fixed"


@dataclass(frozen=True)
class Attribute:
    key: str
    default: str
    use: Use
    low: int = 0  # for numbers
    high: int = -1  # -1: not a number
    choices: tuple[str, ...] = ()


def _flag(key: str, default: str, use: Use) -> Attribute:
    return Attribute(key, default, use, choices=("true", "false"))


LOAD_BALANCER: Sequence[Attribute] = (
    _flag("deletion_protection.enabled", "false", Use.HONOURED),
    Attribute("idle_timeout.timeout_seconds", "60", Use.HONOURED, 1, 4000),
    _flag("access_logs.s3.enabled", "false", Use.HONOURED),
    Attribute("access_logs.s3.bucket", "", Use.HONOURED),
    Attribute("access_logs.s3.prefix", "", Use.HONOURED),
    _flag("connection_logs.s3.enabled", "false", Use.RECORDED),
    Attribute("connection_logs.s3.bucket", "", Use.RECORDED),
    Attribute("connection_logs.s3.prefix", "", Use.RECORDED),
    _flag("health_check_logs.s3.enabled", "false", Use.RECORDED),
    Attribute("health_check_logs.s3.bucket", "", Use.RECORDED),
    Attribute("health_check_logs.s3.prefix", "", Use.RECORDED),
    Attribute("client_keep_alive.seconds", "3600", Use.RECORDED, 60, 604800),
    Attribute("load_balancing.cross_zone.enabled", "true", Use.FIXED),
    Attribute(
        "routing.http.desync_mitigation_mode", "defensive", Use.RECORDED, choices=("monitor", "defensive", "strictest")
    ),
    _flag("routing.http.drop_invalid_header_fields.enabled", "false", Use.RECORDED),
    _flag("routing.http.preserve_host_header.enabled", "false", Use.RECORDED),
    _flag("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false", Use.HONOURED),
    _flag("routing.http.xff_client_port.enabled", "false", Use.FIXED),
    Attribute("routing.http.xff_header_processing.mode", "append", Use.FIXED),
    _flag("routing.http2.enabled", "true", Use.HONOURED),
    _flag("waf.fail_open.enabled", "false", Use.RECORDED),
    _flag("zonal_shift.config.enabled", "false", Use.RECORDED),
)

TARGET_GROUP: Sequence[Attribute] = (
    Attribute("deregistration_delay.timeout_seconds", "300", Use.HONOURED, 0, 3600),
    Attribute(
        "load_balancing.algorithm.type",
        "round_robin",
        Use.HONOURED,
        choices=("round_robin", "least_outstanding_requests", "weighted_random"),
    ),
    Attribute("load_balancing.algorithm.anomaly_mitigation", "off", Use.FIXED),
    Attribute("load_balancing.cross_zone.enabled", "use_load_balancer_configuration", Use.RECORDED),
    Attribute("slow_start.duration_seconds", "0", Use.FIXED),
    Attribute("stickiness.enabled", "false", Use.FIXED),
    Attribute("stickiness.type", "lb_cookie", Use.RECORDED, choices=("lb_cookie", "app_cookie")),
    Attribute("stickiness.lb_cookie.duration_seconds", "86400", Use.RECORDED, 1, 604800),
    Attribute("stickiness.app_cookie.duration_seconds", "86400", Use.RECORDED, 1, 604800),
    Attribute("stickiness.app_cookie.cookie_name", "", Use.RECORDED),
    Attribute("target_group_health.dns_failover.minimum_healthy_targets.count", "1", Use.RECORDED),
    Attribute("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off", Use.RECORDED),
    Attribute("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1", Use.FIXED),
    Attribute("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off", Use.FIXED),
)

RESPONSE_HEADERS: Mapping[str, str] = {
    "strict_transport_security": "Strict-Transport-Security",
    "content_security_policy": "Content-Security-Policy",
    "x_content_type_options": "X-Content-Type-Options",
    "x_frame_options": "X-Frame-Options",
    "access_control_allow_origin": "Access-Control-Allow-Origin",
    "access_control_allow_methods": "Access-Control-Allow-Methods",
    "access_control_allow_headers": "Access-Control-Allow-Headers",
    "access_control_allow_credentials": "Access-Control-Allow-Credentials",
    "access_control_expose_headers": "Access-Control-Expose-Headers",
    "access_control_max_age": "Access-Control-Max-Age",
}
"""The part of the attribute's key -> the header that all answers get. An empty value adds none.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/header-modification.html
"""

LISTENER: Sequence[Attribute] = (
    _flag("routing.http.response.server.enabled", "true", Use.HONOURED),
    *(Attribute(f"routing.http.response.{one}.header_value", "", Use.HONOURED) for one in RESPONSE_HEADERS),
)


def headers_of(values: Mapping[str, str]) -> dict[str, str]:
    """Of a listener: the headers of its answers that have a value, by name."""
    found = {
        header: values.get(f"routing.http.response.{part}.header_value", "")
        for part, header in RESPONSE_HEADERS.items()
    }
    return {header: value for header, value in found.items() if value}


def complete(table: Sequence[Attribute], values: Mapping[str, str]) -> dict[str, str]:
    """Every attribute of the table with its value or default."""
    return {one.key: values.get(one.key, one.default) for one in table}


def changed(table: Sequence[Attribute], values: Mapping[str, str], params: Params) -> dict[str, str]:
    """`values` with the request's Attributes; raises ServiceError for unknown keys and unfit values."""
    known = {one.key: one for one in table}
    wanted = {item.required("Key"): item.text("Value") for item in params.structs("Attributes")}
    for key, value in wanted.items():
        if key not in known:
            raise wrong(f"The attribute '{key}' is not recognized")
        _check(known[key], value)
    return {**values, **wanted}


def _check(attribute: Attribute, value: str) -> None:
    key = attribute.key
    if not value.isprintable():
        raise wrong(f"'{key}' holds a character that is not printable")
    if attribute.use is Use.FIXED and value != attribute.default:
        raise unsupported(f"'{key}' other than '{attribute.default}'")
    if attribute.choices and value not in attribute.choices:
        raise wrong(f"'{key}' must be one of [{', '.join(attribute.choices)}], but was '{value}'")
    in_range = value.isdecimal() and attribute.low <= int(value) <= attribute.high
    if attribute.high >= 0 and not in_range:
        raise wrong(f"'{key}' must be between '{attribute.low}' and '{attribute.high}' inclusive, but was '{value}'")
