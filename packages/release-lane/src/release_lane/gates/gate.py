"""What all gates have in common: they run only while an update wants them to, and leave a pass.

A gate's `active` input is true while this update decided to use it. Then its diff always reports a change, so
that a result stored by an earlier, failed update is never reused; otherwise it never does, so that an update
with nothing to do stays one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from provider_kit import UNKNOWN, Cancelled, Change, Context, Props, Resource, State, UserError, readable

from release_lane.aws.cloud import Cloud
from release_lane.errors import CloudError, Interrupted, ReleaseError
from release_lane.gates.passes import Pass
from release_lane.record.names import Names

Result = TypeVar("Result")


def told(work: Callable[[], Result]) -> Result:
    """Run it; a ReleaseError reaches the person as its message alone, and so does what AWS refused."""
    try:
        return work()
    except ReleaseError as error:
        raise UserError(str(error)) from error
    except Cancelled as error:
        raise Cancelled(str(Interrupted(str(error)))) from error
    except Exception as error:
        refused = readable(error)
        if refused is None:
            raise
        raise UserError(str(CloudError(refused))) from error


def cloud_of(inputs: Props) -> Cloud:
    """The environment that a gate's inputs name."""
    return Cloud(Names.from_dict(inputs["environment"]))


class Gate(Resource):
    """One gate. Subclasses say what they check; a `ReleaseError` from there fails the update."""

    computed = frozenset({"passedFor", "detail"})
    shown: ClassVar[tuple[str, ...]] = ("digest", "colour")
    """Inputs whose change an approver should see in the diff."""

    @abstractmethod
    def passes(self, ctx: Context, inputs: Props) -> tuple[Pass, str]:
        """Check; the pass, and one line that says what was seen. Raises ReleaseError for a no.

        What the gate itself could not see is named in `Pass.unchecked`; that of the gates before is added to it.
        """

    def diff(self, ctx: Context, old: State, inputs: Props, ignore: Sequence[str]) -> list[Change]:
        """Always a change while active, never otherwise."""
        del ctx, ignore
        if not inputs.get("active"):
            return []
        changed = [Change(key) for key in self.shown if old.inputs.get(key) != inputs.get(key)]
        return changed or [Change("active")]

    def preview(self, ctx: Context, inputs: Props, old: State | None) -> Props:
        """While active the pass is not known before the update; otherwise it stays what it was."""
        if inputs.get("active") or old is None:
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
        if not inputs.get("active"):
            return {"passedFor": {}, "detail": "not asked for in this update"}
        seen, detail = told(lambda: self.passes(ctx, inputs))
        passed = seen.after(pass_input(inputs))
        if seen.unchecked:
            detail = f"{detail}; not checked: {'; '.join(seen.unchecked)}"
        ctx.say(detail)
        return {"passedFor": passed.as_dict(), "detail": detail}


def pass_input(inputs: Props) -> Any:
    """The pass of the gate before this one."""
    return inputs.get("passOfBefore")
