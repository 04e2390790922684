"""States to render: small ones, and one that has a bit of everything."""

from __future__ import annotations

from dataclasses import replace

from local_aws.emulator.elbv2.model import (
    DEFAULT,
    HTTPS,
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    HostHeader,
    HttpHeader,
    Listener,
    LoadBalancer,
    PathPattern,
    QueryPair,
    QueryString,
    Redirect,
    RequestMethod,
    Rule,
    SourceIp,
    State,
    Subnet,
    Target,
    TargetGroup,
    WeightedGroup,
)
from local_aws.emulator.elbv2.tls import DEFAULT_POLICY

UNAVAILABLE = FixedResponse(503, "text/plain", "")


def group(name: str, **check: str | int) -> TargetGroup:
    wanted = HealthCheck(
        path="/health", port="traffic-port", interval=5, timeout=2, healthy=2, unhealthy=3, matcher="200"
    )
    return TargetGroup(
        arn=f"arn:targetgroup/{name}/{name}id",
        name=name,
        port=8080,
        vpc="vpc-1",
        check=HealthCheck(**{**vars(wanted), **check}),
    )


def balancer(name: str = "lb", number: int = 1, **attributes: str) -> LoadBalancer:
    return LoadBalancer(
        arn=f"arn:loadbalancer/{name}",
        name=name,
        number=number,
        scheme="internet-facing",
        vpc="vpc-1",
        subnets=(Subnet("subnet-a", "us-east-1a"), Subnet("subnet-b", "us-east-1b")),
        security_groups=("sg-1",),
        address_type="ipv4",
        created="2026-01-01T00:00:00.000Z",
        attributes={key.replace("__", "."): value for key, value in attributes.items()},
    )


def listener(one: LoadBalancer, port: int = 80) -> Listener:
    return Listener(f"arn:listener/{one.name}/{port}", one.arn, port)


def rule(one: Listener, name: str, priority: int, action: Action, *conditions: Condition) -> Rule:
    return Rule(f"{one.arn}/{name}", one.arn, priority, conditions, action)


def forward(*groups: tuple[TargetGroup, int]) -> Forward:
    return Forward(tuple(WeightedGroup(one.arn, weight) for one, weight in groups))


def assemble(
    balancers: list[LoadBalancer],
    listeners: list[Listener],
    rules: list[Rule],
    groups: list[TargetGroup],
    targets: dict[str, tuple[Target, ...]] | None = None,
) -> State:
    return State(
        load_balancers={one.arn: one for one in balancers},
        listeners={one.arn: one for one in listeners},
        rules={one.arn: one for one in rules},
        target_groups={one.arn: one for one in groups},
        targets=targets or {},
        tags={one.arn: {"Name": one.name} for one in balancers},
    )


def blue_green(blue_weight: int = 100, green_weight: int = 0) -> State:
    """What the program makes: a fixed default action, one rule for everything, a test listener for each colour."""
    one = balancer("app")
    blue, green = group("blue"), group("green")
    users, on_blue, on_green = listener(one, 80), listener(one, 9001), listener(one, 9002)
    return assemble(
        [one],
        [users, on_blue, on_green],
        [
            rule(users, "d80", DEFAULT, UNAVAILABLE),
            rule(users, "r80", 10, forward((blue, blue_weight), (green, green_weight)), PathPattern(("/*",))),
            rule(on_blue, "d9001", DEFAULT, forward((blue, 1))),
            rule(on_green, "d9002", DEFAULT, forward((green, 1))),
        ],
        [blue, green],
        {blue.arn: (Target("10.0.0.1", 8080), Target("10.0.0.2", 8080, 99.0)), green.arn: ()},
    )


def everything() -> State:
    """Each kind of action and condition, odd characters, every attribute that is honoured."""
    one, other = balancer("lb", idle_timeout__timeout_seconds="15"), balancer("other", 2)
    first, second, unused = (
        group("first"),
        group("second", port="9000", matcher="200-299,301", path="/a b?c=$d"),
        group("x"),
    )
    least = TargetGroup(
        **{**vars(second), "attributes": {"load_balancing.algorithm.type": "least_outstanding_requests"}}
    )
    users, elsewhere = listener(one, 80), listener(other, 8080)
    quiet = Listener(elsewhere.arn, elsewhere.load_balancer, 8080, {"routing.http.response.server.enabled": "false"})
    rules = [
        rule(users, "d", DEFAULT, forward((first, 1), (least, 2))),
        rule(users, "path", 50, forward((first, 0), (least, 0)), PathPattern(("/api/*", "/it's?\"$~"))),
        rule(users, "host", 40, UNAVAILABLE, HostHeader(("*.example.org",)), RequestMethod(("GET", "PUT"))),
        rule(users, "header", 30, FixedResponse(200, "text/html", "a \"b\" $c 'd'\n#é"), HttpHeader("X-A", ("x *",))),
        rule(users, "query", 20, Redirect(301, "HTTPS", "#{host}", "443", "/#{path}", "#{query}"),
             QueryString((QueryPair("v", "1*"), QueryPair(None, "be?a"))), SourceIp(("10.0.0.0/8",))),
        rule(users, "moved", 10, Redirect(302, "#{protocol}", "new.org", "#{port}", "/100%/#{path}", "x=1&#{query}"),
             PathPattern(("/old",))),
        rule(elsewhere, "e", DEFAULT, UNAVAILABLE),
    ]  # fmt: skip
    return assemble(
        [one, other], [users, quiet], rules, [first, least, unused], {first.arn: (Target("10.0.0.1", 8080),)}
    )


CERTIFICATES = tuple(f"arn:aws:acm:us-east-1:000000000000:certificate/{name}" for name in ("shop", "other"))
FILES = dict(zip(CERTIFICATES, ("certificates/shop-1.pem", "certificates/other-2.pem"), strict=True))


def secure() -> State:
    """What HTTPS adds: 443 with a certificate and another one, 80 that redirects, a listener of an old policy."""
    one, plain = balancer("app"), balancer("plain", 2, routing__http2__enabled="false")
    told = LoadBalancer(
        **{
            **vars(plain),
            "attributes": {**plain.attributes, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "true"},
        }
    )
    blue = group("blue")
    hsts = {"routing.http.response.strict_transport_security.header_value": "max-age=100%; includeSubDomains"}
    users = replace(
        listener(one, 443),
        protocol=HTTPS,
        policy="ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        certificates=CERTIFICATES,
        attributes=hsts,
    )
    old = replace(listener(told, 443), protocol=HTTPS, policy=DEFAULT_POLICY, certificates=CERTIFICATES[1:])
    moved = Redirect(301, "HTTPS", "#{host}", "443", "/#{path}", "#{query}")
    here = Redirect(302, "#{protocol}", "new.org", "#{port}", "/#{path}", "#{query}")
    http = listener(one, 80)
    return assemble(
        [one, told],
        [users, http, old],
        [
            rule(users, "d443", DEFAULT, UNAVAILABLE),
            rule(users, "r443", 10, forward((blue, 1)), PathPattern(("/*",))),
            rule(http, "d80", DEFAULT, moved),
            rule(old, "dold", DEFAULT, here),
        ],
        [blue],
    )
