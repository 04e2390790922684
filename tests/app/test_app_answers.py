"""The service in this process, without a socket."""

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app import selfcheck
from app.checksums import SUPPORTED_ALGORITHMS, checksum
from app.observed import JsonLines, Observed
from app.service import create_app
from app.settings import Settings

pytestmark = pytest.mark.pure

SETTINGS = Settings(commit="c0ffee", digest="sha256:aa", colour="blue", release_id="r1")


@pytest.fixture
def api() -> FastAPI:
    return create_app(SETTINGS)


@pytest.fixture
def client(api: FastAPI) -> TestClient:
    return TestClient(Observed(api, SETTINGS), raise_server_exceptions=False)


def test_health_is_ok(client: TestClient) -> None:
    assert (client.get("/health").status_code, client.get("/health").json()) == (200, {"status": "ok"})


def test_status_names_the_release(client: TestClient) -> None:
    answer = client.get("/api/v1/status").json()
    assert answer.pop("startedAt").endswith("+00:00")
    assert answer == {
        "status": "ok",
        "problems": [],
        "database": {"state": "not configured"},
        "cache": {"state": "not configured"},
        "flags": {},
        "commit": "c0ffee",
        "digest": "sha256:aa",
        "colour": "blue",
        "releaseId": "r1",
    }


def test_a_broken_build_says_error_while_health_stays_ok(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUPPORTED_ALGORITHMS, "sha256", hashlib.sha3_256)
    answer = client.get("/api/v1/status")
    assert (answer.status_code, answer.json()["status"]) == (200, "error")
    assert answer.json()["problems"] == ["sha256 of 'abc' begins with 3a985da74fe225b2, should be ba7816bf8f01cfea"]
    assert client.get("/health").json() == {"status": "ok"}


def test_the_selfcheck_sees_a_missing_and_an_unchecked_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(SUPPORTED_ALGORITHMS, "sha512")
    monkeypatch.setitem(SUPPORTED_ALGORITHMS, "md5", hashlib.md5)
    assert [problem.split()[0] for problem in selfcheck.problems()] == ["md5", "sha512"]


@pytest.mark.parametrize("algorithm", SUPPORTED_ALGORITHMS)
def test_checksums_are_those_of_hashlib(client: TestClient, algorithm: str) -> None:
    body = b"release lane" * 10_000
    answer = client.post("/api/v1/checksums", params={"algorithm": algorithm}, content=body)
    expected = hashlib.new(algorithm.replace("sha3-", "sha3_"), body).hexdigest()
    assert answer.json() == {"algorithm": algorithm, "checksum": expected, "bytes": len(body)}


async def arriving(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def test_a_stream_has_the_checksum_of_its_whole() -> None:
    whole = asyncio.run(checksum(arriving(b"a", b"", b"bc"), "sha256"))
    assert whole == (3, hashlib.sha256(b"abc").hexdigest())


def test_an_unknown_algorithm_is_answered_with_those_there_are(client: TestClient) -> None:
    answer = client.post("/api/v1/checksums?algorithm=rot13", content=b"abc")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "algorithm 'rot13': should be one of sha256, sha3-256, sha512"


def test_a_body_above_the_limit_is_refused() -> None:
    small = TestClient(create_app(SETTINGS, largest_body=3))
    assert small.post("/api/v1/checksums", content=b"abc").status_code == 200
    assert small.post("/api/v1/checksums", content=b"abcd").status_code == 413


@pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/nothing", 404), ("/broken", 500)])
def test_every_answer_says_which_release_gave_it(api: FastAPI, client: TestClient, path: str, status: int) -> None:
    @api.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a bug")

    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["x-release-digest"] == "sha256:aa"
    assert answer.headers["x-release-colour"] == "blue"
    assert answer.headers["x-release-id"] == "r1"


def test_without_a_release_there_are_no_release_headers() -> None:
    plain = TestClient(Observed(create_app(Settings()), Settings()))
    assert not [name for name in plain.get("/health").headers if name.startswith("x-release")]


@pytest.mark.parametrize(("given", "kept"), [("trace-1:2=3", True), ("two words", False), ("x" * 129, False)])
def test_a_request_id_is_kept_when_it_is_harmless(client: TestClient, given: str, kept: bool) -> None:
    answered = client.get("/health", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert (answered == given) is kept
    assert answered


def test_each_request_leaves_one_json_line_and_health_checks_none(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="app")
    client.get("/health")
    client.get("/nothing", headers={"X-Request-Id": "q7"})
    (record,) = (record for record in caplog.records if record.name == "app")
    line = json.loads(JsonLines("c0ffee").format(record))
    assert line.pop("time").endswith("+00:00")
    assert line.pop("ms") >= 0
    assert line == {
        "level": "info",
        "message": "GET /nothing",
        "commit": "c0ffee",
        "path": "/nothing",
        "status": 404,
        "requestId": "q7",
    }


def test_an_exception_stays_on_its_line() -> None:
    try:
        raise RuntimeError("a\nbug")
    except RuntimeError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (RuntimeError, error, None))
    line = JsonLines("c").format(record)
    assert "\n" not in line
    assert json.loads(line)["exception"] == "RuntimeError: a\nbug"


def test_settings_come_from_the_environment() -> None:
    given = {"PORT": "9000", "COMMIT": "c", "RELEASE_DIGEST": "d", "RELEASE_COLOUR": "green", "RELEASE_ID": "i"}
    assert Settings.from_environment(given) == Settings(
        port=9000, commit="c", digest="d", colour="green", release_id="i"
    )
    assert Settings.from_environment({"PORT": "", "COMMIT": ""}) == Settings()


@pytest.mark.parametrize(("said", "level"), [("warning", logging.WARNING), ("", logging.INFO), ("loud", logging.INFO)])
def test_the_level_of_the_log_is_configuration_and_an_unknown_one_is_info(said: str, level: int) -> None:
    assert Settings.from_environment({"LOG_LEVEL": said}).log_level == level


def test_a_port_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="'http'"):
        Settings.from_environment({"PORT": "http"})
