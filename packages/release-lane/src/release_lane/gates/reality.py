"""How reality differs from the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from provider_kit import Context, Progress

from release_lane.aws.cloud import Cloud
from release_lane.decide.difference import release_named
from release_lane.gates.timing import TIMING, Timing
from release_lane.record.digest import short
from release_lane.record.placement import Colour, whole
from release_lane.record.records import Recorded
from release_lane.watch.rollout import Reading, own_words, scales_out, seldom


@dataclass(frozen=True)
class Deviation:
    """How reality differs from the record, in words. `grows`: only in that AWS scales the live colour out.

    `why`: ECS's own reasons for too few healthy tasks, "" where it gives none. `lacks`: there are too few. `plain`:
    users still come by plain HTTP, and the switch has to open HTTPS.
    """

    what: str
    grows: bool = False
    why: str = ""
    lacks: bool = False
    plain: bool = False


def settled(
    ctx: Context,
    cloud: Cloud,
    outputs: Mapping[str, Any],
    now: Callable[[], float] = time.monotonic,
    timing: Timing = TIMING,
) -> Deviation | None:
    """How reality differs; a live colour that AWS scales out is waited for, but for no other reason."""
    until, reported, again = now() + timing.grows_for, False, Progress(ctx, now)
    known, changed = "", now()
    while (found := deviation(cloud, outputs)) and found.grows and now() < until:
        if found.what != known:
            known, changed = found.what, now()
        waits = f"{found.what}: AWS scales it out; that is waited for, at most {timing.grows_for:.0f} s"
        again.say(waits, found.what) if reported else ctx.info(waits)
        reported = True
        shortest = timing.at_least
        pause = min(seldom(now() - changed, shortest, timing.at_most), max(shortest, until - now()))
        ctx.wait(pause, "waiting for the live colour to be scaled out")
    return found


def deviation(cloud: Cloud, outputs: Mapping[str, Any]) -> Deviation | None:
    """How reality differs from the record now; None if it does not."""
    recorded = Recorded.from_outputs(outputs)
    if recorded is None:
        return Deviation("nothing is recorded")
    balancer = cloud.balancer()
    weights = balancer.rule.weights if balancer.rule else None
    if weights is None or whole(weights) is not recorded.live_colour:
        return Deviation(f"users are served {words(weights)}, recorded is {recorded.live_colour}")
    if balancer.plain:
        return Deviation("users still come by plain HTTP", plain=True)
    reading = cloud.read(recorded.live_colour, balancer.target_groups.get(recorded.live_colour))
    running, healthy = len(reading.running), reading.healthy
    if not (running == healthy == reading.wanted > 0):
        what = f"{recorded.live_colour} has {healthy} healthy of {reading.wanted} wanted tasks"
        return Deviation(what, grows=scales_out(reading), why="; ".join(own_words(reading)), lacks=True)
    other = _something_else(cloud, reading, recorded)
    return Deviation(other) if other else None


def _something_else(cloud: Cloud, reading: Reading, recorded: Recorded) -> str | None:
    """What the live colour runs next to, or in place of, what is recorded; all of it is healthy."""
    if reading.in_rotation != {task.ip for task in reading.running}:
        return f"{recorded.live_colour} has targets in rotation that are none of its tasks"
    digests = {task.digest for task in reading.running}
    if digests != {recorded.live.digest}:
        image = cloud.image(digest=recorded.live.digest)
        if not image or not digests <= image.manifests:
            return f"{recorded.live_colour} runs {', '.join(map(short, digests))}, not {short(recorded.live.digest)}"
    release = cloud.release_of(reading.task_definition)
    if release is None:
        return f"{recorded.live_colour} runs a task definition that is not this program's"
    if release.id != recorded.live.id:
        what = f"release {release.id}, recorded is release {recorded.live.id}"
        return f"{recorded.live_colour} runs {what}: {release_named(release, recorded.live)}"
    return None


def words(weights: Mapping[Colour, int] | None) -> str:
    """Weights for people."""
    if weights is None:
        return "by no rule at all (503)"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)
