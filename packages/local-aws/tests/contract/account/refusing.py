"""All that must be right before anything is made in somebody's account. Pure: facts in, an error or nothing out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from local_aws.project import ACCOUNT as LOCAL_ACCOUNT
from release_lane.errors import CloudError, Refused, UsageError

AWS_HOST = re.compile(r"\.amazonaws\.com(\.cn)?$")
AGAIN = "make aws-check ACCOUNT=123456789012"
MARGIN = 1.5
"""Credentials must last so many times as long as a run may take: it has to be able to clean up."""


@dataclass(frozen=True)
class Identity:
    """Whose credentials they are; `seconds_left` None if they do not end."""

    account: str
    arn: str
    seconds_left: float | None = None


def check_target(account: str, region: str) -> None:
    """The account is said in so many words, never taken from credentials that happen to lie around."""
    if not account:
        raise UsageError(
            "It was not said which account this is for.",
            why="things are made there that cost money, so it is never guessed from credentials",
            next_step=AGAIN,
        )
    if not re.fullmatch(r"\d{12}", account):
        raise UsageError(f"{account!r} is no account: an account has 12 digits.", next_step=AGAIN)
    if not region:
        raise UsageError(
            "It was not said which region this is for.",
            next_step=f"{AGAIN} REGION=eu-central-1, or set AWS_REGION.",
        )


def check_shell(environ: Mapping[str, str]) -> None:
    """A shell that read .local/env would send everything to the local cloud."""
    leading = [name for name in sorted(environ) if name.startswith("AWS_ENDPOINT_URL") and environ[name]]
    if environ.get("LOCAL_AWS_HOME"):
        leading.append("LOCAL_AWS_HOME")
    if leading:
        raise Refused(
            f"This shell leads to another cloud than AWS: it sets {', '.join(leading)}.",
            why="what the local cloud answers says nothing about AWS",
            next_step="use a new shell, in which .local/env was not read.",
        )


def check_endpoints(endpoints: Mapping[str, str]) -> None:
    """Settings files may also name endpoints: every client must speak to AWS itself."""
    strange = {name: url for name, url in endpoints.items() if not AWS_HOST.search(urlsplit(url).hostname or "")}
    if strange:
        service, url = min(strange.items())
        raise Refused(
            f"{service} would be asked at {url}, which is not AWS.",
            why="a settings file (~/.aws/config) names another endpoint",
            next_step="take endpoint_url out of the profile, or use another one.",
        )


def check_identity(identity: Identity, account: str, minutes: float) -> None:
    """The credentials are of that account, and last."""
    if account == LOCAL_ACCOUNT or identity.account != account:
        raise Refused(
            f"These credentials are of account {identity.account} ({identity.arn}), not of {account}.",
            why="things that cost money are made in the account that was meant, or not at all",
            next_step="use credentials of that account, or name theirs.",
        )
    needed = minutes * MARGIN
    if identity.seconds_left is not None and identity.seconds_left < needed * 60:
        raise Refused(
            f"The credentials end in {identity.seconds_left / 60:.0f} minutes; this may need {needed:.0f}, and must "
            "be able to clean up.",
            next_step="get fresh credentials, then begin again.",
        )


def check_visitors(asked: str, address: str) -> str:
    """The addresses that may reach the load balancer: those that were given, or this machine alone."""
    if not asked and not address:
        raise CloudError(
            "It cannot be known from which address this machine reaches AWS.",
            why="the load balancer is to be open to that address alone",
            next_step=f"{AGAIN} OPTIONS='--visitors 203.0.113.7/32'.",
        )
    try:
        return str(ipaddress.IPv4Network(asked or f"{address}/32"))
    except ValueError:
        raise UsageError(f"{asked!r} is no range of addresses, such as 203.0.113.7/32.") from None


def check_docker(why_not: str) -> None:
    """The suite builds and pushes an image."""
    if why_not:
        raise CloudError(
            "Docker is needed to build the suite's image.", why=why_not, next_step="start Docker, then begin again."
        )


def check_answer(answer: str | None, account: str) -> None:
    """Only the account's own number is a yes."""
    if answer is None:
        raise Refused(
            "There is no terminal to say yes at. Nothing was made.",
            next_step="run it in a terminal, or with OPTIONS=--yes.",
        )
    if answer.strip() != account:
        raise Refused("That is not the account's number. Nothing was made.")
