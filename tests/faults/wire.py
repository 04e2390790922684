"""AWS's wire formats, as far as a proxy needs them: which call a request is, and an error in that call's own form.

Sources: Smithy's awsQuery, awsJson 1.0 and 1.1, rpcv2Cbor and restXml (of S3, with the bucket in the path) protocols;
the credential scope of Signature Version 4.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs, urlsplit

Form = Literal["query", "json", "cbor", "rest"]

_SCOPE = re.compile(r"Credential=(?P<key>[^/,\s]+)/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
_CBOR_PATH = re.compile(r"/service/[^/]+/operation/(?P<operation>\w+)")
_PASSING = re.compile(
    rb"<RequestId>[^<]*</RequestId>|<(\w+:)?ResponseMetadata>.*?</(\w+:)?ResponseMetadata>", re.DOTALL
)


@dataclass(frozen=True)
class Call:
    """One request: `service` as IAM writes it, and the access key id that signed it. `body` says what is asked: with S3
    method and path as well."""

    service: str
    operation: str
    form: Form
    key: str
    body: bytes

    @property
    def name(self) -> str:
        """`elasticloadbalancing:ModifyRule`."""
        return f"{self.service}:{self.operation}"


@dataclass(frozen=True)
class Answer:
    """One answer, as it goes over the wire."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def says(self) -> bytes:
        """The body without what differs each time."""
        return _PASSING.sub(b"", self.body)


_OF_A_BUCKET = {
    "GET list-type": "ListObjectsV2",
    "GET versions": "ListObjectVersions",
    "GET versioning": "GetBucketVersioning",
    "PUT versioning": "PutBucketVersioning",
    "PUT publicAccessBlock": "PutPublicAccessBlock",
    "PUT object-lock": "PutObjectLockConfiguration",
    "PUT": "CreateBucket",
    "HEAD": "HeadBucket",
}
"""By method and query: the calls that the ledger makes."""


def read_call(path: str, headers: Mapping[str, str], body: bytes, method: str = "POST") -> Call | None:
    """Which call a request is; None for what is no AWS call (an image's layer, a health check)."""
    given = {name.lower(): value for name, value in headers.items()}
    scope = _SCOPE.search(given.get("authorization", ""))
    if scope is None:
        return None
    if target := given.get("x-amz-target"):
        return Call(scope["service"], target.rpartition(".")[2], "json", scope["key"], body)
    if found := _CBOR_PATH.search(path):
        return Call(scope["service"], found["operation"], "cbor", scope["key"], body)
    if scope["service"] == "s3" and method != "POST":
        asked = f"{method} {path}\n".encode() + body
        return Call("s3", _of_s3(method, path), "rest", scope["key"], asked)
    action = parse_qs(body.decode("latin-1")).get("Action")
    return Call(scope["service"], action[0], "query", scope["key"], body) if action else None


def _of_s3(method: str, path: str) -> str:
    """The operation; "GET acl" for one that the ledger has no use of."""
    where = urlsplit(path)
    if where.path.strip("/").partition("/")[2]:
        return f"{method.capitalize()}Object"
    asked = " ".join([method, *list(parse_qs(where.query, keep_blank_values=True))[:1]])
    return _OF_A_BUCKET.get(asked, asked)


def error(call: Call, status: int, code: str, message: str) -> Answer:
    """An error as this call's protocol spells it."""
    match call.form:
        case "query":
            text = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            body = f"<ErrorResponse>{text}<RequestId>0</RequestId></ErrorResponse>".encode()
            return Answer(status, (("Content-Type", "text/xml"),), body)
        case "rest":
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            return Answer(status, (("Content-Type", "application/xml"),), body)
        case "json":
            body = json.dumps({"__type": code, "message": message}).encode()
            return Answer(status, (("Content-Type", "application/x-amz-json-1.1"),), body)
        case "cbor":
            headers = (("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"))
            return Answer(status, headers, b"\xa2" + b"".join(map(_text, ("__type", code, "message", message))))


def _text(value: str) -> bytes:
    """A CBOR text string (RFC 8949, major type 3) of less than 256 bytes."""
    raw = value.encode()
    return (bytes((0x60 + len(raw),)) if len(raw) < 24 else bytes((0x78, len(raw)))) + raw
