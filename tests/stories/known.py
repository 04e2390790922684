"""The state that a story begins from: looked at each time, and brought about only where something else is found.

Stories share environments. Each says where it begins, by the fixture `staging` or by `known(stack, live=…, idle=…)`,
so it runs alone as well as after any other one, failed or not. Where the story before left what this one needs,
that costs a few calls and no update. An environment that cannot be brought back is left for a new one.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import botocore.exceptions
import yaml
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Recorded
from release_lane.settings.model import EnvironmentSettings, parse

from tests.patience import PATIENCE
from tests.stories.cloud import client, end_what_outlived, weights
from tools.lane import PROJECT, Result, Stack

STEPS = 6
"""Steps after which an environment is given up; none needs more than three updates and one `Clear`."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Where a story begins: traffic on one colour, as recorded, both colours fully healthy.

    `live` is a digest, "" is any. `idle` as well, and None is whatever the record says, also no release at all. What
    is wanted has the configuration of the stack file. `images` are good ones, of which any is released if need be.
    """

    images: Sequence[str]
    live: str = ""
    idle: str | None = ""


@dataclass(frozen=True)
class Held:
    """A release that a colour should hold. `as_set`: its configuration is the one in the stack file."""

    digest: str
    as_set: bool = True


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An environment, by its record and by AWS. `odd`: what no finished update leaves, "" where there is nothing of
    that kind. `standby`: the idle colour holds `idle`, fully healthy."""

    odd: str = ""
    live: Held | None = None
    idle: Held | None = None
    standby: bool = True


@dataclass(frozen=True)
class Clear:
    """Remove lock and unfinished operations, restore what is recorded."""


@dataclass(frozen=True)
class Heal:
    """An update without a digest."""


@dataclass(frozen=True)
class Give:
    """Release this digest."""

    digest: str


Step = Clear | Heal | Give


class NotReached(AssertionError):
    """An environment could not be brought to where a story begins."""


def next_step(seen: Seen, wanted: Wanted) -> Step | None:
    """What brings the environment nearer to what is wanted; None where it is."""
    if seen.odd:
        return Clear()
    if seen.live is None:
        return Give(wanted.idle or (wanted.live if wanted.idle is None and wanted.live else _another(wanted)))
    there = seen.live.as_set and wanted.live in ("", seen.live.digest) and _suits(seen.idle, wanted.idle)
    if there:
        return None if seen.standby else Heal()
    return Give(_towards(seen.live, seen.idle, wanted))


def _towards(live: Held, idle: Held | None, wanted: Wanted) -> str:
    """The digest to release next. What is live now becomes the idle one by that."""
    if idle and idle.as_set and not live.as_set and wanted.live in ("", idle.digest):
        return idle.digest  # back to it: no task starts
    if not _suits(live, wanted.idle):
        return wanted.idle or _another(wanted, live)
    if wanted.live == live.digest:
        return _another(wanted, live) if live.as_set else live.digest
    return wanted.live or (idle.digest if idle and idle.as_set and idle != live else _another(wanted, live))


def _suits(held: Held | None, digest: str | None) -> bool:
    return digest is None or (held is not None and held.as_set and digest in ("", held.digest))


def _another(wanted: Wanted, live: Held | None = None) -> str:
    """A good image that is neither live nor wanted to be; what is live, with the stack file's settings, if none is."""
    known = live.digest if live else ""
    return next((each for each in wanted.images if each not in (wanted.live, known)), known)


def bring(look: Callable[[], Seen], do: Callable[[Step], Result], wanted: Wanted) -> None:
    """Look, do the next step, look again. NotReached, with what failed last, after a second thing that went wrong."""
    cleared, said = False, ""
    for _ in range(STEPS):
        step = next_step(seen := look(), wanted)
        if step is None:
            return
        print(f"to where the story begins: {step}, for here is {seen}")
        if step == Clear() and cleared:
            break
        result = do(step)
        said = said if result.ok else result.text
        if not result.ok and not cleared and step != Clear():
            step, result = Clear(), do(Clear())
        cleared = cleared or step == Clear()
        if not result.ok:
            break
    raise NotReached(f"{wanted} was not reached, here is {seen}. {said}")


class Known:
    """Environments of a session, each brought to where its next story begins."""

    def __init__(self, *images: str) -> None:
        self._images = images
        self._instead: dict[str, Stack] = {}
        """Name of an environment that was given up, to the one that took its place."""

    def __call__(
        self, stack: Stack, *, live: str = "", idle: str | None = "", images: Sequence[str] | None = None
    ) -> Stack:
        """The environment, in this state; see `Wanted`. Another one where it could not be brought there."""
        wanted = Wanted(live=live, idle=idle, images=images or self._images)
        name = stack.name
        stack = self._instead.get(name, stack)
        begun = bool(stack.state)
        try:
            bring(lambda: look(stack), lambda step: do(stack, step), wanted)
        except NotReached as error:
            if not begun:
                raise
            warnings.warn(f"{stack.name} is given up, a new environment takes its place: {error}", stacklevel=2)
            stack = self._instead[name] = stack.lane.another(stack)
            bring(lambda: look(stack), lambda step: do(stack, step), wanted)
        return stack


def do(stack: Stack, step: Step) -> Result:
    """One step, by the engine."""
    match step:
        case Heal():
            return stack.up()
        case Give(digest=digest):
            return stack.up(imageDigest=digest, **_leaving(stack, digest))
        case Clear():
            end_what_outlived(stack)
            stack.command("cancel", "--yes")
            with stack.started("refresh", "--clear-pending-creates") as process:
                refreshed = process.wait(PATIENCE)
            return stack.up(onDrift="restore") if refreshed.ok else refreshed


def _leaving(stack: Stack, digest: str) -> dict[str, Any]:
    """What makes a release of a digest that was live before a rollback."""
    live = stack.outputs.get("imageDigest")
    return {"rollbackFrom": live} if live != digest and digest in past(stack) else {}


def past(stack: Stack) -> set[str]:
    """Digests that are or were live here."""
    outputs = stack.outputs
    return {each["digest"] for each in [*outputs.get("liveHistory", ()), *outputs.get("evidence", ())]}


def look(stack: Stack) -> Seen:
    """Its record, and what state and AWS hold; nothing is changed."""
    left = _left_behind(stack)
    record = Recorded.from_outputs(stack.outputs)
    if left or record is None:
        return Seen(odd=left)
    service = _settings(stack).release_service()
    colour, previous = record.live_colour, record.previous
    return Seen(
        odd=_traffic_elsewhere(stack, colour) or _not_running(stack, colour, record.live),
        live=Held(record.live.digest, record.live.service == service),
        idle=Held(previous.digest, previous.service == service) if previous else None,
        standby=not previous or not _not_running(stack, colour.other, previous),
    )


def _settings(stack: Stack) -> EnvironmentSettings:
    given = yaml.safe_load(stack.settings.read_text())["config"]
    raw = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
    settings = parse(raw, PROJECT, stack.name)
    assert isinstance(settings, EnvironmentSettings)
    return settings


def _left_behind(stack: Stack) -> str:
    if stack.locks:
        return "a lock"
    return "unfinished operations" if stack.state.get("pending_operations") else ""


def _traffic_elsewhere(stack: Stack, live: Colour) -> str:
    try:
        found = weights(stack)
    except botocore.exceptions.ClientError as error:
        return str(error)
    return "" if found == {live: 100, live.other: 0} else f"weights {found}, live is {live}"


def _not_running(stack: Stack, colour: Colour, release: Release) -> str:
    """Why a colour is not fully healthy with this release; "" if it is, or comes to it by itself."""
    end = time.monotonic() + PATIENCE
    while True:
        why, comes = _lacks(stack, colour, release)
        if not why or not comes or time.monotonic() > end:
            return why
        time.sleep(0.1)


def _lacks(stack: Stack, colour: Colour, release: Release) -> tuple[str, bool]:
    """What a colour lacks that should run this release, and whether ECS is about to see to it."""
    name, tasks = f"{PROJECT}-{stack.name}", release.service.desired_count
    ecs, elb = client(stack.lane, "ecs"), client(stack.lane, "elbv2")
    try:
        (service,) = ecs.describe_services(cluster=name, services=[f"{name}-{colour}"])["services"]
        definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        (group,) = elb.describe_target_groups(Names=[f"{name}-{colour}"])["TargetGroups"]
        targets = elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])["TargetHealthDescriptions"]
    except (botocore.exceptions.ClientError, ValueError) as error:
        return f"{colour}: {error}", False
    given = {each["name"]: each["value"] for one in definition["containerDefinitions"] for each in one["environment"]}
    (rollout,) = [each for each in service["deployments"] if each["status"] == "PRIMARY"]
    healthy = [each for each in targets if each["TargetHealth"]["State"] == "healthy"]
    asked, state = (given.get("RELEASE_ID"), service["desiredCount"]), rollout["rolloutState"]
    found = (state, rollout["runningCount"], len(healthy))
    if asked == (release.id, tasks) and found == ("COMPLETED", tasks, tasks):
        return "", False
    said = (
        f"{colour} should run {release.id} with {tasks} tasks; asked for is {asked}; rollout, tasks, healthy: {found}"
    )
    return said, asked == (release.id, tasks) and state != "FAILED"
