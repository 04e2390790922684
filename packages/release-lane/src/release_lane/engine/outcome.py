"""How an update or preview ended, read from what the engine reported: done, or which `ReleaseError` it was. Pure.

Kinds of failure are kept apart, since they ask for different things of a person: a check said no (1), settings
are wrong (2), a tool or the cloud failed (3), it was refused (4). The program and the gates write
`ReleaseError.__str__` into their one message; its line `Kind: Refused` decides. Without one the kind follows from
where the message came from: the program refuses, a gate says no, anything else is a failure of the cloud.
"""

from __future__ import annotations

from release_lane.engine.events import EngineLog, Message
from release_lane.engine.texts import PROGRAM_FAILED
from release_lane.errors import CheckFailed, CloudError, Parts, Refused, ReleaseError, read

GATES = "release:index:"
"""Type tokens of the gates begin with this."""

_PASSED_ON = {
    "aws": "fix what it names; the same command then goes on from what this one did.",
    "docker": "see Docker's own words; once Dockerfile, base image and registry answer, run the same command again.",
}
"""By package of the resource: errors of AWS and Docker that are passed on say nothing of it."""


def failure(log: EngineLog, stderr: str) -> ReleaseError:
    """The one error that says best why the engine ended with a failure."""
    if not log.errors:
        return _engine_died(log, stderr) if log.began else _engine_failed(stderr)
    chosen = next((message for message in log.errors if message.type.startswith(GATES)), log.errors[0])
    error = _classified(chosen)
    others = [message.text.splitlines()[0] for message in log.errors if message is not chosen and message.type]
    if others:
        error.why = "; ".join(filter(None, [error.why, "besides: " + "; ".join(others)]))
    return error


def _classified(message: Message) -> ReleaseError:
    if message.text.startswith(PROGRAM_FAILED):
        return CloudError(
            f"The program itself failed: {message.text.splitlines()[-1].strip()}",
            why="this is a mistake in the program, not in what was asked for; its traceback is above",
            next_step="Fix the program. The next update reports any unfinished one.",
        )
    parts = read(message.text)
    error = parts.as_error(parts.kind or _kind_by_origin(message, parts))
    error.shown = True
    error.next_step = error.next_step or _PASSED_ON.get(message.type.split(":", 1)[0], "")
    return error


def _kind_by_origin(message: Message, parts: Parts) -> type[ReleaseError]:
    """Every refusal says what to do next; an error of AWS that is passed on does not, and neither does a mistake in
    program or gate."""
    if not parts.next_step:
        return CloudError
    if not message.type or message.type == "pulumi:pulumi:Stack":
        return Refused
    return CheckFailed if message.type.startswith(GATES) else CloudError


def _engine_died(log: EngineLog, stderr: str) -> ReleaseError:
    """It was at work and ended without saying why: killed, by a person or for want of memory."""
    begun = ", ".join(log.began[-3:])
    return CloudError(
        f"The engine ended in the middle of the update without saying why. Begun last: {begun}.",
        why=_last_line(stderr) or "it said nothing, as when it is killed (by a person, or for want of memory)",
        next_step="`release recover` looks where users are, says what was left behind, and clears it.",
    )


def _last_line(stderr: str) -> str:
    lines = [line.removeprefix("error: ") for line in stderr.strip().splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _engine_failed(stderr: str) -> ReleaseError:
    """It gave up before the program ran: what it wrote to stderr is all there is."""
    return CloudError(
        "The engine failed before anything was changed.",
        why=_last_line(stderr) or "it said nothing",
        next_step="see its own words above; `pulumi about` shows whether backend and plugins answer.",
    )
