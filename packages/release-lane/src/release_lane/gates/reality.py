"""How reality differs from the record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from provider_kit import Context, Progress

from release_lane.aws.cloud import Balancer, Cloud, submit
from release_lane.decide.difference import release_named
from release_lane.gates.timing import TIMING, Timing
from release_lane.record.digest import short
from release_lane.record.inputs import NOWHERE
from release_lane.record.placement import Colour, Release
from release_lane.record.records import Known, Located, Recorded
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
    located: Located = NOWHERE,
    known: Known | None = None,
    *,
    now: Callable[[], float] = time.monotonic,
    timing: Timing = TIMING,
) -> Deviation | None:
    """How reality differs; a live colour that AWS scales out is waited for, but for no other reason."""
    until, reported, again = now() + timing.grows_for, False, Progress(ctx, now)
    last, changed = "", now()
    while (found := deviation(cloud, outputs, located, known)) and found.grows and now() < until:
        if found.what != last:
            last, changed = found.what, now()
        waits = f"{found.what}: AWS scales it out; that is waited for, at most {timing.grows_for:.0f} s"
        again.say(waits, found.what) if reported else ctx.info(waits)
        reported = True
        shortest = timing.at_least
        pause = min(seldom(now() - changed, shortest, timing.at_most), max(shortest, until - now()))
        ctx.wait(pause, "waiting for the live colour to be scaled out")
    return found


def deviation(
    cloud: Cloud, outputs: Mapping[str, Any], located: Located = NOWHERE, known: Known | None = None
) -> Deviation | None:
    """How reality differs from the record now; None if it does not. `known`: what the live colour ran a moment ago."""
    recorded = Recorded.from_outputs(outputs)
    if recorded is None:
        return Deviation("nothing is recorded")
    live = recorded.live_colour
    side = submit(lambda: cloud.read(live, located.target_groups.get(live), known)) if located.complete else None
    balancer = cloud.balancer(located, tagged=False)
    weights = balancer.rule.weights if balancer.rule else None
    if weights is None or not recorded.are(weights):
        should = words(recorded.weights) if recorded.hold else live
        return Deviation(f"users are served {words(weights)}, recorded is {should}")
    if balancer.plain:
        return Deviation("users still come by plain HTTP", plain=True)
    reading = side.result() if side else cloud.read(live, balancer.target_groups.get(live), known)
    found = _amiss(cloud, reading, live, recorded.live, known)
    if found is None and (hold := recorded.hold):
        reading = cloud.read(hold.colour, balancer.target_groups.get(hold.colour))
        return _amiss(cloud, reading, hold.colour, hold.release, None)
    return found


def _amiss(cloud: Cloud, reading: Reading, colour: Colour, recorded: Release, known: Known | None) -> Deviation | None:
    """Of a colour that serves: is it fully healthy, and what is recorded?"""
    running, healthy = len(reading.running), reading.healthy
    if not (running == healthy == reading.wanted > 0):
        what = f"{colour} has {healthy} healthy of {reading.wanted} wanted tasks"
        return Deviation(what, grows=scales_out(reading), why="; ".join(own_words(reading)), lacks=True)
    other = _something_else(cloud, reading, colour, recorded, known)
    return Deviation(other) if other else None


def _something_else(
    cloud: Cloud, reading: Reading, colour: Colour, recorded: Release, known: Known | None
) -> str | None:
    """What a colour runs next to, or in place of, what is recorded; all of it is healthy."""
    if reading.in_rotation != {task.ip for task in reading.running}:
        return f"{colour} has targets in rotation that are none of its tasks"
    digests = {task.digest for task in reading.running}
    sure = known.manifests if known and known.image == recorded.digest else {recorded.digest}
    if not digests <= sure and not digests <= cloud.manifests(recorded.digest):
        return f"{colour} runs {', '.join(map(short, digests))}, not {short(recorded.digest)}"
    if known and (known.task_definition, known.release) == (reading.task_definition, recorded.id):
        return None  # a task definition never changes
    release = cloud.release_of(reading.task_definition)
    if release is None:
        return f"{colour} runs a task definition that is not this program's"
    if release.id != recorded.id:
        what = f"release {release.id}, recorded is release {recorded.id}"
        return f"{colour} runs {what}: {release_named(release, recorded)}"
    return None


def where(cloud: Cloud, located: Located) -> Balancer:
    """What cannot change within an update, as it was handed on; looked up where it did not exist before this update."""
    if not located.complete:
        return cloud.balancer()
    return Balancer(dns_name=located.dns_name, listener=located.listener, target_groups=located.target_groups)


def words(weights: Mapping[Colour, int] | None) -> str:
    """Weights for people."""
    if weights is None:
        return "by no rule at all (503)"
    return ", ".join(f"{colour} {weights.get(colour, 0)}%" for colour in Colour)
