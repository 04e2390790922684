"""As whom AWS is spoken to: sessions, clients, and the account that they must belong to."""

from __future__ import annotations

import datetime
import threading
from functools import cache
from typing import Any

from release.errors import CloudError, Refused
from release.names import Access

_SESSION_LOCK = threading.Lock()


@cache
def _session(access: Access) -> Any:
    """A session in the region of the stack, with the stack's role; never whatever happens to lie around."""
    import boto3

    session = boto3.session.Session(region_name=access.region)
    if not access.role:
        return session
    from botocore.credentials import RefreshableCredentials
    from botocore.session import get_session

    def assume() -> dict[str, str]:
        got = session.client("sts").assume_role(RoleArn=access.role, RoleSessionName="release-lane")["Credentials"]
        return {
            "access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "token": got["SessionToken"],
            "expiry_time": got["Expiration"].isoformat(),
        }

    renewing = get_session()
    # botocore offers no public way to give a session credentials that renew themselves.
    renewing._credentials = RefreshableCredentials.create_from_metadata(assume(), assume, "sts-assume-role")  # type: ignore[attr-defined]
    return boto3.session.Session(botocore_session=renewing, region_name=access.region)


@cache
def _made(access: Access, service: str) -> Any:
    from botocore.config import Config

    config = Config(retries={"max_attempts": 5, "mode": "standard"}, max_pool_connections=20)
    return _session(access).client(service, config=config)


def client(access: Access, service: str) -> Any:
    """A client of this AWS service, made once (making one is slow and not thread-safe)."""
    with _SESSION_LOCK:
        return _made(access, service)


@cache
def check_account(access: Access) -> str:
    """The account that AWS says these credentials belong to; `Refused` unless it is the stack's own."""
    account = str(client(access, "sts").get_caller_identity()["Account"])
    if account != access.account:
        raise Refused(
            f"These credentials are of AWS account {account}, but the stack belongs to {access.account or '(none)'}.",
            why="an environment must never be changed in another environment's account",
            next_step="use the environment's role, or correct `account` in its stack file.",
        )
    return account


def credentials_last(access: Access, seconds: float) -> None:
    """Refuse credentials that expire within `seconds`: a switch must not lose its hands half way."""
    credentials = _session(access).get_credentials()
    expiry = getattr(credentials, "_expiry_time", None)
    if expiry is None or access.role:  # an assumed role's are renewed by themselves
        return
    left = (expiry - datetime.datetime.now(expiry.tzinfo)).total_seconds()
    if left < seconds:
        raise Refused(
            f"The AWS credentials expire in {left:.0f} s; the switch may need {seconds:.0f} s. Users were not touched.",
            next_step="get fresh credentials, then run the update again.",
        )


def unreachable(access: Access, error: Exception) -> CloudError:
    """AWS (or the local cloud) did not answer at all."""
    return CloudError(
        f"AWS does not answer in {access.region}.",
        why=str(error),
        next_step="check network and endpoint; for the local cloud: `make status`, then `make up`.",
    )
