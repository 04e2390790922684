"""Credentials that have to outlive a switch, and those that renew themselves."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from release_lane.aws import session
from release_lane.errors import Refused, UsageError
from release_lane.record.names import Access

pytestmark = pytest.mark.pure

ACCESS = Access(region="us-east-1", account="000000000000")


class Expiring:
    """Credentials of botocore's kind that end in ten minutes; a renewal makes them last for so many more."""

    def __init__(self, method: str, renewed: int | None) -> None:
        self.method = method
        self.given = datetime.datetime.now(datetime.UTC)
        self._expiry_time = self.given + datetime.timedelta(minutes=10)
        self._renewed = renewed

    def get_frozen_credentials(self) -> None:
        if self._expiry_time <= datetime.datetime.now(datetime.UTC):
            if self._renewed is None:
                raise RuntimeError("the token has expired, too")
            self._expiry_time = self.given + datetime.timedelta(minutes=self._renewed)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Expiring]:
    def give(method: str, renewed: int | None = None) -> Expiring:
        credentials = Expiring(method, renewed)
        monkeypatch.setattr(session, "_session", lambda _: SimpleNamespace(get_credentials=lambda: credentials))
        return credentials

    return give


def test_credentials_that_last_are_left_alone(given: Callable[..., Expiring]) -> None:
    credentials = given("env")
    session.credentials_last(ACCESS, 300)
    assert credentials._expiry_time == credentials.given + datetime.timedelta(minutes=10)


@pytest.mark.parametrize("renewed", [10, 20, None], ids=["as before", "still too short", "cannot be renewed"])
def test_credentials_that_do_not_last_even_when_renewed_are_refused(
    given: Callable[..., Expiring], renewed: int | None
) -> None:
    credentials = given("assume-role-with-web-identity", renewed)
    with pytest.raises(Refused, match="expire in"):
        session.credentials_last(ACCESS, 3000)
    left = credentials.given + datetime.timedelta(minutes=10)
    assert credentials._expiry_time >= left, "still good for what is left of them"


def test_credentials_that_can_be_renewed_are_before_they_are_refused(given: Callable[..., Expiring]) -> None:
    """Fresher ones cannot be had by hand: the file with the token is all there is."""
    given("assume-role-with-web-identity", renewed=60)
    session.credentials_last(ACCESS, 3000)


@pytest.mark.parametrize("method", ["iam-role", "container-role"])
def test_those_that_aws_keeps_fresh_on_its_own_machines_need_not_last(
    given: Callable[..., Expiring], method: str
) -> None:
    """AWS hands out the next ones only shortly before these end."""
    given(method, renewed=10)
    session.credentials_last(ACCESS, 3000)


def test_what_is_raised_is_what_is_caught_also_where_two_threads_meet_their_first_error_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """botocore makes a client's exceptions when they are first asked for, without a lock."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session.forget()
    made = session.client(ACCESS, "elbv2")

    def late(_: object) -> None:
        raise AssertionError("exceptions are made only now, perhaps by two threads")

    monkeypatch.setattr(BaseClient, "_load_exceptions", late)
    assert issubclass(made.exceptions.LoadBalancerNotFoundException, ClientError)
    session.forget()


# ---- by a profile


def test_a_profile_of_the_stack_file_wins_over_the_shells_own_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As the AWS provider does it: else provider and gates would be two."""
    (tmp_path / "credentials").write_text("[deploy]\naws_access_key_id = OF-PROFILE\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OF-SHELL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    session.forget()
    for access, key in ((ACCESS, "OF-SHELL"), (replace(ACCESS, profile="deploy"), "OF-PROFILE")):
        assert session._session(access).get_credentials().access_key == key
    with pytest.raises(UsageError, match="There is no AWS profile absent on this machine"):
        session._session(replace(ACCESS, profile="absent"))
    session.forget()
