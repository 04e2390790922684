"""CloudWatch's three protocols -> one form of request, and one form of answer -> each of them. Pure.

boto3 of today speaks Smithy RPC v2 with CBOR; JSON (AWS JSON 1.0) and the old query protocol are served as well.
https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-query-compatible (error codes in a header)
"""

from __future__ import annotations

import gzip
import json
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

from local_aws.emulator.cloudwatch import cbor
from local_aws.emulator.cloudwatch.cbor import Moment
from local_aws.emulator.query import Tree, parse
from local_aws.emulator.wire import Entries, Response, ServiceError, query_error, query_response

NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
VERSION = "2010-08-01"
Protocol = Literal["cbor", "json", "query"]
CBOR_HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
JSON_HEADERS = {"Content-Type": "application/x-amz-json-1.0"}


@dataclass(frozen=True)
class Request:
    protocol: Protocol
    action: str
    members: Mapping[str, Any]


def protocol_of(headers: Mapping[str, str]) -> Protocol:
    """`headers`: names in lower case."""
    if "cbor" in headers.get("smithy-protocol", "") or "cbor" in headers.get("content-type", ""):
        return "cbor"
    return "json" if "x-amz-target" in headers else "query"


def read(path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]) -> Request:
    """Raises ServiceError for a body that cannot be read."""
    if headers.get("content-encoding", "") == "gzip":
        body = _unpacked(body)
    match protocol_of(headers):
        case "cbor":
            return Request("cbor", path.rpartition("/operation/")[2], _object(body and cbor.decode, body))
        case "json":
            action = headers["x-amz-target"].rpartition(".")[2]
            return Request("json", action, _object(json.loads, body))
        case "query":
            members = _lists(parse(body.decode(errors="replace") or urlencode(query, doseq=True)))
            if members.pop("Version", VERSION) != VERSION:
                raise ServiceError("InvalidAction", f"Only version {VERSION} of the API is served.")
            return Request("query", str(members.pop("Action", "")), members)


def _unpacked(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error) as error:
        raise ServiceError("SerializationException", "The body is not what its Content-Encoding says.") from error


def _object(decode: Any, body: bytes) -> Mapping[str, Any]:
    try:
        value = decode(body) if body else {}
    except (ValueError, RecursionError) as error:
        raise ServiceError("SerializationException", f"The body cannot be read: {error}") from error
    if not isinstance(value, Mapping):
        raise ServiceError("SerializationException", "The body is no structure.")
    return value


def _lists(tree: Mapping[str, Tree]) -> dict[str, Any]:
    """`A.member.1` as a list."""
    return {key: _list_or(value) for key, value in tree.items()}


def _list_or(value: Tree) -> Any:
    match value:
        case {"member": dict(members)} if len(value) == 1 and all(map(str.isdecimal, members)):
            return [_list_or(members[key]) for key in sorted(members, key=int)]
        case dict():
            return _lists(value)
        case _:
            return value


def write(request: Request, answer: Mapping[str, Any]) -> Response:
    """Members that are None are left out."""
    match request.protocol:
        case "cbor":
            return 200, {**CBOR_HEADERS, **_request_id()}, cbor.encode(_without_none(answer))
        case "json":
            return 200, {**JSON_HEADERS, **_request_id()}, json.dumps(_without_none(answer)).encode()
        case "query":
            return query_response(request.action, _as_text(_without_none(answer)), NAMESPACE)


def refuse(protocol: Protocol, error: ServiceError) -> Response:
    if protocol == "query":
        return query_error(error, NAMESPACE)
    document = {"__type": error.code, "message": error.message}
    fault = "Sender" if error.status < 500 else "Receiver"
    headers = {"x-amzn-query-error": f"{error.code};{fault}", **_request_id()}
    if protocol == "cbor":
        return error.status, {**CBOR_HEADERS, **headers}, cbor.encode(document)
    return error.status, {**JSON_HEADERS, **headers}, json.dumps(document).encode()


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": str(uuid.uuid4())}


def _without_none(value: Any) -> Any:
    match value:
        case Entries():
            return value
        case Mapping():
            return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
        case str() | bytes():
            return value
        case Sequence():
            return [_without_none(inner) for inner in value]
        case _:
            return value


def _as_text(value: Any) -> Any:
    """Times as ISO 8601, as XML wants them."""
    match value:
        case Moment():
            return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Entries():
            return value
        case Mapping():
            return {key: _as_text(inner) for key, inner in value.items()}
        case str():
            return value
        case Sequence():
            return [_as_text(inner) for inner in value]
        case _:
            return value
