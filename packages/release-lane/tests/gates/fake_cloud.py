"""A stand-in for `aws.cloud.Cloud`: two colours and a rule in memory, and a real site that serves by it."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from release_lane.aws.cloud import Balancer, Image, Rule
from release_lane.record.names import Access, Names
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Known, Located
from release_lane.watch.judge import Health
from release_lane.watch.rollout import Deployment, Reading, Target, Task

GROUPS = {colour: f"arn:group/{colour}" for colour in Colour}
RULE, LISTENER = "arn:rule/1", "arn:listener/80"
LOCATED = Located(dns_name="127.0.0.1", listener=LISTENER, rule=RULE, target_groups=GROUPS)
"""As an observation hands it on."""


def holding(release: Release, deployment: str, tasks: int = 2, colour_number: int = 1) -> Reading:
    """A colour on which every task runs this release and is healthy."""
    ips = [f"10.0.{colour_number}.{number}" for number in range(1, tasks + 1)]
    return Reading(
        exists=True,
        wanted=tasks,
        task_definition=f"app:{release.id}",
        deployments=(Deployment(id=deployment, primary=True, task_definition=f"app:{release.id}", state="COMPLETED"),),
        tasks=tuple(
            Task(arn=f"task/{ip}", deployment=deployment, status="RUNNING", digest=release.digest, ip=ip) for ip in ips
        ),
        targets=tuple(Target(ip=ip, state="healthy") for ip in ips),
    )


def sick(reading: Reading) -> Reading:
    """The same with one target that fails its health check."""
    first, *others = reading.targets
    return replace(reading, targets=(replace(first, state="unhealthy"), *others))


@dataclass
class FakeCloud:
    """One environment. `writes` are the changes made to the rule, in order; `before_write` may interfere with one."""

    names: Names
    sides: dict[Colour, Reading]
    releases: dict[Colour, Release]
    weights: dict[Colour, int] | None
    tags: dict[str, str] = field(default_factory=dict)
    listener: str = LISTENER
    images: dict[str, frozenset[str]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    before_write: Callable[[str], None] = lambda _: None
    kept: bool = False
    """Deletion protection of the load balancer."""
    takes: Callable[[Mapping[Colour, int]], Mapping[Colour, int]] = dict
    """What the load balancer makes of new weights."""

    def balancer(self, located: Located | None = None, *, tagged: bool = True) -> Balancer:
        assert located is None or not located.complete or replace(located, rule=RULE) == LOCATED
        del tagged
        rule = Rule(arn=RULE, weights=dict(self.weights), tags=dict(self.tags)) if self.weights is not None else None
        return Balancer(dns_name="127.0.0.1", listener=self.listener, target_groups=GROUPS, rule=rule)

    def keeps_balancer(self) -> bool:
        return self.kept

    def target_groups(self) -> Mapping[Colour, str]:
        return GROUPS

    def read(self, colour: Colour, target_group: str | None, known: Known | None = None) -> Reading:
        assert target_group in (GROUPS[colour], None)
        del known
        return self.sides[colour]

    def set_to(self, colour: Colour) -> tuple[int, str] | None:
        side = self.sides[colour]
        return (side.wanted, side.task_definition) if side.exists else None

    def set_service(self, colour: Colour, *, tasks: int, task_definition: str) -> None:
        self._write(f"{colour} {tasks} of {task_definition}")

    def image(self, *, digest: str = "", tag: str = "") -> Image | None:
        del tag
        manifests = self.images.get(digest)
        return Image(digest=digest, tags=(), manifests=manifests) if manifests else None

    def manifests(self, digest: str) -> frozenset[str]:
        return self.images.get(digest, frozenset({digest}))

    def release_of(self, task_definition: str) -> Release | None:
        return next((known for known in self.releases.values() if task_definition == f"app:{known.id}"), None)

    def rule(self, listener: str, groups: Mapping[Colour, str], arn: str = "") -> Rule | None:
        assert (listener, groups) == (LISTENER, GROUPS)
        assert arn in ("", RULE)
        return self.balancer().rule

    def health(self, groups: Mapping[Colour, str]) -> dict[Colour, Health]:
        assert groups == GROUPS
        return {colour: Health(wanted=side.wanted, healthy=side.healthy) for colour, side in self.sides.items()}

    def log_lines(self, task: str, limit: int = 15) -> list[str]:
        return [f"{task} says {number}" for number in range(min(2, limit))]

    def untag_rule(self, rule: str, keys: Collection[str]) -> None:
        assert rule == RULE
        self._write(f"untag {' '.join(key.rpartition(':')[2] for key in keys)}")
        self.tags = {key: value for key, value in self.tags.items() if key not in keys}

    def create_rule(
        self, listener: str, groups: Mapping[Colour, str], weights: Mapping[Colour, int], tags: Mapping[str, str]
    ) -> str:
        assert (listener, groups, self.weights) == (LISTENER, GROUPS, None)
        self._write(f"create {_words(weights)} {_phase(tags)}")
        self.weights, self.tags = dict(weights), dict(tags)
        return RULE

    def set_weights(self, rule: str, groups: Mapping[Colour, str], weights: Mapping[Colour, int]) -> None:
        assert (rule, groups) == (RULE, GROUPS)
        assert self.weights is not None
        self._write(f"weights {_words(weights)}")
        self.weights = dict(self.takes(weights))

    def tag_rule(self, rule: str, tags: Mapping[str, str]) -> None:
        assert rule == RULE
        self._write(_phase(tags))
        self.tags = {**self.tags, **tags}

    def delete_rule(self, rule: str) -> None:
        assert rule == RULE
        self._write("delete")
        self.weights, self.tags = None, {}

    def _write(self, what: str) -> None:
        self.before_write(what)
        self.writes.append(what)


def _words(weights: Mapping[Colour, int]) -> str:
    return " ".join(f"{colour} {weight}" for colour, weight in sorted(weights.items()))


def _phase(tags: Mapping[str, str]) -> str:
    return str(tags["release-lane:phase"])


@contextmanager
def site(cloud: Callable[[], FakeCloud]) -> Iterator[int]:
    """The port of a real site on loopback which serves the colour that has most of the weight."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            here = cloud()
            weights = here.weights or {}
            colour = max(weights, key=lambda each: weights[each], default=None)
            if colour is None or not weights[colour]:
                self._send(503, {"error": "no release"}, {})
                return
            release = here.releases[colour]
            identity = {"digest": release.digest, "colour": str(colour)}
            status = {"status": "ok", "commit": release.commit, **identity}
            paths = {"/health": {"status": "ok"}, "/api/v1/status": status}
            known = paths.get(urlsplit(self.path).path)
            headers = {f"X-Release-{name.title()}": value for name, value in identity.items()}
            self._send(200 if known else 404, known or {}, headers)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            algorithm = parse_qs(urlsplit(self.path).query).get("algorithm", [""])[0]
            known = {"sha256": hashlib.sha256, "sha3-256": hashlib.sha3_256}
            if algorithm in known:
                self._send(200, {"checksum": known[algorithm](body).hexdigest()}, {})
            else:
                self._send(400, {"error": f"known are {', '.join(known)}"}, {})

        def _send(self, code: int, body: object, headers: Mapping[str, str]) -> None:
            content = json.dumps(body).encode()
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def names(port: int) -> Names:
    """An environment whose production listener is at this port."""
    access = Access(region="us-east-1", account="000000000000")
    return Names.of("p-staging", access=access, users_port=port, log_group="/p/staging", repository="p/app")
