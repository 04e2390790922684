"""The traffic switch: sole owner of the production rule. It alone creates, tags, weights and deletes it.

How it moves users is in `gates.moving`; what it records, and how reality may differ from that, in `gates.reality`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from provider_kit import UNKNOWN, Change, Context, Props, Resource, State

from release_lane.aws.cloud import Cloud
from release_lane.decide.advance import after
from release_lane.decide.refusals import HERE, kept_balancer, kept_database
from release_lane.errors import CheckFailed, CloudError, Users
from release_lane.gates.gate import CloudOf, reported
from release_lane.gates.https import open_https
from release_lane.gates.move import Move
from release_lane.gates.moving import perform
from release_lane.gates.reality import Deviation, deviation, settled
from release_lane.gates.recording import RECORDING, Recording
from release_lane.record.endpoint import production
from release_lane.record.evidence import Drill, with_passed_drill
from release_lane.record.hold import how_to_end
from release_lane.record.inputs import SwitchInputs, environment_of, is_active
from release_lane.record.records import OF_HOLD, OUTPUTS, Recorded


class TrafficSwitch(Resource):
    """Moves users (`SwitchInputs`); its outputs are the record (`Recorded.as_outputs`, and `url`)."""

    token = "release:index:TrafficSwitch"
    computed = frozenset(OUTPUTS)

    def __init__(self, cloud_of: CloudOf = Cloud, recording: Recording = RECORDING) -> None:
        self.cloud_of = cloud_of
        self.recording = recording

    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        """While active always a change; otherwise reality decides: it must be what was recorded."""
        del ignore
        if is_active(inputs):
            changed = [
                path for key in SwitchInputs.SHOWN for path in _changed(key, old.inputs.get(key), inputs.get(key))
            ]
            return [Change(path) for path in changed] or [Change("active")]
        if inputs.get("drill"):
            return [Change("drill")]
        problem = reported(lambda: _deviation(self.cloud_of, inputs, old.outputs), self.recording)
        if problem is None:
            if _renamed(inputs, old.outputs):
                return [Change("url")]
            self.recording.done()  # an update that moves no traffic ends here
            return []
        if problem.plain:
            return [Change("url")]
        more = "; AWS scales it out, which an update waits for" if problem.grows else ""
        more += f". ECS says: {problem.why}" if problem.why else ""
        ctx.warn(f"Reality is not what was recorded: {problem.what}{more}")
        return [Change("weights")]

    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        """What will be recorded; what carries a time (evidence, a hold) only after the update."""
        if not is_active(inputs):
            return super().preview(ctx, inputs, old) | (_of_hold(old.outputs) if old else {})
        given = reported(lambda: SwitchInputs.from_dict(inputs), self.recording)
        if isinstance(given.pass_of_before, Mapping):
            # The gates' outputs are known in a preview only if they will not run in the update.
            reported(lambda: Move.of(given), self.recording)
        recorded = after(given.standing, given.live, given.release, given.course, given.drill, at="")
        kept = {"url": old.outputs.get("url", UNKNOWN) if old else UNKNOWN}
        timed = {"evidence": UNKNOWN, **({"hold": UNKNOWN} if recorded.hold else {})}
        return {**inputs, **kept, **recorded.as_outputs(), **timed}

    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        """Move users for the first time (or take up a record that the state had lost)."""
        return ctx.name, reported(lambda: self._apply(ctx, inputs, {}), self.recording)

    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """Move users, or (inactive) fail because reality is not what was recorded."""
        return reported(lambda: self._apply(ctx, inputs, old.outputs), self.recording)

    def read(self, ctx: Context, id: str, props: Props, inputs: Props) -> tuple[Props, Props] | None:
        """The record stays the record: the next update reports drift, a refresh does not swallow it."""
        del ctx, id
        return (props, inputs) if props else None

    def delete(self, ctx: Context, state: State) -> None:
        """Delete the rule: the production listener answers 503 again."""
        del ctx

        def remove() -> None:
            cloud = self.cloud_of(environment_of(state.inputs))
            rule, database = cloud.balancer().rule, state.inputs.get("keptDatabase")
            if rule and cloud.keeps_balancer():
                raise kept_balancer(cloud.names.load_balancer)
            if rule and database:
                raise kept_database(str(database))
            if rule:
                cloud.delete_rule(rule.arn)

        reported(remove, self.recording)

    def _apply(self, ctx: Context, inputs: Props, old: Mapping[str, Any]) -> Props:
        given = SwitchInputs.from_dict(inputs)
        cloud = self.cloud_of(given.names)
        move = Move.of(given) if given.active else None
        if given.names.domain:
            open_https(ctx, cloud, given)
        if move:
            outputs = perform(ctx, cloud, move, recording=self.recording)
            self.recording.done(Recorded.from_outputs(outputs))
            return outputs
        kept = {key: old[key] for key in self.computed if key in old} | _of_hold(old)
        kept = kept or _taken_up(cloud, given.standing)
        problem = settled(ctx, cloud, kept, given.located, given.known)
        if problem:
            recorded = Recorded.from_outputs(kept)
            raise _not_as_recorded(problem, held=bool(recorded and recorded.hold))
        if given.drill is Drill.PASSED:
            kept = _with_drill(kept)
        self.recording.done()
        return {**kept, "url": production(cloud.names, "").url} if given.names.domain else kept


def _renamed(inputs: Props, outputs: Mapping[str, Any]) -> bool:
    """Do users come by another name than the recorded one?"""
    names = environment_of(inputs)
    return bool(names.domain) and outputs.get("url") != production(names, "").url


def _of_hold(outputs: Mapping[str, Any]) -> Props:
    """They are no computed outputs: the end of a hold must not keep them."""
    return {key: outputs[key] for key in OF_HOLD if key in outputs}


def _deviation(cloud_of: CloudOf, inputs: Props, outputs: Mapping[str, Any]) -> Deviation | None:
    given = SwitchInputs.from_dict(inputs)
    return deviation(cloud_of(given.names), outputs, given.located, given.known)


def _not_as_recorded(problem: Deviation, *, held: bool) -> CheckFailed:
    """An update that moves no traffic can only say what is wrong, and what would help. `held`: while a hold stands, no
    colour is free to start the recorded release on, so users go to the one that is well."""
    lasting = ", though AWS has been scaling it out for long" if problem.grows else ""
    what = f"This update releases nothing, but what serves users is not what was recorded: {problem.what}{lasting}."
    if not problem.lacks:
        next_step = "run the update with onDrift=restore, or roll back."
        if held:
            next_step = f"give all users to the release that is as recorded: {how_to_end(HERE)}."
        return CheckFailed(what, next_step=next_step, users=Users.UNTOUCHED)
    first = "remove that cause" if problem.why else "look at the service's stopped tasks and events in ECS"
    others = (
        f"give all users to the release that is well, {how_to_end(HERE)}."
        if held
        else "run the update with onDrift=restore, which starts the recorded release on the other colour and moves "
        "users there, or go back (`release rollback`)."
    )
    return CheckFailed(
        what,
        why=f"ECS says: {problem.why}" if problem.why else "ECS gives no reason",
        next_step=f"{first}; ECS goes on trying, and once it succeeded so does the update. If that takes too long: "
        + others,
        users=Users.UNTOUCHED,
    )


def _with_drill(outputs: Props) -> Props:
    """The record, with a drill of what is live that passed."""
    recorded = Recorded.from_outputs(outputs)
    if recorded is None:
        return outputs
    evidence = with_passed_drill(recorded.evidence, recorded.live.digest)
    return {**outputs, **replace(recorded, evidence=evidence).as_outputs()}


def _taken_up(cloud: Cloud, standing: Recorded | None) -> Props:
    if standing is None:
        raise CloudError("There is no record of a release here, and none was asked for.")
    return {**standing.as_outputs(), "url": production(cloud.names, cloud.balancer().dns_name).url}


def _changed(path: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [each for key in sorted({*old, *new}) for each in _changed(f"{path}.{key}", old.get(key), new.get(key))]
    return [path]
