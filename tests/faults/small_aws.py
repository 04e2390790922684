"""A few calls of AWS in memory, behind a real socket: enough for one production rule, an identity and an image index.

For tests of retries, which need AWS's protocols but no tasks; what needs tasks runs on the local cloud.
"""

from __future__ import annotations

import datetime
import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

from tests.faults.wire import Call, error, read_call

ACCOUNT = "000000000000"
LISTENER = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener/app/p-staging/1/1"
RULE = "arn:aws:elasticloadbalancing:us-east-1:000000000000:listener-rule/app/p-staging/1/1/1"
INDEX, PLATFORM = "sha256:" + "1" * 64, "sha256:" + "2" * 64


@dataclass
class SmallAws:
    """`weights` (by target group) and `tags` are the rule's; `rule` says whether there is one."""

    rule: bool = True
    weights: dict[str, int] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    assumed: int = 0
    asked_to_assume: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def do(self, call: Call) -> tuple[int, bytes]:
        """Status and body."""
        given = dict(parse_qsl(call.body.decode())) if call.form == "query" else json.loads(call.body or b"{}")
        work: Callable[[dict[str, Any]], str | dict[str, Any]] = getattr(self, f"_{call.operation}")
        try:
            result = work(given)
        except LookupError as missing:
            return 400, error(call, 400, str(missing.args[0]), "no").body
        if isinstance(result, dict):
            return 200, json.dumps(result).encode()
        name = call.operation
        return 200, f"<{name}Response><{name}Result>{result}</{name}Result></{name}Response>".encode()

    # ---- STS

    def _GetCallerIdentity(self, given: dict[str, str]) -> str:
        del given
        return f"<Account>{ACCOUNT}</Account>"

    def _AssumeRole(self, given: dict[str, str]) -> str:
        self.assumed += 1
        self.asked_to_assume = {key: value for key, value in given.items() if key not in ("Action", "Version")}
        until = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)).isoformat()
        parts = {"AccessKeyId": f"ASIA{self.assumed}", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": until}
        return "<Credentials>" + "".join(f"<{key}>{value}</{key}>" for key, value in parts.items()) + "</Credentials>"

    # ---- Elastic Load Balancing

    def _DescribeRules(self, given: dict[str, str]) -> str:
        del given
        if not self.rule:
            return "<Rules></Rules>"
        groups = "".join(
            f"<member><TargetGroupArn>{arn}</TargetGroupArn><Weight>{weight}</Weight></member>"
            for arn, weight in self.weights.items()
        )
        forward = f"<ForwardConfig><TargetGroups>{groups}</TargetGroups></ForwardConfig>"
        actions = f"<Actions><member><Type>forward</Type>{forward}</member></Actions>"
        path = "<member><Field>path-pattern</Field><Values><member>/*</member></Values></member>"
        rest = f"<Priority>1</Priority><IsDefault>false</IsDefault><Conditions>{path}</Conditions>"
        return f"<Rules><member><RuleArn>{RULE}</RuleArn>{rest}{actions}</member></Rules>"

    def _DescribeTags(self, given: dict[str, str]) -> str:
        del given
        tags = "".join(f"<member><Key>{key}</Key><Value>{value}</Value></member>" for key, value in self.tags.items())
        return (
            f"<TagDescriptions><member><ResourceArn>{RULE}</ResourceArn><Tags>{tags}</Tags></member></TagDescriptions>"
        )

    def _CreateRule(self, given: dict[str, str]) -> str:
        if self.rule:
            raise LookupError("PriorityInUse")
        self.writes.append("CreateRule")
        self.rule, self.weights, self.tags = True, _weights(given), _tags(given)
        return self._DescribeRules(given)

    def _ModifyRule(self, given: dict[str, str]) -> str:
        self.writes.append("ModifyRule")
        self.weights = _weights(given)
        return self._DescribeRules(given)

    def _DeleteRule(self, given: dict[str, str]) -> str:
        del given
        if not self.rule:
            raise LookupError("RuleNotFound")
        self.writes.append("DeleteRule")
        self.rule = False
        return ""

    def _AddTags(self, given: dict[str, str]) -> str:
        self.writes.append("AddTags")
        self.tags |= _tags(given)
        return ""

    # ---- ECR: one image index of one platform

    def _DescribeImages(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"imageDetails": [{"imageDigest": given["imageIds"][0]["imageDigest"], "imageTags": ["v1"]}]}

    def _BatchGetImage(self, given: dict[str, Any]) -> dict[str, Any]:
        """As a registry does it: who does not ask for an index gets the manifest of one platform."""
        accepted = given.get("acceptedMediaTypes") or ["application/vnd.docker.distribution.manifest.v2+json"]
        index = {"manifests": [{"digest": PLATFORM, "platform": {"architecture": "arm64", "os": "linux"}}]}
        whole = "application/vnd.oci.image.index.v1+json" in accepted
        return {"images": [{"imageManifest": json.dumps(index if whole else {"layers": []})}]}


def _weights(given: dict[str, str]) -> dict[str, int]:
    prefix = "Actions.member.1.ForwardConfig.TargetGroups.member"
    found: dict[str, int] = {}
    for number in itertools.count(1):
        if (arn := given.get(f"{prefix}.{number}.TargetGroupArn")) is None:
            return found
        found[arn] = int(given[f"{prefix}.{number}.Weight"])
    return found


def _tags(given: dict[str, str]) -> dict[str, str]:
    keys = {name: value for name, value in given.items() if name.startswith("Tags.member.") and name.endswith(".Key")}
    return {key: given[name.removesuffix("Key") + "Value"] for name, key in keys.items()}


def _handler(aws: SmallAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            call = read_call(self.path, dict(self.headers), body)
            status, content = aws.do(call) if call else (404, b"")
            self.send_response(status)
            self.send_header("Content-Type", "text/xml" if call and call.form == "query" else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    return Handler
