"""What all gates have in common: they run only while an update wants them to, and leave a pass.

A gate's `active` input is true while this update decided to use it. Then its diff always reports a change, so
that a result stored by an earlier, failed update is never reused; otherwise it never does, so that an update
with nothing to do stays one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, TypeVar

from provider_kit import UNKNOWN, Cancelled, Change, Context, Props, Resource, State, UserError, readable

from release_lane.aws.cloud import Cloud
from release_lane.errors import CloudError, Interrupted, ReleaseError, Users, parse
from release_lane.gates.passes import Pass
from release_lane.gates.recording import RECORDING, Recording
from release_lane.record.inputs import GATE_OUTPUTS, is_active, pass_of_before
from release_lane.record.names import Names

Result = TypeVar("Result")

CloudOf = Callable[[Names], Cloud]
"""Opens the environment of these names."""


def reported(work: Callable[[], Result], recording: Recording = RECORDING) -> Result:
    """Run it; a ReleaseError reaches the person as its message alone, and so does what AWS refused. `recording` gets
    each failure.

    What does not say so itself left the users' traffic untouched: only a switch changes weights, and it always says.
    """
    try:
        return work()
    except ReleaseError as error:
        error.users = error.users or Users.UNTOUCHED
        recording.failed(error)
        raise UserError(str(error)) from error
    except Cancelled as error:
        interrupted = parse(str(error)) or Interrupted(str(error), users=Users.UNTOUCHED)
        recording.failed(interrupted)
        raise Cancelled(str(interrupted)) from error
    except Exception as error:
        refused = readable(error)
        if refused is None:
            recording.failed(parse(str(error)) or CloudError(f"{type(error).__name__}: {error}", users=Users.UNSURE))
            raise
        said = CloudError(refused, users=Users.UNTOUCHED)
        recording.failed(said)
        raise UserError(str(said)) from error


class Gate(Resource):
    """One gate. Subclasses say what they check; a `ReleaseError` from there fails the update."""

    computed = frozenset(GATE_OUTPUTS)
    shown: ClassVar[tuple[str, ...]]
    """Inputs whose change an approver should see in the diff."""

    def __init__(self, cloud_of: CloudOf = Cloud, recording: Recording = RECORDING) -> None:
        self.cloud_of = cloud_of
        self.recording = recording

    @abstractmethod
    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Check; the pass, and one line that says what was seen. Raises ReleaseError for a no.

        What the gate itself could not see is named in `Pass.unchecked`; that of the gates before is added to it.
        """

    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        """Always a change while active, never otherwise."""
        del ctx, ignore
        if not is_active(inputs):
            return []
        changed = [Change(key) for key in self.shown if old.inputs.get(key) != inputs.get(key)]
        return changed or [Change("active")]

    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        """While active the pass is not known before the update; otherwise it stays what it was."""
        if is_active(inputs) or old is None:
            return dict.fromkeys(self.computed, UNKNOWN) | inputs
        return super().preview(ctx, inputs, old)

    def create(self, ctx: Context, inputs: Props) -> tuple[str, Props]:
        """Run the gate (an inactive one leaves no pass)."""
        return ctx.name, self._run(ctx, inputs)

    def update(self, ctx: Context, old: State, inputs: Props) -> Props:
        """Run the gate again."""
        del old
        return self._run(ctx, inputs)

    def _run(self, ctx: Context, inputs: Props) -> Props:
        if not is_active(inputs):
            return _left({}, "not asked for in this update")
        seen, detail = reported(lambda: self.passes(ctx, inputs), self.recording)
        passed = seen.after(pass_of_before(inputs))
        if seen.unchecked:
            detail = f"{detail}; not checked: {'; '.join(seen.unchecked)}"
        ctx.say(detail)
        return _left(passed.as_dict(), detail)


def _left(passed: Props, detail: str) -> Props:
    return dict(zip(GATE_OUTPUTS, (passed, detail), strict=True))
