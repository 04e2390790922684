"""Sessions in the stack's region and role, clients that retry, and the check that they are of the stack's account.

Sources: AWS API references of STS (AssumeRole, GetCallerIdentity).
"""

from __future__ import annotations

import datetime
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any

from release_lane.aws import patience
from release_lane.errors import Refused, UsageError
from release_lane.record.names import Access

AGENT = "release-lane"
"""In the User-Agent of every call of gates and command, so that CloudTrail shows them apart from the provider's."""

IDENTITY_WITHIN = 10.0
"""Seconds for GetCallerIdentity. It is the first call, so a cloud that does not answer is reported soon."""

_LOCK = threading.RLock()


@cache
def _data() -> Any:
    """What botocore knows of AWS: megabytes of JSON, read once for all sessions."""
    from botocore.loaders import create_loader
    from botocore.session import get_session

    return create_loader(get_session().get_config_variable("data_path"))


@cache
def _session(access: Access) -> Any:
    """A session in the stack's region, with the stack's profile and role, whatever the shell's own settings are."""
    import boto3
    from botocore.session import get_session

    base = get_session()
    base.register_component("data_loader", _data())
    if access.profile and access.profile not in base.available_profiles:
        raise UsageError(
            f"There is no AWS profile {access.profile} on this machine, but aws:profile of the stack file names it.",
            next_step="create it (`aws configure --profile …`), or remove aws:profile and set AWS_PROFILE.",
        )
    session = boto3.session.Session(
        botocore_session=base, region_name=access.region, profile_name=access.profile or None
    )
    if not access.role:
        return session
    from botocore.credentials import RefreshableCredentials

    sts = _patient(session, "sts")

    def assume() -> dict[str, str]:
        external = {"ExternalId": access.external_id} if access.external_id else {}
        name = access.session_name or "release-lane"
        got = sts.assume_role(RoleArn=access.role, RoleSessionName=name, **external)["Credentials"]
        return {
            "access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "token": got["SessionToken"],
            "expiry_time": got["Expiration"].isoformat(),
        }

    renewing = get_session()
    renewing.register_component("data_loader", _data())
    assumed = RefreshableCredentials.create_from_metadata(assume(), assume, "sts-assume-role")
    renewing.register_component("credential_provider", Given(assumed))
    return boto3.session.Session(botocore_session=renewing, region_name=access.region)


@dataclass(frozen=True)
class Given:
    """Where a session of botocore finds its credentials: these, which renew themselves."""

    credentials: Any

    def load_credentials(self) -> Any:
        """As botocore's `CredentialResolver`."""
        return self.credentials


def _patient(session: Any, service: str) -> Any:
    """A client of this session that retries as `release_lane.aws.patience` says."""
    from botocore.config import Config

    connect, answer = patience.current().timeouts
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=connect,
        read_timeout=answer,
        max_pool_connections=20,
        user_agent_extra=AGENT,
    )
    client = session.client(service, config=config)
    patience.Retries(session.get_credentials()).attach(client)
    # Create the exception classes now. botocore creates them at the first error; two threads with their first errors at
    # once create them twice. Then a thread does not catch what it raises, and "not found" looks like a refusal.
    _ = client.exceptions
    return client


@cache
def _made(access: Access, service: str) -> Any:
    return _patient(_session(access), service)


def client(access: Access, service: str) -> Any:
    """A client of this AWS service, created once (creating one is slow and not thread-safe)."""
    with _LOCK:
        return _made(access, service)


@cache
def check_account(access: Access, within: float = IDENTITY_WITHIN) -> str:
    """The account of these credentials, by AWS in so many seconds; `Refused` unless it is the stack's own."""
    with patience.at_most(within):
        account = str(client(access, "sts").get_caller_identity()["Account"])
    if account != access.account:
        raise Refused(
            f"These credentials are of AWS account {account}, but the stack belongs to {access.account or '(none)'}.",
            why="an environment must never be changed in another environment's account",
            next_step="use the environment's role, or correct `account` in its stack file.",
        )
    return account


KEPT_FRESH = ("iam-role", "container-role")
"""botocore's names of credentials that AWS renews itself, on an instance or in a container."""


def credentials_last(access: Access, seconds: float) -> None:
    """Refuse credentials that expire within `seconds`: they must not expire in the middle of a switch.

    Those of an assumed role and of AWS's own machines renew themselves. Others are renewed now, if they can be.
    """
    credentials = _session(access).get_credentials()
    if access.role or getattr(credentials, "method", "") in KEPT_FRESH:
        return
    left = _left(credentials)
    if left is not None and left < seconds:
        _renew(credentials)
        left = _left(credentials)
    if left is not None and left < seconds:
        raise Refused(
            f"The AWS credentials expire in {left:.0f} s; the switch may need {seconds:.0f} s.",
            next_step="get fresh credentials, then run the update again.",
        )


def _left(credentials: Any) -> float | None:
    """Seconds until they expire; None if that is not known."""
    expiry = getattr(credentials, "_expiry_time", None)
    return (expiry - datetime.datetime.now(expiry.tzinfo)).total_seconds() if expiry else None


def _renew(credentials: Any) -> None:
    """Let botocore renew them, as if they had expired; if that fails they stay as they were."""
    expiry = credentials._expiry_time
    credentials._expiry_time = datetime.datetime.now(expiry.tzinfo)
    try:
        credentials.get_frozen_credentials()
    except Exception:
        credentials._expiry_time = expiry


def forget() -> None:
    """Forget sessions, clients and the account; for tests."""
    for remembered in (_session, _made, check_account):
        remembered.cache_clear()
