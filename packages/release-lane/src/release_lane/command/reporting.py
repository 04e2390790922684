"""What a successful update has done: as data, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from release_lane.command.adapters.engine import Run
from release_lane.command.tools import Tools
from release_lane.decide.difference import settings_apart
from release_lane.engine.state import StackState
from release_lane.errors import CloudError
from release_lane.operate.planned import Planned, planned_in
from release_lane.record.digest import short
from release_lane.record.endpoint import LOAD_BALANCER
from release_lane.record.hold import how_to_end
from release_lane.record.placement import Release
from release_lane.record.records import Recorded


def report(tools: Tools, environment: str, before: StackState, run: Run) -> tuple[dict[str, Any], str]:
    """The report of a successful update: as data, and in words.

    The replaced release is taken from the update itself, which read it under the lock: `before` was read earlier.
    """
    outputs = _outputs_now(tools, environment, run)
    recorded = Recorded.from_outputs(outputs)
    planned = planned_in(run.log)
    replaced = planned.standing or before.recorded
    return (
        _as_data(environment, planned, replaced, recorded, outputs),
        _as_text(environment, planned, replaced, recorded, outputs),
    )


def _outputs_now(tools: Tools, environment: str, run: Run) -> Mapping[str, Any]:
    """As the engine stored them in this run; it is asked once more only where its log does not say."""
    if run.log.outputs is not None:
        return run.log.outputs
    try:
        state = tools.engine.state(environment)
        return state.outputs if state else {}
    except CloudError as error:
        raise CloudError(
            f"The update of {environment} succeeded, but its record cannot be read.",
            why=error.what_and_why,
            next_step=f"`release status {environment}`, once the backend answers.",
        ) from error


def _as_data(
    environment: str, planned: Planned, before: Recorded | None, after: Recorded | None, outputs: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "environment": environment,
        "decision": planned.decision,
        "reason": planned.reason,
        "liveColour": str(after.live_colour) if after else None,
        "digest": after.live.digest if after else None,
        "commit": after.live.commit if after else None,
        "releaseId": after.live.id if after else None,
        "replaced": _replaced(before, after),
        "previousDigest": after.previous.digest if after and after.previous else None,
        "url": outputs.get("url"),
        LOAD_BALANCER: outputs.get(LOAD_BALANCER),
        **({"hold": after.hold.as_dict()} if after and after.hold else {}),
    }


def _replaced(before: Recorded | None, after: Recorded | None) -> str | None:
    """The digest that users were on and are not any more."""
    if before is None or after is None:
        return None
    if before.hold and after.hold is None and after.live.id == before.live.id:
        return before.hold.release.digest
    return before.live.digest if before.live.id != after.live.id else None


def _as_text(
    environment: str, planned: Planned, before: Recorded | None, after: Recorded | None, outputs: Mapping[str, Any]
) -> str:
    if after is None:
        return f"{environment}: built; no release yet, users get a 503."
    now = f"users are on {after.live_colour}, {named(after.live)}"
    where = f" at {outputs['url']}" if outputs.get("url") else ""
    if after.hold:
        others = f"all others are on {after.live_colour}, {named(after.live)}{where}"
        end = f"It ends with {how_to_end(environment)}."
        return f"{environment}: a hold stands: {after.hold.words()}; {others}. {end}"
    if before and before.hold:
        return f"{environment}: the hold has ended; {now}{where}. Until now: {before.hold.words()}."
    if before and before.live == after.live and before.live_colour is after.live_colour:
        done = {"keep": "nothing to do", "heal": f"the standby on {after.live_colour.other} is restored"}
        return f"{environment}: {done.get(planned.decision, 'the record is unchanged')}; {now}{where}."
    until = f" Until now: {_until_now(before, after)}." if before else " It is the first release here."
    return f"{environment}: {now}{where}.{until}"


def _until_now(before: Recorded, after: Recorded) -> str:
    """What was live; where that is the same image, how its settings differed."""
    same = before.live.digest == after.live.digest
    settings = settings_apart(before.live.service, after.live.service) if same else ""
    return f"{before.live_colour}, {named(before.live)}" + (f" with different settings: {settings}" if settings else "")


def named(release: Release) -> str:
    """A release in a sentence: digest and commit, both short."""
    return short(release.digest) + (f" (commit {release.commit[:7]})" if release.commit else "")
