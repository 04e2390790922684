"""Flags in the sample: what it reads, what it keeps while AWS is away, and what one of them does."""

import hashlib
import io
import json
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime
from email.message import Message

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from fastapi.testclient import TestClient

from app.aws import GET_PARAMETER, GET_SECRET, TYPE, Action, get_parameter, get_secret, signed
from app.flags import Flags
from app.service import create_app
from app.settings import Settings

pytestmark = pytest.mark.pure

NAME = "/shop/production/flags"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENV = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret"}


@pytest.mark.parametrize("action", [GET_PARAMETER, GET_SECRET])
@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:4566"])
def test_the_question_is_signed_as_awss_own_library_signs_it(
    action: Action, token: str, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = {**ENV, **({"AWS_ENDPOINT_URL": endpoint} if endpoint else {})}
    ours = signed(
        action, {"Name": NAME}, env, {"AccessKeyId": "AKIA", "SecretAccessKey": "secret", "Token": token}, NOW
    )
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda **_: NOW.replace(tzinfo=None))
    headers = {"Content-Type": TYPE, "X-Amz-Target": action.target}
    theirs = AWSRequest("POST", ours.full_url, data=ours.data, headers=headers)
    SigV4Auth(Credentials("AKIA", "secret", token or None), action.service, "eu-west-1").add_auth(theirs)
    assert ours.get_header("Authorization") == theirs.headers["Authorization"]
    assert ours.full_url == (endpoint or f"https://{action.service}.eu-west-1.amazonaws.com")


def test_on_fargate_credentials_come_from_the_tasks_address() -> None:
    asked: list[urllib.request.Request] = []

    def ask(request: urllib.request.Request) -> bytes:
        asked.append(request)
        if request.full_url == "http://169.254.170.2/v2/credentials/1":
            return b'{"AccessKeyId": "ASIA", "SecretAccessKey": "s", "Token": "t"}'
        return json.dumps({"Parameter": {"Value": "{}"}}).encode()

    env = {"AWS_REGION": "eu-west-1", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/1"}
    assert get_parameter(NAME, env, ask) == "{}"
    assert "Credential=ASIA/" in str(asked[1].get_header("Authorization"))
    assert asked[1].get_header("X-amz-security-token") == "t"


def refusing(text: bytes) -> urllib.error.HTTPError:
    return urllib.error.HTTPError("http://ssm", 400, "Bad Request", Message(), io.BytesIO(text))


def test_a_parameter_that_does_not_exist_is_none_and_another_refusal_is_an_error() -> None:
    def missing(_: urllib.request.Request) -> bytes:
        raise refusing(b'{"__type": "ParameterNotFound"}')

    def denied(_: urllib.request.Request) -> bytes:
        raise refusing(b'{"__type": "AccessDeniedException"}')

    assert get_parameter(NAME, ENV, missing) is None
    with pytest.raises(urllib.error.HTTPError):
        get_parameter(NAME, ENV, denied)
    with pytest.raises(ValueError, match="the task has no role"):
        get_parameter(NAME, {"AWS_REGION": "eu-west-1"}, missing)


def test_a_secret_is_asked_for_by_its_arn() -> None:
    def answer(request: urllib.request.Request) -> bytes:
        assert json.loads(request.data or b"") == {"SecretId": "arn:aws:secretsmanager:eu-west-1:1:secret:x"}  # type: ignore[arg-type]
        return b'{"SecretString": "text"}'

    assert get_secret("arn:aws:secretsmanager:eu-west-1:1:secret:x", ENV, answer) == "text"


def test_flags_stay_as_they_were_while_aws_does_not_answer() -> None:
    answers: list[str | Exception | None] = ['{"timings": 100}', OSError("no route"), "no json", "[]", None]

    def read() -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    flags = Flags(read)
    flags.refresh()
    assert (flags.shares, flags.problem) == ({"timings": 100}, "")
    for _ in range(3):
        flags.refresh()
        assert flags.shares == {"timings": 100}
        assert flags.problem
    flags.refresh()
    assert (flags.shares, flags.problem) == ({}, ""), "the parameter was deleted"


def test_a_user_stays_in_a_share_that_grows() -> None:
    def among(share: int) -> set[int]:
        flags = Flags(lambda: json.dumps({"a": share}))
        flags.refresh()
        return {user for user in range(2000) if flags.on("a", str(user))}

    assert (among(0), among(100)) == (set(), set(range(2000)))
    assert 400 < len(among(25)) < 600
    assert among(25) < among(50)
    assert not Flags().on("a", "1"), "a flag that was never set is off"


def test_they_are_read_until_the_service_ends() -> None:
    ended, reads = threading.Event(), list[int]()

    def read() -> str:
        reads.append(1)
        ended.set()
        return "{}"

    Flags(read).follow(ended, every=0.001)
    assert len(reads) == 1


def test_the_flag_timings_is_seen_by_users_and_the_status_says_which_there_are() -> None:
    flags = Flags(lambda: '{"timings": 100}')
    client = TestClient(create_app(Settings(), flags))
    before = client.post("/api/v1/checksums", content=b"abc").json()
    assert before == {"algorithm": "sha256", "checksum": hashlib.sha256(b"abc").hexdigest(), "bytes": 3}
    flags.refresh()
    assert client.post("/api/v1/checksums", content=b"abc").json().keys() == {*before, "ms"}
    assert client.get("/api/v1/status").json()["flags"] == {"timings": 100}


def test_a_service_that_cannot_read_its_flags_is_well_and_says_so() -> None:
    def denied() -> str:
        raise OSError("no route")

    flags = Flags(denied)
    flags.refresh()
    status = TestClient(create_app(Settings(), flags)).get("/api/v1/status").json()
    assert (status["status"], status["flagsProblem"]) == ("ok", "OSError: no route")
