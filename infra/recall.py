"""What the program asks before it decides: recorded outputs (its own and others'), and the cloud as it is.

All of it is synchronous: which colour is written is decided by ordinary `if`, not inside an `apply`. Previous
outputs come from the engine's own `readStackOutputs` function, which takes no lock and leaves nothing in the state.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import pulumi

# Underscored, but the only way to wait for two functions at once in a program that is not a coroutine; it is what
# `pulumi.runtime.invoke` itself uses, and the SDK's version is pinned.
from pulumi.runtime.sync_await import _sync_await

from release.errors import CloudError, Refused, ReleaseError, UsageError
from release.names import Names
from release.records import Observed, Recorded


def own_outputs() -> dict[str, Any]:
    """This stack's previous outputs, as they are."""
    return _outputs(pulumi.get_stack())


def own_record() -> Recorded | None:
    """This stack's previous outputs; None before its first release."""
    return Recorded.from_outputs(own_outputs())


def record_of(stack: str, why: str) -> Recorded | None:
    """Another environment's record; `UsageError` if there is no such stack."""
    return Recorded.from_outputs(_existing(stack, why))


def repository_url(artifacts: str) -> str:
    """The registry that the artifacts stack made, without tag or digest."""
    url = _existing(artifacts, "it holds the registry").get("repositoryUrl")
    if not url:
        raise Refused(
            f"The stack {artifacts} has no registry yet.",
            next_step="build first: `release build`, or `pulumi up --stack " + artifacts + "`.",
        )
    return str(url)


def observe(names: Names, digest: str) -> tuple[Observed, str, bool]:
    """The environment now; the commit that the registry's tags name for `digest`; whether the registry has it.

    At the same time the AWS provider is asked for its account (both processes have to start, which takes longer
    than any answer); it must be the environment's.
    """
    found, identity = _call_both(
        ("release:index:observe", {"environment": names.as_dict(), "digest": digest}), (CALLER_IDENTITY, {})
    )
    _check(identity, names.access.account)
    image = found.get("image") or {}
    commits = [tag for tag in image.get("tags") or [] if re.fullmatch(r"[0-9a-f]{40}", tag)]
    return Observed.from_dict(found), commits[0] if commits else "", bool(image) or not digest


CALLER_IDENTITY = "aws:index/getCallerIdentity:getCallerIdentity"


def check_provider_account(expected: str) -> None:
    """The AWS provider must see the stack's account."""
    _check(call(CALLER_IDENTITY, {}), expected)


def _check(identity: Mapping[str, Any], expected: str) -> None:
    """Gates and provider have separate credentials, so each is held to the account by itself."""
    seen = str(identity.get("accountId"))
    if seen != expected:
        raise Refused(
            f"The AWS provider works in account {seen}, but the stack belongs to {expected}.",
            why="gates and provider must speak of the same account, and never of another environment's",
            next_step="use the environment's role for this update, or correct `account` in the stack file.",
        )


def call(token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Call a provider's function and wait for its answer."""
    return _sync_await(_called(token, args))


Request = tuple[str, Mapping[str, Any]]


def _call_both(one: Request, other: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Call two functions at the same time and wait for both."""

    async def both() -> tuple[dict[str, Any], dict[str, Any]]:
        answers = await asyncio.gather(_called(*one), _called(*other))
        return answers[0], answers[1]

    return _sync_await(both())


async def _called(token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(await pulumi.runtime.invoke_async(token, dict(args)) or {})
    except Exception as error:
        raise _told(token, error) from error


def _told(token: str, error: Exception) -> ReleaseError:
    """The message that the provider's own error carries, without the engine's wrapping around it."""
    text = str(error)
    if "unknown stack" in text:
        return UsageError(text)
    return CloudError(text.removeprefix(f"invoke of {token} failed: ").strip())


def _outputs(stack: str) -> dict[str, Any]:
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"
    return dict(call("pulumi:pulumi:readStackOutputs", {"name": name}).get("outputs") or {})


def _existing(stack: str, why: str) -> dict[str, Any]:
    try:
        return _outputs(stack)
    except UsageError as error:
        raise UsageError(
            f"There is no stack {stack}, but this one needs it: {why}.",
            next_step=f"create it: `pulumi stack init {stack}`, or correct the stack file.",
        ) from error


def assumed_role() -> str:
    """The role that the stack's `aws:assumeRole` or `aws:assumeRoles` names, so that gates use the same."""
    config = pulumi.Config("aws")
    many = config.get_object("assumeRoles") or []
    one = config.get_object("assumeRole") or (many[0] if many else {})
    return str(one.get("roleArn") or "")
