"""Reading answers: whole, in parts, in chunks, cut off, mixed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.probe.answer import Answer, Malformed, parse

pytestmark = pytest.mark.pure


def raw(
    body: bytes, *, status: str = "200 OK", digest: str = "sha256:aa", colour: str = "blue", more: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nServer: x\r\nX-Release-Digest: {digest}\r\nx-release-colour: {colour}\r\n{more}"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


GOOD = Answer(status=200, digest="sha256:aa", colour="blue", mixed=False, keep_alive=True)


def said(digest: str, colour: str) -> bytes:
    return json.dumps({"status": "ok", "digest": digest, "colour": colour}).encode()


def test_headers_name_the_release() -> None:
    assert parse(raw(b"hello")) == GOOD


def test_a_status_body_names_it_where_headers_do_not() -> None:
    body = said("sha256:bb", "green")
    plain = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert parse(plain) == Answer(200, "sha256:bb", "green", mixed=False, keep_alive=True)


@pytest.mark.parametrize("body", [said("sha256:bb", "blue"), said("sha256:aa", "green")])
def test_headers_of_one_release_with_the_body_of_another_are_mixed(body: bytes) -> None:
    answer = parse(raw(body))
    assert answer is not None
    assert answer.mixed


@pytest.mark.parametrize("body", [said("sha256:aa", "blue"), b'{"digest": 1', b'["digest"]', b'"digest"', b""])
def test_a_body_that_agrees_or_says_nothing_is_not_mixed(body: bytes) -> None:
    assert parse(raw(body)) == GOOD


@given(st.binary(max_size=40), st.data())
def test_every_part_of_an_answer_waits_for_the_rest(body: bytes, data: st.DataObject) -> None:
    whole = raw(body)
    cut = data.draw(st.integers(0, len(whole) - 1))
    assert parse(whole[:cut]) is None
    with pytest.raises(Malformed, match="in the middle"):
        parse(whole[:cut], ended=True)
    assert parse(whole) is not None


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=4), st.data())
def test_chunks_are_put_together(chunks: list[bytes], data: st.DataObject) -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = head + b"".join(b"%x;x=y\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert parse(whole) == Answer(503, "", "", mixed=False, keep_alive=True)
    assert parse(whole[: data.draw(st.integers(0, len(whole) - 1))]) is None


def test_connection_close_is_honoured() -> None:
    answer = parse(raw(b"", more="Connection: Close\r\n"))
    assert answer is not None
    assert not answer.keep_alive


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    endless = b"HTTP/1.1 200 OK\r\nX-Release-Colour: blue\r\n\r\nso far"
    assert parse(endless) is None
    assert parse(endless, ended=True) == Answer(200, "", "blue", mixed=False, keep_alive=False)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_some_statuses_have_no_body(status: str) -> None:
    assert parse(f"HTTP/1.1 {status}\r\n\r\n".encode()) is not None


@pytest.mark.parametrize(
    ("garbage", "why"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not an HTTP answer"),
        (raw(b"hello") + b"more", "4 bytes more"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "not a chunk size"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "Content-Length"),
    ],
)
def test_what_is_no_answer_is_said_to_be_none(garbage: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse(garbage)
