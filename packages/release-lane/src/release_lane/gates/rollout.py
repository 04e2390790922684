"""The rollout gate: the wanted number of tasks runs exactly this digest and is healthy.

It looks again and again until `release_lane.watch.rollout.judge` says passed or failed; a terminal failure ends it at
once, with the stop reason and the last log lines. `deadlineSeconds` bounds the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from provider_kit import Cancelled, Context, Progress, Props

from release_lane.aws import patience
from release_lane.aws.cloud import Cloud
from release_lane.errors import CheckFailed, CloudError, Refused, Users
from release_lane.gates.gate import Gate
from release_lane.gates.passes import RUN, Pass, demand
from release_lane.gates.reality import words
from release_lane.record.digest import short
from release_lane.record.inputs import NOWHERE, RolloutInputs
from release_lane.record.intended import LOGS
from release_lane.record.placement import Colour
from release_lane.record.records import Known, Located
from release_lane.watch.rollout import (
    SOONEST,
    Failed,
    HealthCheck,
    Passed,
    Reading,
    Waiting,
    Wanted,
    judge,
    pause,
    signs,
    with_own_words,
)

REGISTRY_WITHIN = 5.0
"""Seconds for a registry to answer that is not needed."""


class Rollout(Gate):
    """Passes a colour that runs what it should (`RolloutInputs`). Where tasks are started, the image gate's pass is
    demanded."""

    token = "release:index:Rollout"
    shown = RolloutInputs.SHOWN

    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Wait for the rollout, or fail with the reason."""
        given = RolloutInputs.from_dict(inputs)
        digest, colour = given.digest, given.colour
        image = demand(given.pass_of_before, gate="The image gate", digest=digest) if given.starts else None
        cloud = self.cloud_of(given.names)
        wanted = Wanted(
            tasks=given.tasks,
            task_definition=str(given.task_definition),
            manifests=image.manifests if image else _manifests_running(cloud, digest, given.known),
            retry_of=given.retry_of,
        )
        if given.corrects:
            correct(ctx, cloud, colour, wanted, given.located)
        check = HealthCheck(port=given.port, path=given.health_path)
        seen = wait_for(ctx, cloud, colour, wanted, given.deadline, check, located=given.located, known=given.known)
        passed = Pass(
            digest=digest,
            run=RUN,
            colour=str(colour),
            taskDefinition=wanted.task_definition,
            deployment=seen.primary.id if seen.primary else "",
            manifests=frozenset(wanted.manifests),
            tasks={task.ip: task.digest for task in seen.running},
        )
        return passed, f"{wanted.tasks} tasks run {short(digest)} on {colour}, all healthy"


def _manifests_running(cloud: Cloud, digest: str, known: Known | None) -> frozenset[str]:
    """Tasks of one task definition run one platform's manifest: where some were seen, theirs is known."""
    return known.manifests if known and known.image == digest else manifests_of(cloud, digest)


def manifests_of(cloud: Cloud, digest: str) -> frozenset[str]:
    """Digests that ECS may report for this image. Going back to tasks that run needs no registry."""
    try:
        with patience.at_most(REGISTRY_WITHIN):
            return cloud.manifests(digest)
    except (cloud.ecr.exceptions.ClientError, CloudError):
        return frozenset({digest})


def correct(ctx: Context, cloud: Cloud, colour: Colour, wanted: Wanted, located: Located = NOWHERE) -> None:
    """Undo manual changes of the idle service: the AWS provider sends only what differs from its own state."""
    seen = cloud.set_to(colour)
    if seen is None or seen == (wanted.tasks, wanted.task_definition):
        return
    rule = cloud.balancer(located, tagged=False).rule
    if rule and rule.weights.get(colour):
        raise Refused(
            f"{colour} would be corrected, but gets users by now: {words(rule.weights)}. Nothing was corrected.",
            why="the weights were moved since this update began, and a colour that serves is never changed",
            next_step="find out who moved them, then run the update again.",
            users=Users.UNTOUCHED,
        )
    ctx.warn(f"{colour} was changed by hand ({seen[0]} tasks of {seen[1]}); correcting it")
    cloud.set_service(colour, tasks=wanted.tasks, task_definition=wanted.task_definition)


def wait_for(
    ctx: Context,
    cloud: Cloud,
    colour: Colour,
    wanted: Wanted,
    deadline: float,
    check: HealthCheck,
    now: Callable[[], float] = time.monotonic,
    *,
    located: Located = NOWHERE,
    known: Known | None = None,
) -> Reading:
    """Look until the rollout passed; what was seen then. Raises CheckFailed or Cancelled."""
    groups = located.target_groups if located.complete else cloud.target_groups()
    group = groups.get(colour)
    said = Progress(ctx, now)
    begun = changed = now()
    last: object = None
    sick = ""  # what the load balancer said last of a task: it forgets it as soon as ECS stops that one
    while True:
        reading = cloud.read(colour, group, known)
        spent = now() - begun
        if signs(reading) != last:
            last, changed = signs(reading), now()
        sick = next((verdict for target in reading.unhealthy if (verdict := check.verdict(target))), sick)
        match judge(reading, wanted):
            case Passed():
                return reading
            case Failed() as failed:
                raise _refusal(cloud, colour, failed, sick if failed.unhealthy else "")
            case Waiting(progress):
                still = sick if reading.unhealthy else ""
                seen = f"{progress}; {still}" if still else progress
                said.say(f"{colour}: {seen} ({spent:.0f} of {deadline:.0f} s)", seen)
                if spent > deadline:
                    late = with_own_words(f"not fully healthy after {deadline:.0f} s: {progress}", reading)
                    raise _refusal(cloud, colour, Failed(late), still)
        if ctx.cancelled.wait(min(pause(reading, now() - changed), max(SOONEST, deadline - spent))):
            raise Cancelled(f"The rollout gate was interrupted on {colour}.")


LOGS_WITHIN = 3.0
"""Seconds that the last log lines of a task may take to arrive; the refusal does not wait longer for them."""


def _last_words(cloud: Cloud, task: str, *, spoke: bool) -> list[str]:
    """Log lines of a task; one that ran and exited surely wrote some, so they are worth waiting for."""
    until = time.monotonic() + (LOGS_WITHIN if spoke else 0.0)
    while not (lines := cloud.log_lines(task)) and time.monotonic() < until:
        time.sleep(SOONEST)
    return lines


def _refusal(cloud: Cloud, colour: Colour, failed: Failed, sick: str) -> CheckFailed:
    """`sick` is what the load balancer said of the tasks, "" where that is not the reason."""
    lines = _last_words(cloud, failed.task, spoke=failed.exited) if failed.task else []
    logs = f"\n  {LOGS}:\n    " + "\n    ".join(lines) if lines else ""
    return CheckFailed(
        f"The rollout gate refused {colour}: {sick or failed.reason}.{logs}",
        why=failed.reason if sick else "",
        next_step="fix the image or its configuration in the stack file, and release again; the idle colour is "
        "healed by the next update.",
        users=Users.UNTOUCHED,
    )
