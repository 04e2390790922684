"""HTTP/1.1 answers, as far as a prober needs them: where they end, and which release gave them. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from release_lane.record.asking import Said

_FIELDS = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection|x-release-digest|x-release-colour):[ \t]*([^\r]*)",
    re.IGNORECASE,
)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d\d\d)[ \r]")


class Malformed(ValueError):
    """What came is no HTTP/1.1 answer."""


@dataclass(frozen=True)
class Answer:
    """One whole answer. `digest` and `colour` are empty when it names no release.

    `names`: of "header" and "status", where both are named. `well`: its body says `status: ok`.
    """

    status: int
    digest: str
    colour: str
    mixed: bool  # its headers and its body name different releases
    keep_alive: bool
    names: frozenset[str] = field(default=frozenset(), compare=False)
    well: bool = field(default=False, compare=False)


def parse(data: bytes, *, ended: bool = False) -> Answer | None:
    """The answer in `data`, or None while a part is missing. `ended`: the other side has closed.

    Malformed for what is no HTTP, for bytes after the end, and for an end that comes too early.
    """
    if (head_end := data.find(b"\r\n\r\n")) < 0:
        return _missing(ended)
    if not (status_line := _STATUS.match(data)):
        raise Malformed(f"not an HTTP answer: {data[:40]!r}")
    status = int(status_line[1])
    fields = {name.lower(): value.strip() for name, value in _FIELDS.findall(data[: head_end + 2])}
    body = _body(data[head_end + 4 :], status, fields, ended)
    if body is None:
        return _missing(ended)
    keep_alive = not ended and fields.get(b"connection", b"").lower() != b"close"
    return _answer(status, fields, body, keep_alive)


def _missing(ended: bool) -> Answer | None:
    if ended:
        raise Malformed("closed in the middle of an answer")
    return None


def _body(rest: bytes, status: int, fields: dict[bytes, bytes], ended: bool) -> bytes | None:
    """The whole body, or None while it is not."""
    if status in (204, 304):
        return b""
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _chunks(rest)
    if (length := fields.get(b"content-length")) is None:
        return rest if ended else None  # it ends with the connection
    if not length.isdigit():
        raise Malformed(f"not a Content-Length: {length[:40]!r}")
    missing = int(length) - len(rest)
    if missing < 0:
        raise Malformed(f"{-missing} bytes more than Content-Length says")
    return None if missing else rest


def _chunks(rest: bytes) -> bytes | None:
    body, at = b"", 0
    while (line_end := rest.find(b"\r\n", at)) >= 0:
        try:
            size = int(rest[at:line_end].partition(b";")[0], 16)
        except ValueError:
            raise Malformed(f"not a chunk size: {rest[at:line_end][:40]!r}") from None
        at = line_end + 2 + size + 2
        if size == 0:
            return body if rest.endswith(b"\r\n\r\n") else None
        body += rest[line_end + 2 : at - 2]
    return None


def _answer(status: int, fields: dict[bytes, bytes], body: bytes, keep_alive: bool) -> Answer:
    inside = _status_in(body)
    said = Said.of(inside, {name.decode(): value.decode("latin-1") for name, value in fields.items()})
    digest, colour = (head or body for head, body in zip(said.header, said.status, strict=True))
    where = {"header": said.header, "status": said.status}
    return Answer(
        status,
        digest,
        colour,
        said.mixed,
        keep_alive,
        names=frozenset(place for place, named in where.items() if all(named)),
        well=inside.get("status") == "ok",
    )


def _status_in(body: bytes) -> dict[str, object]:
    """What a status body says; {} when it is something else."""
    if b'"digest"' not in body and b'"status"' not in body:
        return {}
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
