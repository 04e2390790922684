"""What the program asks before it decides: recorded outputs (its own and others'), and the cloud as it is.

All of it is synchronous: which colour is written is decided by ordinary `if`, not inside an `apply`. Previous
outputs come from the engine's own `readStackOutputs` function, which takes no lock and leaves nothing in the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, ec2, ecs, iam, lb, vpc

from release_lane.decide.existing_network import ExistingNetwork, FoundNetwork
from release_lane.decide.foundations import Foundations
from release_lane.engine.texts import UNKNOWN_STACK, without_wrapping
from release_lane.errors import CloudError, Refused, ReleaseError, UsageError, parse
from release_lane.record.alarms import Watched
from release_lane.record.commit import is_commit
from release_lane.record.contract import Labels
from release_lane.record.halts import Halts
from release_lane.record.names import Access, Names
from release_lane.record.records import Observed, Recorded
from release_lane.record.revisions import Schema
from release_lane.settings.credentials import access_of


def own_outputs() -> dict[str, Any]:
    """This stack's previous outputs, as they are."""
    return _outputs_in(call(STACK_OUTPUTS, {"name": _full_name(pulumi.get_stack())}))


def need_no_environment() -> dict[str, Any]:
    """This stack's previous outputs. A stack that serves users cannot become something else: all that they stand on
    would be deleted."""
    outputs = own_outputs()
    if Recorded.from_outputs(outputs):
        raise Refused(
            f"The stack {pulumi.get_stack()} is an environment that serves users; its role cannot change.",
            why="everything that its users stand on would be deleted",
            next_step="put `role` back, and make another stack for the artifacts.",
        )
    return outputs


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """What the artifacts stack recorded: its registry (without tag or digest), the folder it built from last, and
    the images that were built elsewhere (`Adoption.as_dict`)."""

    repository: str
    context: str
    adopted: Sequence[Mapping[str, Any]] = ()


def artifacts_of(stack: str) -> Artifacts:
    """The record of the artifacts stack; `Refused` before it made a registry."""
    try:
        outputs = _outputs_in(call(STACK_OUTPUTS, {"name": _full_name(stack)}))
    except UsageError as error:
        raise _no_stack(stack, "it holds the registry") from error
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
    """The environment now; the commits that the registry's tags name for the digest, whether the registry has it, and
    its labels (None where it was not asked for them);
    this stack's record (None before its first release), that of the stack the digest is promoted from; and what this
    stack's state holds of the environment, and of the database's schema."""

    observed: Observed
    commits: tuple[str, ...]
    in_registry: bool
    labels: Labels | None
    own: Recorded | None
    source: Recorded | None
    stands_on: Foundations
    halts: Halts
    schema: Schema


def see(
    names: Names,
    digest: str,
    source: str | None,
    watched: Watched,
    certificate: str,
    ledger: str,
    *,
    excused: bool,
    back: bool = False,
    held: bool = False,
) -> Seen:
    """Ask for all of it at once. `source` is the stack to promote `digest` from, if that matters; `watched` are the
    alarms that have a say; `certificate` is the ARN that the settings name ("" for none); `ledger` is asked whether it
    says anything against the digest ("" for none), and must answer unless it is `excused`. `back`: users are to
    go back, for which not all of AWS has to answer. `held`: the digest is that
    of the hold which stands, by this stack's record.

    The AWS provider is asked for its account as well (providers have to start, which takes longer than any answer); it
    must be the environment's. Python loads what the template builds an environment with meanwhile.
    """
    asked: dict[str, Any] = {
        "environment": names.as_dict(),
        "digest": digest,
        "alarms": watched.as_dict(),
        "certificate": certificate,
    }
    asked |= {"back": True} if back else {}
    own, found, identity, resources, proven, said, _ = _own_outputs_after(
        called("release:index:observe", asked),
        called(CALLER_IDENTITY, {}),
        called(STACK_RESOURCES, {"stackName": _full_name(pulumi.get_stack())}),
        _proven_by(source, spared=back),
        _said_against(pulumi.get_stack(), digest, ledger if digest else "", names.access, excused=excused),
        _load(),
    )
    _check(identity, names.access.account)
    for unseen in found.get("unseen") or ():
        pulumi.log.warn(f"Not seen, and not needed for a way back: {unseen}.")
    recorded = Recorded.from_outputs(own)
    if held and recorded and recorded.hold:
        of_held = _said_against(pulumi.get_stack(), recorded.hold.release.digest, ledger, names.access, excused=excused)
        _, said = _own_outputs_after(of_held)
    image = found.get("image") or {}
    return Seen(
        observed=Observed.from_dict(found),
        commits=tuple(tag for tag in image.get("tags") or () if is_commit(tag)),
        in_registry=bool(image) or not digest,
        labels=Labels.from_dict(image["labels"]) if image.get("labels") else None,
        own=recorded,
        source=Recorded.from_outputs(proven),
        stands_on=Foundations.from_resources(resources.get("outputs") or {}),
        halts=Halts.from_dict(said),
        schema=Schema.from_resources(resources.get("outputs") or {}, names.migration),
    )


async def _load() -> dict[str, Any]:
    """`pulumi_aws` loads each of its packages when something of it is first used, the largest one for 0.3 s."""

    def first_use() -> tuple[type, ...]:
        return vpc.SecurityGroupIngressRule, ec2.Vpc, lb.Listener, ecs.Service, cloudwatch.MetricAlarm, iam.Role

    await asyncio.to_thread(first_use)
    return {}


STACK_OUTPUTS = "pulumi:pulumi:readStackOutputs"
STACK_RESOURCES = "pulumi:pulumi:readStackResourceOutputs"
"""The resources of a stack's state with their outputs: like `readStackOutputs` the engine's own, and without a lock."""

ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"


def zones_of_account() -> tuple[str, ...]:
    """The zones of the region that this account may use without opting in, by name."""
    usable = {"name": "opt-in-status", "values": ["opt-in-not-required"]}
    return tuple(sorted(map(str, call(ZONES, {"state": "available", "filters": [usable]}).get("names") or ())))


def described(existing: ExistingNetwork, access: Access) -> FoundNetwork:
    """What EC2 has of a network that exists already."""
    asked = {**access.as_dict(), "vpc": existing.vpc, "subnets": [*existing.public, *existing.private]}
    return FoundNetwork.from_dict(call("release:index:describeNetwork", asked))


CALLER_IDENTITY = "aws:index/getCallerIdentity:getCallerIdentity"


def check_provider_account(expected: str) -> None:
    """The AWS provider must see the stack's account."""
    _check(call(CALLER_IDENTITY, {}), expected)


def line_of(environment: str, ledger: str, access: Access) -> Halts:
    """What the ledger says against turning something on in an environment ("": it is not asked). The AWS provider is
    asked for its account at the same time, which must be the stack's."""
    _, identity, said = _own_outputs_after(
        called(CALLER_IDENTITY, {}), _said_against(environment, "", ledger, access, excused=False)
    )
    _check(identity, access.account)
    return Halts.from_dict(said)


def labels_of_live(environment: str, artifacts: str, access: Access) -> dict[str, Labels]:
    """What users of an environment are on, by digest, and what each image declares: two while a hold stands."""
    recorded = Recorded.from_outputs(_outputs_in(call(STACK_OUTPUTS, {"name": _full_name(environment)})))
    if recorded is None:
        return {}
    asked = {**access.as_dict(), "repository": artifacts_of(artifacts).repository.partition("/")[2]}
    digests = dict.fromkeys(release.digest for release in recorded.serves.values())
    return {each: Labels.from_dict(call("release:index:readLabels", {**asked, "digest": each})) for each in digests}


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
    try:
        return dict(pulumi.runtime.invoke(token, dict(args)).value or {})
    except Exception as error:
        raise as_reported(token, error) from error


def _own_outputs_after(*others: Awaitable[dict[str, Any]]) -> list[dict[str, Any]]:
    """This stack's previous outputs, then the answers to all other questions, which are asked at the same time.

    A program is no coroutine, and the only call of the SDK that waits in one is `invoke`. It waits for its inputs
    first, so the name of the stack is an input that is known once all others have answered.
    """
    answers: list[dict[str, Any] | BaseException] = []

    async def name() -> str:
        answers.extend(await asyncio.gather(*others, return_exceptions=True))
        return _full_name(pulumi.get_stack())

    own = _outputs_in(call(STACK_OUTPUTS, {"name": name()}))
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [own, *(answer for answer in answers if isinstance(answer, dict))]


async def called(token: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """The same for what runs in the event loop."""
    try:
        return dict(await pulumi.runtime.invoke_async(token, dict(args)) or {})
    except Exception as error:
        raise as_reported(token, error) from error


def as_reported(token: str, error: Exception) -> ReleaseError:
    """The error that the provider's function failed with, kind and all, without the engine's wrapping around it."""
    text = str(error)
    if UNKNOWN_STACK in text:
        return UsageError(text)
    said = without_wrapping(token, text)
    return parse(said) or CloudError(said)


def _full_name(stack: str) -> str:
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}"


def _outputs_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    return dict(answer.get("outputs") or {})


async def _proven_by(source: str | None, *, spared: bool) -> dict[str, Any]:
    """The outputs of the stack that a digest is promoted from; empty where it is promoted from none, and on a way back,
    which needs no proof, where it is gone."""
    if not source:
        return {}
    try:
        return _outputs_in(await called(STACK_OUTPUTS, {"name": _full_name(source)}))
    except UsageError as error:
        if spared:
            return {}
        raise _no_stack(source, "a digest is promoted from there") from error


async def _said_against(environment: str, digest: str, ledger: str, access: Access, *, excused: bool) -> dict[str, Any]:
    """What the ledger says against going forward with a digest ("" for none); empty without a ledger."""
    if not ledger:
        return {}
    asked = {"ledger": ledger, "access": access.as_dict(), "environment": environment, "digest": digest}
    try:
        return await called("release:index:readHalts", asked)
    except CloudError as away:
        if not excused:
            raise without_ledger(away) from away
        unknown = "Whether the line is stopped, or the image in quarantine, is not known"
        pulumi.log.warn(f"{unknown}: {away.what_and_why}")
        return {}


def without_ledger(away: CloudError) -> CloudError:
    """The ledger is away before anything was registered."""
    return CloudError(
        f"{away.what} Nothing was changed.",
        why=away.why,
        next_step=f"{away.next_step} If users cannot wait for that: --without-ledger REASON "
        "(`-c withoutLedger=REASON`).",
    )


def _no_stack(stack: str, why: str) -> UsageError:
    return UsageError(
        f"There is no stack {stack}, but this one needs it: {why}.",
        next_step=f"create it: `pulumi stack init {stack}`, or correct the stack file.",
    )


def access(account: str) -> Access:
    """As whom the stack's settings say that AWS is spoken to, so that gates are the same as the provider."""
    raw = pulumi.runtime.config.CONFIG.get() or pulumi.runtime.config.get_config_env()
    return access_of(raw, account)
