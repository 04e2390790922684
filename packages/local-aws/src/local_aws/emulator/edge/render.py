"""State -> HAProxy configuration, as text. Pure.

One frontend per listener, one backend per target group that some load balancer uses. In a backend every target has two
servers: `s<n>` is checked; `open<n>` is a backup without check, so that all targets get traffic when no `s<n>` may have
any (AWS: fail open). Free slots wait, disabled, for targets that come at run time.

Which rule a request falls under is set in `txn.rule`; the weights of that rule come from the map `weights.map` as upper
ends of shares of a million, `500000:1000000` for halves. The first target group whose share holds the request's random
number gets it; a group with weight 0 has an empty share. So one `set map` moves all weights of a rule at once.

Every request that a target gets may be logged with the target's response time: `SAMPLES` of each group in a second, by
a lot whose odds follow the group's rate, so no configuration changes when traffic grows. See meter.py.

Text that came from users is quoted by `word` (configuration), `pattern` (regular expression), `template` (log format).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local_aws.emulator.elbv2 import attributes
from local_aws.emulator.elbv2.model import (
    HEALTH_CHECK_AGENT,
    HTTPS,
    Address,
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
    TargetGroup,
)
from local_aws.emulator.elbv2.tls import POLICIES, TLS_1_0, TLS_1_1

WHOLE = 1_000_000  # shares of a rule add up to this
MAP = "weights.map"
SAMPLES = 100  # response times of a target group that are logged in a second
NOWHERE: Address = ("127.0.0.1", 9)  # the address of a free slot, which is disabled
SHORTEST_INTERVAL, SHORTEST_TIMEOUT = 0.1, 5.0  # seconds; an answer takes no less time because clocks run faster
BALANCE = {
    "round_robin": "roundrobin",
    "least_outstanding_requests": "leastconn",
    "weighted_random": "random",
}

UNAVAILABLE = '"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"'
UNREACHABLE = '"<html><body><h1>No target could be reached</h1></body></html>"'
BAD_GATEWAY = '"<html><body><h1>502 Bad Gateway</h1></body></html>"'
GLOBAL = f"""\
global
  stats socket "unix@${{EDGE_SOCKET}}" mode 600 level admin expose-fd listeners
  stats timeout 20d
  log "127.0.0.1:${{EDGE_EVENTS}}" local0 notice
  maxconn "${{EDGE_MAXCONN}}"
  nbthread 2
  hard-stop-after 300s

defaults
  mode http
  timeout connect 10s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  option http-keep-alive
  option idle-close-on-response
  retries 0
  http-error status 400 content-type text/html string "<html><body><h1>400 Bad Request</h1></body></html>"
  http-error status 502 content-type text/html string {BAD_GATEWAY}
  http-error status 503 content-type text/html string {UNAVAILABLE}
  http-error status 504 content-type text/html string "<html><body><h1>504 Gateway Time-out</h1></body></html>"
"""

TRACE = "Root=1-%[date,hex,bytes(8,8),lower]-%[uuid,regsub(-,,g),bytes(0,24)]"


@dataclass(frozen=True)
class Seat:
    """A slot of a backend that holds a target. `trusted`: it was healthy, and starts so in a new process."""

    number: int  # from 1
    ip: str
    port: int
    trusted: bool = False


@dataclass(frozen=True)
class Rendered:
    """`structure` is `config` without any target: as long as it stays the same, no reload is needed."""

    config: str
    structure: str
    weights: Mapping[str, str]  # rule id -> upper ends of shares


def render(
    state: State,
    time_scale: float,
    sizes: Mapping[str, int],
    seats: Mapping[str, Sequence[Seat]],
    files: Mapping[str, str] | None = None,
) -> Rendered:
    """`sizes`: backend -> how many slots; `seats`: backend -> the taken ones; `files`: certificate -> its path.

    A certificate's path changes with its text, so another text is another structure.
    """
    return Rendered(
        config=_config(state, time_scale, sizes, seats, files or {}),
        structure=_config(state, time_scale, sizes, {}, files or {}),
        weights=weights(state),
    )


def backend(group: TargetGroup) -> str:
    """The name is for people, the id makes it unique even when a group of the same name is made again."""
    return f"{group.name}.{group.id}"


def frontend(balancer: LoadBalancer, listener: Listener) -> str:
    return f"{balancer.name}.{listener.port}"


def binds(state: State) -> set[Address]:
    return {(state.load_balancers[one.load_balancer].address, one.port) for one in state.listeners.values()}


def weights(state: State) -> dict[str, str]:
    """For every rule that forwards: its id -> `share:share:…`, in the order of its target groups."""
    return {rule.id: shares(rule.action) for rule in state.rules.values() if isinstance(rule.action, Forward)}


def shares(action: Forward) -> str:
    """Cumulative, rounded so that a weight above 0 never loses its share and the last one ends at the whole."""
    total = sum(group.weight for group in action.groups)
    ends, sum_so_far = [], 0
    for group in action.groups:
        sum_so_far += group.weight
        ends.append(str(sum_so_far * WHOLE // total if total else 0))
    return ":".join(ends)


def map_text(values: Mapping[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in values.items())


def _config(
    state: State,
    time_scale: float,
    sizes: Mapping[str, int],
    seats: Mapping[str, Sequence[Seat]],
    files: Mapping[str, str],
) -> str:
    sections = [GLOBAL]
    sections += ["\n".join(_frontend(state, one, files)) + "\n" for one in state.listeners.values()]
    for group in state.used_groups():
        name = backend(group)
        lines = _backend(state, group, time_scale)
        lines += _servers(sizes[name], seats.get(name, ()))
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


# ---------------------------------------------------------------- frontends


def _frontend(state: State, listener: Listener, files: Mapping[str, str]) -> Iterable[str]:
    balancer = state.load_balancers[listener.load_balancer]
    rules = state.rules_of(listener.arn)
    yield f"frontend {frontend(balancer, listener)}"
    yield f"  bind {balancer.address}:{listener.port}{_tls(balancer, listener, files)}"
    yield '  log "127.0.0.1:${EDGE_SAMPLES}" local1'
    yield '  log-format "%b %Tr %[var(txn.rate)]"'
    yield "  http-request set-log-level silent"
    yield f"  timeout client {idle_timeout(balancer)}s"
    yield f"  timeout http-keep-alive {idle_timeout(balancer)}s"
    yield "  option forwardfor"
    yield f"  http-request set-header X-Forwarded-Proto {listener.protocol.lower()}"
    yield f"  http-request set-header X-Forwarded-Port {listener.port}"
    yield f"  http-request set-header X-Amzn-Trace-Id {TRACE} unless {{ req.hdr(X-Amzn-Trace-Id) -m found }}"
    if listener.protocol == HTTPS:
        yield from _tls_headers(balancer)
    for rule in rules:
        yield from _choose(rule)
    for rule in rules:
        yield from _answer(rule, listener.protocol)
    if any(isinstance(rule.action, Forward) for rule in rules):
        yield f"  http-request set-var(txn.shares) var(txn.rule),map({MAP})"
        yield f"  http-request set-var(txn.number) rand({WHOLE})"
    # the load balancer's own answers say whose they are
    shown = attributes.complete(attributes.LISTENER, listener.attributes)
    if shown["routing.http.response.server.enabled"] == "true":
        yield "  http-after-response set-header Server awselb/2.0 unless { var(txn.answered) -m found }"
    else:
        yield "  http-after-response del-header Server"
    for header, value in attributes.headers_of(listener.attributes).items():
        yield f"  http-after-response set-header {header} {word(value.replace('%', '%%'))}"
    for rule in rules:
        yield from _forward(state, rule)


def _tls(balancer: LoadBalancer, listener: Listener, files: Mapping[str, str]) -> str:
    """The first certificate serves where no other one has the name that a client asks for."""
    if listener.protocol != HTTPS:
        return ""
    policy = POLICIES[listener.policy]
    http2 = _attribute(balancer, "routing.http2.enabled") == "true"
    new = [name for name in policy.ciphers if name.startswith("TLS_")]
    old = [name for name in policy.ciphers if not name.startswith("TLS_")]
    if policy.protocols[0] in (TLS_1_0, TLS_1_1):
        old.append("@SECLEVEL=0")  # otherwise OpenSSL does without these protocols, whatever is asked
    words = [
        *(f"crt {files[arn]}" for arn in listener.certificates),
        f"ssl-min-ver {_version(policy.protocols[0])}",
        f"ssl-max-ver {_version(policy.protocols[-1])}",
        *([f"ciphers {':'.join(old)}"] if old else []),
        *([f"ciphersuites {':'.join(new)}"] if new else []),
        f"alpn {'h2,' if http2 else ''}http/1.1",
    ]
    return f" ssl {' '.join(words)}"


def _version(protocol: str) -> str:
    """As HAProxy spells it."""
    return {TLS_1_0: "TLSv1.0"}.get(protocol, protocol)


def _tls_headers(balancer: LoadBalancer) -> Iterable[str]:
    """What targets learn of the client's connection, if the attribute is on."""
    if _attribute(balancer, "routing.http.x_amzn_tls_version_and_cipher_suite.enabled") == "true":
        yield "  http-request set-header X-Amzn-Tls-Version %[ssl_fc_protocol]"
        yield "  http-request set-header X-Amzn-Tls-Cipher-Suite %[ssl_fc_cipher]"


def _attribute(balancer: LoadBalancer, key: str) -> str:
    return attributes.complete(attributes.LOAD_BALANCER, balancer.attributes)[key]


def idle_timeout(balancer: LoadBalancer) -> int:
    """Seconds, not scaled: it concerns the application's own slowness."""
    return int(_attribute(balancer, "idle_timeout.timeout_seconds"))


def _choose(rule: Rule) -> Iterable[str]:
    """The first rule whose conditions all hold is the request's rule."""
    names = []
    for number, condition in enumerate(rule.conditions, 1):
        name = f"{rule.id}.{number}"
        names.append(name)
        yield from (f"  acl {name} {test}" for test in _tests(condition))
    free = "!{ var(txn.rule) -m found }"
    yield f"  http-request set-var(txn.rule) str({rule.id}) if {' '.join([free, *names])}"


def _tests(condition: Condition) -> list[str]:
    """ACL tests of which one must hold."""
    match condition:
        case PathPattern(values=values):
            return [f"path -m reg -- {pattern(value)}" for value in values]
        case HostHeader(values=values):
            return [f"req.hdr(Host),host_only -m reg -i -- {pattern(value)}" for value in values]
        case HttpHeader(name=name, values=values):
            return [f"req.fhdr({name}) -m reg -i -- {pattern(value)}" for value in values]
        case RequestMethod(values=values):
            return [f"method -m str -- {' '.join(values)}"]
        case SourceIp(values=values):
            return [f"src -- {' '.join(values)}"]
        case QueryString(values=pairs):
            return [f"query -m reg -i -- {_pair_pattern(pair)}" for pair in pairs]


def _answer(rule: Rule, protocol: str) -> Iterable[str]:
    """What the load balancer says by itself."""
    mine = f"if {{ var(txn.rule) -m str {rule.id} }}"
    match rule.action:
        case FixedResponse(status=status, content_type=content_type, body=body):
            text = f" content-type {content_type} string {word(body)}" if body else ""
            yield f"  http-request return status {status}{text} {mine}"
        case Redirect() as redirect:
            yield f"  http-request redirect code {redirect.status} location {_location(redirect, protocol)} {mine}"
        case Forward():
            pass


def _location(redirect: Redirect, protocol: str) -> str:
    """`protocol`: the listener's.

    A query is added with its question mark only where there is one: `%[query]` of none would leave a bare `?`.
    """
    scheme = redirect.protocol.lower()
    path = redirect.path if redirect.path != "/#{path}" else "#{/path}"
    query = f"?{redirect.query}" if redirect.query else ""
    if query == "?#{query}":
        path, query = ("#{/path?query}", "") if path == "#{/path}" else (path, "#{?query}")
    return template(f"{scheme}://{redirect.host}:{redirect.port}{path}{query}", protocol)


def _forward(state: State, rule: Rule) -> Iterable[str]:
    match rule.action:
        case Forward(groups=groups):
            for place, group in enumerate(groups, 1):
                name = backend(state.target_groups[group.arn])
                mine = f"{{ var(txn.rule) -m str {rule.id} }}"
                yield f"  use_backend {name} if {mine} {{ var(txn.shares),field({place},:),sub(txn.number) gt 0 }}"
        case FixedResponse() | Redirect():
            pass


# ---------------------------------------------------------------- backends


def _backend(state: State, group: TargetGroup, time_scale: float) -> list[str]:
    balancer = state.load_balancers[state.load_balancers_of(group.arn)[0]]
    algorithm = attributes.complete(attributes.TARGET_GROUP, group.attributes)["load_balancing.algorithm.type"]
    check, port = group.check, "" if group.check.port == "traffic-port" else f" port {group.check.port}"
    return [
        f"backend {backend(group)}",
        "  log global",
        "  option log-health-checks",
        "  http-request set-var(txn.rate) be_sess_rate",
        f"  http-request set-log-level info if {{ rand(1000),mul(txn.rate) lt {SAMPLES * 1000} }}",
        f"  balance {BALANCE[algorithm]}",
        "  option allbackups",
        f"  timeout server {idle_timeout(balancer)}s",
        f"  timeout check {milliseconds(max(check.timeout * time_scale, SHORTEST_TIMEOUT))}",
        "  option httpchk",
        f"  http-check connect linger{port}",
        f"  http-check send meth GET uri {word(check.path)} ver HTTP/1.1"
        f" hdr Host %[bc_dst]:%[bc_dst_port] hdr User-Agent {HEALTH_CHECK_AGENT}",
        f"  http-check expect status {check.matcher}",
        # HAProxy says 503 both where there is no server and where one cannot be reached, which is AWS's 502. The text
        # must fit both: `nbsrv`, which could tell, is 0 in a process that a reload has replaced.
        f"  http-error status 503 content-type text/html string {UNREACHABLE}",
        "  http-response set-var(txn.answered) bool(true)",
        "  http-after-response set-status 502 if { status 503 } { srv_id gt 0 } !{ var(txn.answered) -m found }",
        f"  default-server {_check_times(check, time_scale)}",
    ]


def _check_times(check: HealthCheck, time_scale: float) -> str:
    interval = milliseconds(max(check.interval * time_scale, SHORTEST_INTERVAL))
    return f"inter {interval} rise {check.healthy} fall {check.unhealthy}"


def milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _servers(size: int, seats: Sequence[Seat]) -> Iterable[str]:
    """Checked servers, then their open twins: each taken slot by itself, free ones in runs."""
    for seat in seats:
        state = "" if seat.trusted else " disabled"
        yield f"  server s{seat.number} {seat.ip}:{seat.port} check{state}"
    for first, last in free_runs(size, {seat.number for seat in seats}):
        yield f"  server-template s {first}-{last} {NOWHERE[0]}:{NOWHERE[1]} check disabled"
    for seat in seats:
        yield f"  server open{seat.number} {seat.ip}:{seat.port} backup"
    for first, last in free_runs(size, {seat.number for seat in seats}):
        yield f"  server-template open {first}-{last} {NOWHERE[0]}:{NOWHERE[1]} backup disabled"


def free_runs(size: int, taken: set[int]) -> list[tuple[int, int]]:
    """First and last number of each run of free slots among 1..size."""
    runs: list[tuple[int, int]] = []
    for number in range(1, size + 1):
        if number in taken:
            continue
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


# ---------------------------------------------------------------- quoting


def word(text: str) -> str:
    """One word of the configuration, whatever the text."""
    if re.fullmatch(r"[A-Za-z0-9_./:=,;@+-]+", text):
        return text
    escaped = []
    for byte in text.encode():
        letter = chr(byte)
        if letter in '"\\$':
            escaped.append("\\" + letter)
        elif 0x20 <= byte < 0x7F:
            escaped.append(letter)
        else:
            escaped.append(f"\\x{byte:02x}")
    return f'"{"".join(escaped)}"'


def pattern(wildcards: str) -> str:
    """`*` is any text, `?` one character, everything else itself; the whole must match."""
    return word(f"^{_expression(wildcards, '.')}$")


def _pair_pattern(pair: QueryPair) -> str:
    """Within one `key=value` of a query."""
    key = "[^&=]*" if pair.key is None else _expression(pair.key, "[^&=]")
    return word(f"(^|&){key}={_expression(pair.value, '[^&]')}(&|$)")


def _expression(wildcards: str, any_letter: str) -> str:
    special = {"*": f"{any_letter}*", "?": any_letter}
    return "".join(special.get(letter) or (letter if letter.isalnum() else f"\\{letter}") for letter in wildcards)


PLACES = {
    "#{host}": "%[req.hdr(Host),host_only]",
    "#{port}": "%[dst_port]",
    "#{path}": "%[path,regsub(^/,)]",
    "#{query}": "%[query]",
    "#{/path}": "%[path]",
    "#{/path?query}": "%[pathq]",
    "#{?query}": "%[url,regsub(^[^?]*,)]",
}


def template(text: str, protocol: str) -> str:
    """A log format in which the places of AWS's redirects are filled in. `protocol`: the request's."""
    text = text.replace("#{protocol}", protocol.lower())
    parts = re.split(r"(#\{[^}]*\})", text)
    return word("".join(PLACES.get(part, part.replace("%", "%%")) for part in parts))
