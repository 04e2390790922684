"""What Elastic Load Balancing knows, as values: load balancers, listeners, rules, target groups, targets, tags.

Only Application Load Balancers with HTTP and HTTPS listeners and target type `ip`: what this cloud does not carry is
refused when it is asked for, so nothing here is a promise that the load balancer (`local_aws.emulator.edge`) does not
keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

DEFAULT = 0  # the priority of a listener's default rule: after all others
HEALTH_CHECK_AGENT = "ELB-HealthChecker/2.0"
HTTP, HTTPS = "HTTP", "HTTPS"


@dataclass(frozen=True)
class WeightedGroup:
    arn: str
    weight: int  # 0..999


@dataclass(frozen=True)
class Forward:
    groups: tuple[WeightedGroup, ...]


@dataclass(frozen=True)
class FixedResponse:
    status: int  # 2xx, 4xx or 5xx
    content_type: str
    body: str


@dataclass(frozen=True)
class Redirect:
    """Each part may hold #{protocol}, #{host}, #{port}, #{path}, #{query}."""

    status: int  # 301 or 302
    protocol: str
    host: str
    port: str
    path: str
    query: str


Action = Forward | FixedResponse | Redirect


@dataclass(frozen=True)
class PathPattern:
    values: tuple[str, ...]


@dataclass(frozen=True)
class HostHeader:
    values: tuple[str, ...]


@dataclass(frozen=True)
class HttpHeader:
    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class RequestMethod:
    values: tuple[str, ...]


@dataclass(frozen=True)
class SourceIp:
    values: tuple[str, ...]  # CIDR


@dataclass(frozen=True)
class QueryPair:
    key: str | None  # None: any key
    value: str


@dataclass(frozen=True)
class QueryString:
    values: tuple[QueryPair, ...]


Condition = PathPattern | HostHeader | HttpHeader | RequestMethod | SourceIp | QueryString


@dataclass(frozen=True)
class Rule:
    arn: str
    listener: str  # arn
    priority: int  # 1..50000, or DEFAULT
    conditions: tuple[Condition, ...]
    action: Action

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True)
class Listener:
    """`policy` and `certificates` (arns, the default one first) are those of an HTTPS listener."""

    arn: str
    load_balancer: str  # arn
    port: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    protocol: str = HTTP
    policy: str = ""
    certificates: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subnet:
    id: str
    zone: str


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    arn: str
    name: str
    number: int
    scheme: str
    vpc: str
    subnets: tuple[Subnet, ...]
    security_groups: tuple[str, ...]
    address_type: str
    created: str  # ISO 8601, UTC
    attributes: Mapping[str, str] = field(default_factory=dict)
    block: str = "127.0.10"  # of the local cloud that made it

    @property
    def address(self) -> str:
        return f"{self.block}.{self.number}"


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """As the API has it: seconds not yet scaled. `port` is "traffic-port" or a number."""

    path: str
    port: str
    interval: int
    timeout: int
    healthy: int
    unhealthy: int
    matcher: str  # "200", "200,302", "200-299"


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    arn: str
    name: str
    port: int
    vpc: str
    check: HealthCheck
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]


Address = tuple[str, int]  # IPv4 address, port


@dataclass(frozen=True)
class Target:
    ip: str
    port: int
    draining_until: float | None = None  # seconds since the epoch

    @property
    def address(self) -> Address:
        return self.ip, self.port


@dataclass(frozen=True)
class TargetHealth:
    """`state`: initial, healthy, unhealthy, draining or unused; reason and description empty when healthy."""

    state: str
    reason: str = ""
    description: str = ""


@dataclass(frozen=True)
class State:
    """Everything, keyed by arn, in order of creation. Default rules are among the rules."""

    load_balancers: Mapping[str, LoadBalancer] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    target_groups: Mapping[str, TargetGroup] = field(default_factory=dict)
    targets: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)  # by target group
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def listeners_of(self, load_balancer: str) -> list[Listener]:
        return [one for one in self.listeners.values() if one.load_balancer == load_balancer]

    def users_of(self, certificate: str) -> list[str]:
        """Load balancers with a listener that has it."""
        found = (one.load_balancer for one in self.listeners.values() if certificate in one.certificates)
        return list(dict.fromkeys(found))

    def rules_of(self, listener: str) -> list[Rule]:
        """In the order in which they are tried: by priority, the default last."""
        mine = [rule for rule in self.rules.values() if rule.listener == listener]
        return sorted(mine, key=lambda rule: (rule.priority == DEFAULT, rule.priority))

    def default_rule(self, listener: str) -> Rule:
        return self.rules_of(listener)[-1]

    def load_balancers_of(self, target_group: str) -> list[str]:
        """Load balancers with a listener or rule that forwards to it, with whatever weight."""
        listeners = {rule.listener for rule in self.rules.values() if target_group in groups_of(rule.action)}
        found = {self.listeners[arn].load_balancer: None for arn in self.listeners if arn in listeners}
        return list(found)

    def used_groups(self) -> Iterator[TargetGroup]:
        """Target groups that some load balancer forwards to."""
        used = {arn for rule in self.rules.values() for arn in groups_of(rule.action)}
        return (group for arn, group in self.target_groups.items() if arn in used)

    def with_targets(self, group: str, targets: tuple[Target, ...]) -> State:
        return replace(self, targets={**self.targets, group: targets})


def groups_of(action: Action) -> tuple[str, ...]:
    match action:
        case Forward(groups=groups):
            return tuple(one.arn for one in groups)
        case FixedResponse() | Redirect():
            return ()
