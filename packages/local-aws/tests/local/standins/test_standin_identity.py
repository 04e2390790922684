"""Whose credentials these are, asked without botocore, and with it where that gives no plain answer."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from local_aws.standins.aws.identity import CallerIdentity, identity_in

pytestmark = pytest.mark.provider

WHO = {"Account": "000000000000", "Arn": "arn:aws:iam::000000000000:root", "UserId": "AIDA"}
BODY = "<R><G>" + "".join(f"<{name}>{value}</{name}>" for name, value in WHO.items()) + "</G></R>"


class Whole:
    """A client that can do all; it counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def get_caller_identity(self) -> dict[str, Any]:
        self.asked += 1
        return {**WHO, "UserId": "by botocore"}


@contextmanager
def answering(status: int, body: str) -> Iterator[tuple[str, list[tuple[dict[str, str], str]]]]:
    """A server on loopback that answers every POST so; its endpoint and what it was sent."""
    got: list[tuple[dict[str, str], str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(endpoint: str, whole: Whole, token: str = "") -> dict[str, Any]:
    access = {"endpoint": endpoint, "key": "AKIAKEY", "secret": "secret", "token": token}
    return CallerIdentity("eu-central-1", access, lambda: whole).get_caller_identity()


def test_a_plain_answer_is_taken() -> None:
    whole = Whole()
    with answering(200, BODY) as (endpoint, got):
        assert asked(endpoint, whole) == WHO
    assert whole.asked == 0
    assert got[0][1] == "Action=GetCallerIdentity&Version=2011-06-15"


def test_key_and_token_are_sent_and_the_secret_is_not() -> None:
    with answering(200, BODY) as (endpoint, got):
        asked(endpoint, Whole(), token="session-token")
    headers, _ = got[0]
    assert "Credential=AKIAKEY/" in headers["Authorization"]
    assert "/eu-central-1/sts/aws4_request" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "session-token"
    assert "secret" not in str(headers)


@pytest.mark.parametrize(("status", "body"), [(500, BODY), (403, BODY), (200, "<R></R>"), (200, "")])
def test_any_other_answer_is_left_to_botocore(status: int, body: str) -> None:
    whole = Whole()
    with answering(status, body) as (endpoint, _):
        assert asked(endpoint, whole)["UserId"] == "by botocore"
    assert whole.asked == 1


def test_no_answer_at_all_is_left_to_botocore() -> None:
    whole = Whole()
    with answering(200, BODY) as (endpoint, _):
        pass
    assert asked(endpoint, whole)["UserId"] == "by botocore"


def test_an_answer_that_was_cut_off_is_none() -> None:
    whole = f"HTTP/1.1 200 OK\r\n\r\n{BODY}"
    assert identity_in(whole) == WHO
    assert identity_in(whole[: whole.index("UserId")]) is None
