"""Actions, conditions, health checks and tags, as AWS takes or refuses them."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.emulator.elbv2 import parts, shapes
from local_aws.emulator.elbv2.actions.target_groups import DEFAULT_CHECK
from local_aws.emulator.elbv2.model import (
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
    WeightedGroup,
)
from local_aws.emulator.wire import ServiceError
from tests.local.emulator.elbv2.requests import forward, params

pytestmark = pytest.mark.pure


def action(*given: Any) -> Any:
    return parts.action(params(Actions=given).structs("Actions"), {"a", "b", "c", "d", "e", "f"})


ACTIONS = [
    ({"Type": "forward", "TargetGroupArn": "a"}, Forward((WeightedGroup("a", 1),))),
    (forward(("a", 0), ("b", 999)), Forward((WeightedGroup("a", 0), WeightedGroup("b", 999)))),
    ({**forward(("a", 7)), "TargetGroupArn": "a", "Order": 1}, Forward((WeightedGroup("a", 7),))),
    (
        {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "MessageBody": "no"}},
        FixedResponse(404, "text/plain", "no"),
    ),
    (
        {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_302"}},
        Redirect(302, "HTTPS", "#{host}", "443", "/#{path}", "#{query}"),
    ),
]


@pytest.mark.parametrize(("given", "expected"), ACTIONS)
def test_actions_are_taken(given: Any, expected: Any) -> None:
    assert action(given) == expected


@pytest.mark.parametrize("given", [given for given, _ in ACTIONS])
def test_an_action_is_shown_in_words_that_make_the_same_action(given: Any) -> None:
    assert action(shapes.action(action(given))) == action(given)


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ([], "ValidationError", "Exactly one action"),
        ([{"Type": "authenticate-oidc"}], "ValidationError", "does not carry the action type 'authenticate-oidc'"),
        ([{"Type": "forward"}], "InvalidLoadBalancerAction", "target group must be specified"),
        ([{"Type": "forward", "TargetGroupArn": "zz"}], "TargetGroupNotFound", "'zz' not found"),
        ([{**forward(("a", 1)), "TargetGroupArn": "b"}], "InvalidLoadBalancerAction", "both"),
        ([forward(("a", 1000))], "ValidationError", "less than or equal to 999"),
        ([forward(("a", -1))], "ValidationError", "greater than or equal to 0"),
        ([forward(("a", 1), ("a", 2))], "ValidationError", "only once"),
        ([forward(*[(arn, 1) for arn in "abcdef"])], "TooManyTargetGroups", "at most 5"),
        ([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "302"}}], "ValidationError", r"\^\(2"),
        ([{"Type": "fixed-response"}], "ValidationError", "statusCode"),
        (
            [{"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301"}}],
            "InvalidLoadBalancerAction",
            "must change",
        ),
    ],
)
def test_actions_are_refused(given: Any, code: str, said: str) -> None:
    with pytest.raises(ServiceError, match=said) as caught:
        action(*given)
    assert caught.value.code == code


def test_stickiness_is_off_or_refused() -> None:
    given = forward(("a", 1))
    given["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": False}
    assert action(given) == Forward((WeightedGroup("a", 1),))
    given["ForwardConfig"]["TargetGroupStickinessConfig"] = {"Enabled": True, "DurationSeconds": 60}
    with pytest.raises(ServiceError, match="does not carry target group stickiness"):
        action(given)


def conditions(*given: Any) -> Any:
    return parts.conditions(params(Conditions=given).structs("Conditions"))


CONDITIONS = [
    ({"Field": "path-pattern", "Values": ["/a/*", "/b?"]}, PathPattern(("/a/*", "/b?"))),
    ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}, PathPattern(("/*",))),
    ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.x.org"]}}, HostHeader(("*.x.org",))),
    (
        {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-A", "Values": ["a b*"]}},
        HttpHeader("X-A", ("a b*",)),
    ),
    ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}, RequestMethod(("GET",))),
    ({"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/8"]}}, SourceIp(("10.0.0.0/8",))),
    (
        {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1*"}, {"Value": "beta"}]}},
        QueryString((QueryPair("v", "1*"), QueryPair(None, "beta"))),
    ),
]


@pytest.mark.parametrize(("given", "expected"), CONDITIONS)
def test_conditions_are_taken(given: Any, expected: Any) -> None:
    assert conditions(given) == (expected,)
    assert conditions(shapes.condition(expected)) == (expected,)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must be specified"),
        ([{"Field": "colour", "Values": ["blue"]}], "must be one of"),
        ([{"Field": "path-pattern"}], "value must be specified"),
        ([{"Field": "path-pattern", "Values": ["/a b"]}], "not valid"),
        ([{"Field": "path-pattern", "Values": ["/" * 129]}], "too long"),
        ([{"Field": "path-pattern", "PathPatternConfig": {"RegexValues": ["^/.*"]}}], "regular expressions"),
        ([{"Field": "path-pattern", "Values": [f"/{n}" for n in range(6)]}], "at most 5"),
        ([{"Field": "path-pattern", "Values": ["/a"]}, {"Field": "path-pattern", "Values": ["/b"]}], "only one"),
        ([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "a b", "Values": ["x"]}}], "not valid"),
        ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["10.0.0.0/99"]}}], "CIDR"),
        ([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a"}]}}], "not be null"),
    ],
)
def test_conditions_are_refused(given: Any, said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        conditions(*given)


def test_a_health_check_keeps_what_a_request_does_not_name() -> None:
    found = parts.health_check(params(HealthCheckPath="/up?x=1", Matcher={"HttpCode": "200-299,301"}), DEFAULT_CHECK)
    assert found == HealthCheck(
        path="/up?x=1", port="traffic-port", interval=30, timeout=5, healthy=5, unhealthy=2, matcher="200-299,301"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HealthCheckPath": "health"}, "must begin with"),
        ({"HealthCheckPath": "/a b"}, "no spaces"),
        ({"HealthCheckIntervalSeconds": 4}, "greater than or equal to 5"),
        ({"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 5}, "must be greater than the timeout"),
        ({"HealthyThresholdCount": 1}, "greater than or equal to 2"),
        ({"UnhealthyThresholdCount": 11}, "less than or equal to 10"),
        ({"HealthCheckPort": "70000"}, "traffic-port"),
        ({"HealthCheckProtocol": "HTTPS"}, "does not carry health checks"),
        ({"HealthCheckEnabled": False}, "must be true"),
        ({"Matcher": {"HttpCode": "OK"}}, "200-499"),
        ({"Matcher": {"HttpCode": "200,500"}}, "200-499"),
    ],
)
def test_health_checks_are_refused(given: Any, said: str) -> None:
    with pytest.raises(ServiceError, match=said):
        parts.health_check(params(**given), DEFAULT_CHECK)


@pytest.mark.parametrize("value", ["", "a b", "sha256:0123", "x=1/y+z@_.-", "grün 12", "x" * 256])
def test_tag_values_that_aws_takes(value: str) -> None:
    assert parts.tags(params(Tags=[{"Key": "k", "Value": value}])) == {"k": value}


@pytest.mark.parametrize(
    ("key", "value", "code", "said"),
    [
        ("k", '{"a":1}', "ValidationError", "'tags.1.member.value' failed to satisfy constraint: Member must satisfy"),
        ("k", "a,b", "ValidationError", "regular expression pattern"),
        ("k", "a\nb", "ValidationError", "regular expression pattern"),
        ("k", "x" * 257, "ValidationError", "less than or equal to 256"),
        ("x" * 129, "v", "ValidationError", "less than or equal to 128"),
        ("", "v", "ValidationError", "greater than or equal to 1"),
        ("aws:x", "v", "ValidationError", "cannot begin with"),
    ],
)
def test_tags_that_aws_refuses(key: str, value: str, code: str, said: str) -> None:
    with pytest.raises(ServiceError, match=said) as caught:
        parts.tags(params(Tags=[{"Key": key, "Value": value}]))
    assert caught.value.code == code


def test_no_tag_twice_and_no_more_than_fifty() -> None:
    with pytest.raises(ServiceError) as twice:
        parts.tags(params(Tags=[{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]))
    with pytest.raises(ServiceError) as many:
        parts.tags(params(Tags=[{"Key": "k", "Value": "1"}]), {f"k{n}": "" for n in range(50)})
    assert (twice.value.code, many.value.code) == ("DuplicateTagKeys", "TooManyTags")
