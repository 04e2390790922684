"""What the program asks before it decides: recorded outputs (its own and others'), and the cloud as it is.

All of it is synchronous: which colour is written is decided by ordinary `if`, not inside an `apply`. Previous
outputs come from the engine's own `readStackOutputs` function, which takes no lock and leaves nothing in the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

# Underscored; see infra/early.
from pulumi.runtime.sync_await import _sync_await

from infra.early import answer, outputs_of
from release.alarms import Watched
from release.errors import CloudError, Refused, ReleaseError, UsageError
from release.lineage import is_commit
from release.names import Names
from release.records import Observed, Recorded


def own_outputs() -> dict[str, Any]:
    """This stack's previous outputs, as they are."""
    return _sync_await(_outputs(pulumi.get_stack()))


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """What the artifacts stack recorded: its registry (without tag or digest), the folder it built from last, and
    the images that were built elsewhere (`Adoption.as_dict`)."""

    repository: str
    context: str
    adopted: Sequence[Mapping[str, Any]] = ()


def artifacts_of(stack: str) -> Artifacts:
    """The record of the artifacts stack; `Refused` before it made a registry."""
    outputs = _sync_await(_existing(stack, "it holds the registry"))
    if not outputs.get("repositoryUrl"):
        raise Refused(
            f"The stack {stack} has no registry yet.",
            next_step="build or adopt an image first: `release build`, `release adopt`, or `pulumi up --stack "
            + stack
            + "`.",
        )
    return Artifacts(
        repository=str(outputs["repositoryUrl"]),
        context=str(outputs.get("context") or ""),
        adopted=outputs.get("adopted") or (),
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The environment now; the commits that the registry's tags name for the digest, and whether the registry has it;
    this stack's record (None before its first release), and that of the stack the digest is promoted from."""

    observed: Observed
    commits: tuple[str, ...]
    in_registry: bool
    own: Recorded | None
    source: Recorded | None


def see(names: Names, digest: str, source: str | None, watched: Watched, meanwhile: Callable[[], None]) -> Seen:
    """Ask for all of it at once. `source` is the stack to promote `digest` from, if that matters; `watched` are the
    alarms that have a say.

    The AWS provider is asked for its account, too (providers have to start, which takes longer than any answer); it
    must be the environment's. `meanwhile` is done in a thread once all was asked.
    """
    asked = {"environment": names.as_dict(), "digest": digest, "alarms": watched.as_dict()}

    async def everything() -> Sequence[Any]:
        answers: Sequence[Any] = await asyncio.gather(
            called("release:index:observe", asked),
            called(CALLER_IDENTITY, {}),
            _outputs(pulumi.get_stack()),
            _existing(source, "a digest is promoted from there") if source else _nothing(),
            asyncio.to_thread(meanwhile),
        )
        return answers

    found, identity, own, proven, _ = _sync_await(everything())
    _check(identity, names.access.account)
    image = found.get("image") or {}
    return Seen(
        observed=Observed.from_dict(found),
        commits=tuple(tag for tag in image.get("tags") or () if is_commit(tag)),
        in_registry=bool(image) or not digest,
        own=Recorded.from_outputs(own),
        source=Recorded.from_outputs(proven),
    )


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
    return _sync_await(called(token, args))


async def called(token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The same for whoever runs in the event loop."""
    try:
        return await answer((token, args))
    except Exception as error:
        raise as_told(token, error) from error


def as_told(token: str, error: Exception) -> ReleaseError:
    """The error that the provider's function failed with, kind and all, without the engine's wrapping around it."""
    text = str(error)
    if "unknown stack" in text:
        return UsageError(text)
    from release.outcome import error_in  # here, since only a failure needs it

    said = text.removeprefix(f"invoke of {token} failed: ").removeprefix(f"invocation of {token} returned an error: ")
    said = said.strip()
    return error_in(said) or CloudError(said)


async def _outputs(stack: str) -> dict[str, Any]:
    token, args = outputs_of(stack)
    return dict((await called(token, args)).get("outputs") or {})


async def _nothing() -> dict[str, Any]:
    return {}


async def _existing(stack: str, why: str) -> dict[str, Any]:
    try:
        return await _outputs(stack)
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
