"""Parts of requests as values: actions, conditions, health checks, tags. Raises ServiceError as AWS would.

Limits: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from local_aws.emulator.elbv2.errors import constraint, unsupported, wrong
from local_aws.emulator.elbv2.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    HostHeader,
    HttpHeader,
    PathPattern,
    QueryPair,
    QueryString,
    Redirect,
    RequestMethod,
    SourceIp,
    Target,
    WeightedGroup,
    groups_of,
)
from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.wire import ServiceError

CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
MOST_GROUPS, MOST_VALUES, MOST_TAGS = 5, 5, 50
TAG_TEXT = r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$"  # as AWS prints it; Python's re has no \p, hence _fits_a_tag


# ---------------------------------------------------------------- actions


def action(actions: Sequence[Params], groups: Collection[str]) -> Action:
    """The one action of a rule. `groups`: the arns of the target groups that exist."""
    if len(actions) != 1:
        raise wrong("Exactly one action is expected: a forward, a redirect or a fixed-response")
    one = actions[0]
    match one.required("Type"):
        case "forward":
            found: Action = _forward(one)
        case "fixed-response":
            found = _fixed(one)
        case "redirect":
            found = _redirect(one)
        case other:
            raise unsupported(f"the action type '{other}'")
    _all_exist(found, groups)
    return found


def _all_exist(found: Action, groups: Collection[str]) -> None:
    for arn in groups_of(found):
        if arn not in groups:
            raise ServiceError("TargetGroupNotFound", f"Target groups '{arn}' not found")


def _forward(one: Params) -> Forward:
    one.only("Type", "Order", "TargetGroupArn", "ForwardConfig")
    single, config = one.text("TargetGroupArn"), one.struct("ForwardConfig")
    groups = _weighted(config) if config else ()
    if single and groups and [group.arn for group in groups] != [single]:
        raise ServiceError(
            "InvalidLoadBalancerAction", "You cannot specify both a target group and a list of target groups"
        )
    if not groups and not single:
        raise ServiceError("InvalidLoadBalancerAction", "A target group must be specified for a forward action")
    return Forward(groups or (WeightedGroup(single, 1),))


def _weighted(config: Params) -> tuple[WeightedGroup, ...]:
    config.only("TargetGroups", "TargetGroupStickinessConfig")
    sticky = config.struct("TargetGroupStickinessConfig")
    if sticky and sticky.flag("Enabled", False):
        raise unsupported("target group stickiness: every request is decided by the weights alone")
    groups = tuple(
        WeightedGroup(group.required("TargetGroupArn"), group.number("Weight", 1, 0, 999))
        for group in config.structs("TargetGroups")
    )
    if len(groups) > MOST_GROUPS:
        raise ServiceError("TooManyTargetGroups", f"A forward action can have at most {MOST_GROUPS} target groups")
    if len({group.arn for group in groups}) < len(groups):
        raise wrong("A target group can be specified only once in a forward action")
    return groups


def _fixed(one: Params) -> FixedResponse:
    one.only("Type", "Order", "FixedResponseConfig")
    config = one.struct("FixedResponseConfig") or Params({}, "fixedResponseConfig.")
    status = config.required("StatusCode")
    if not re.fullmatch(r"[245]\d\d", status):
        raise constraint(status, "fixedResponseConfig.statusCode", r"satisfy regular expression pattern: ^(2|4|5)\d\d$")
    body = config.text("MessageBody")
    if len(body) > 1024:
        raise constraint(body, "fixedResponseConfig.messageBody", "have length less than or equal to 1024")
    return FixedResponse(int(status), config.choice("ContentType", *CONTENT_TYPES), body)


def _redirect(one: Params) -> Redirect:
    one.only("Type", "Order", "RedirectConfig")
    config = one.struct("RedirectConfig") or Params({}, "redirectConfig.")
    found = Redirect(
        status={"HTTP_301": 301, "HTTP_302": 302}[config.choice("StatusCode", "HTTP_301", "HTTP_302")],
        protocol=config.choice("Protocol", "#{protocol}", "HTTP", "HTTPS"),
        host=config.text("Host", "#{host}"),
        port=config.text("Port", "#{port}"),
        path=config.text("Path", "/#{path}"),
        query=config.text("Query", "#{query}") if "Query" in config else "#{query}",
    )
    if not found.path.startswith("/"):
        raise wrong("The redirect path must start with '/'")
    if (found.protocol, found.host, found.port, found.path) == ("#{protocol}", "#{host}", "#{port}", "/#{path}"):
        raise ServiceError("InvalidLoadBalancerAction", "The redirect must change the protocol, host, port or path")
    return found


# ---------------------------------------------------------------- conditions


def conditions(given: Sequence[Params]) -> tuple[Condition, ...]:
    if not given:
        raise wrong("A condition must be specified")
    found = tuple(_condition(one) for one in given)
    if sum(len(one.values) for one in found) > MOST_VALUES:
        raise wrong(f"A rule can have at most {MOST_VALUES} condition values")
    for kind in (PathPattern, HostHeader, RequestMethod, SourceIp):
        if sum(isinstance(one, kind) for one in found) > 1:
            raise wrong("A rule can have only one condition of this field")
    return found


def _condition(one: Params) -> Condition:
    match one.required("Field"):
        case "path-pattern":
            return PathPattern(_values(one, "PathPatternConfig", r"[A-Za-z0-9_\-.$/~\"'@:+&*?]{1,128}"))
        case "host-header":
            return HostHeader(_values(one, "HostHeaderConfig", r"[A-Za-z0-9\-.*?]{1,128}"))
        case "http-request-method":
            return RequestMethod(_values(one, "HttpRequestMethodConfig", r"[A-Z_-]{1,40}"))
        case "source-ip":
            return SourceIp(tuple(map(_cidr, _values(one, "SourceIpConfig", r"[0-9a-fA-F.:/]{1,64}"))))
        case "http-header":
            config = one.struct("HttpHeaderConfig") or Params({}, "httpHeaderConfig.")
            name = config.required("HttpHeaderName")
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,40}", name):
                raise wrong(f"The header name '{name}' is not valid")
            return HttpHeader(name, _values(one, "HttpHeaderConfig", r"[\x20-\x7e]{1,128}"))
        case "query-string":
            return _query_string(one)
        case other:
            raise wrong(f"Condition field '{other}' must be one of '[path-pattern, host-header, http-header, "
                        "http-request-method, query-string, source-ip]'")  # fmt: skip


def _values(one: Params, config: str, allowed: str) -> tuple[str, ...]:
    """From the field's own structure or, as older clients send them, from Values."""
    structure = one.struct(config)
    if structure and "RegexValues" in structure:
        raise unsupported("regular expressions in rule conditions")
    values = (structure.texts("Values") if structure else ()) or one.texts("Values")
    if not values:
        raise wrong("A condition value must be specified")
    for value in values:
        if not re.fullmatch(allowed, value):
            raise wrong(f"The condition value '{value}' contains a character that is not valid, or is too long")
    return values


def _cidr(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise wrong(f"The CIDR block '{text}' is not valid") from None


def _query_string(one: Params) -> QueryString:
    config = one.struct("QueryStringConfig") or Params({}, "queryStringConfig.")
    pairs = tuple(QueryPair(pair.text("Key") or None, pair.required("Value")) for pair in config.structs("Values"))
    if not pairs:
        raise wrong("A condition value must be specified")
    for pair in pairs:
        if not all(re.fullmatch(r"[\x21-\x7e]{1,128}", text) for text in (pair.key or "x", pair.value)):
            raise wrong(f"The query string value '{pair.value}' is not valid")
    return QueryString(pairs)


# ---------------------------------------------------------------- health checks, targets, names, tags


def health_check(params: Params, old: HealthCheck) -> HealthCheck:
    """`old` with what the request says. Only HTTP checks, which cannot be off for targets by address."""
    if params.text("HealthCheckProtocol", "HTTP") != "HTTP":
        raise unsupported("health checks by any protocol but HTTP")
    if not params.flag("HealthCheckEnabled", True):
        raise wrong("Health check enabled must be true for target groups with target type 'ip'")
    matcher = params.struct("Matcher")
    found = HealthCheck(
        path=params.text("HealthCheckPath", old.path),
        port=params.text("HealthCheckPort", old.port),
        interval=params.number("HealthCheckIntervalSeconds", old.interval, 5, 300),
        timeout=params.number("HealthCheckTimeoutSeconds", old.timeout, 2, 120),
        healthy=params.number("HealthyThresholdCount", old.healthy, 2, 10),
        unhealthy=params.number("UnhealthyThresholdCount", old.unhealthy, 2, 10),
        matcher=matcher.text("HttpCode", old.matcher) if matcher else old.matcher,
    )
    _check_health_check(found)
    return found


def _check_health_check(check: HealthCheck) -> None:
    if not re.fullmatch(r"/[\x21-\x7e]{0,1023}", check.path):
        raise wrong(f"Health check path '{check.path}' must begin with a '/' character and hold no spaces")
    if check.port != "traffic-port" and not (check.port.isdecimal() and 1 <= int(check.port) <= 65535):
        raise wrong(f"Health check port '{check.port}' must be 'traffic-port' or a port number")
    if check.timeout >= check.interval:
        raise wrong(f"Health check interval '{check.interval}' must be greater than the timeout '{check.timeout}'")
    codes = [int(code) for part in check.matcher.split(",") for code in part.split("-") if code.isdecimal()]
    shape = re.fullmatch(r"\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*", check.matcher)
    if not shape or not all(200 <= code <= 499 for code in codes):
        raise wrong(f"Health check matcher HTTP code '{check.matcher}' must be within '200-499' inclusive")


def targets(params: Params, default_port: int) -> tuple[Target, ...]:
    return tuple(_target(one, default_port) for one in params.structs("Targets"))


def _target(one: Params, default_port: int) -> Target:
    text = one.required("Id")
    try:
        ip = str(ipaddress.IPv4Address(text))
    except ValueError:
        raise ServiceError("InvalidTarget", f"The target '{text}' is not a valid IPv4 address") from None
    return Target(ip, one.number("Port", default_port, 1, 65535))


def name(params: Params, kind: str) -> str:
    """`kind`: Load balancer or Target group."""
    text = params.required("Name")
    if len(text) > 32:
        raise wrong(f"{kind} name '{text}' cannot be longer than '32' characters")
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise wrong(f"{kind} name '{text}' can only contain characters that are alphanumeric characters and hyphens(-)")
    if text.startswith("-") or text.endswith("-"):
        raise wrong(f"{kind} name '{text}' cannot begin or end with a hyphen(-)")
    if kind == "Load balancer" and text.startswith("internal-"):
        raise wrong(f"{kind} name '{text}' cannot begin with 'internal-'")
    return text


def tags(params: Params, old: Mapping[str, str] | None = None) -> dict[str, str]:
    """`old` with the request's Tags."""
    given = [(tag.text("Key"), tag.text("Value")) for tag in params.structs("Tags")]
    for at, (key, value) in enumerate(given, 1):
        _check_tag_text(key, f"tags.{at}.member.key", 1, 128)
        _check_tag_text(value, f"tags.{at}.member.value", 0, 256)
        if key.lower().startswith("aws:"):
            raise wrong(f"Tag key '{key}' cannot begin with 'aws:'")
    if len({key for key, _ in given}) < len(given):
        raise ServiceError("DuplicateTagKeys", "A tag key was specified more than once")
    found = {**(old or {}), **dict(given)}
    if len(found) > MOST_TAGS:
        raise ServiceError("TooManyTags", f"You cannot have more than {MOST_TAGS} tags per resource")
    return found


def _check_tag_text(text: str, where: str, low: int, high: int) -> None:
    if len(text) < low:
        raise constraint(text, where, f"have length greater than or equal to {low}")
    if len(text) > high:
        raise constraint(text, where, f"have length less than or equal to {high}")
    if not all(_fits_a_tag(letter) for letter in text):
        raise constraint(text, where, f"satisfy regular expression pattern: {TAG_TEXT}")


def _fits_a_tag(letter: str) -> bool:
    return letter in "_.:/=+-@" or unicodedata.category(letter)[0] in "LZN"
