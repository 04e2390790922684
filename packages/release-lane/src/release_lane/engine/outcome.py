"""How an update or preview ended, told from what the engine reported: done, or which `ReleaseError` it was. Pure.

Kinds of failure are kept apart, since they ask for different things of a person: a check said no (1), settings
are wrong (2), a tool or the cloud failed (3), it was refused (4). The program and the gates write
`ReleaseError.__str__` into their one message; a line `Kind: Refused` there decides. Without one it follows from
where the message came from: the program refuses, a gate says no, anything else is a failure of the cloud.
"""

from __future__ import annotations

from release_lane.engine.events import EngineLog, Message
from release_lane.errors import CheckFailed, CloudError, Interrupted, Refused, ReleaseError, UsageError

GATES = "release:index:"
"""Type tokens of the gates begin with this."""

KINDS: dict[str, type[ReleaseError]] = {
    kind.__name__: kind for kind in (CheckFailed, UsageError, CloudError, Refused, Interrupted)
}

_BUG = "Program failed with an unhandled exception"
_NOT_PUT_BACK = "COULD NOT BE PUT BACK"
_USAGE = ("The stack's settings are wrong", "There is no stack ")


def failure(log: EngineLog, stderr: str) -> ReleaseError:
    """The one error that tells best why the engine ended with a failure."""
    if not log.errors:
        return _engine_died(log, stderr) if log.began else _engine_failed(stderr)
    chosen = next((message for message in log.errors if message.type.startswith(GATES)), log.errors[0])
    error = _classified(chosen)
    others = [message.text.splitlines()[0] for message in log.errors if message is not chosen and message.type]
    if others:
        error.why = "; ".join(filter(None, [error.why, "besides: " + "; ".join(others)]))
    return error


def weights_are_unsure(error: ReleaseError) -> bool:
    """Did a failed switch leave the users' weights where nobody meant them? Then a person must look first."""
    return _NOT_PUT_BACK in error.what


def _classified(message: Message) -> ReleaseError:
    if message.text.startswith(_BUG):
        return CloudError(
            f"The program itself failed: {message.text.splitlines()[-1].strip()}",
            why="this is a mistake in the program, not in what was asked for; its traceback is above",
            next_step="correct the program. An update that had begun is told by the next one.",
        )
    error = error_in(message.text) or _by_origin(message)
    error.told = True
    return error


def error_in(text: str) -> ReleaseError | None:
    """The error that a gate or a function of ours wrote as text; None where it names no kind."""
    lines, parts = _parted(text)
    kind = KINDS.get(parts.get("Kind", ""))
    return kind("\n".join(lines), why=parts.get("Why", ""), next_step=parts.get("Next", "")) if kind else None


def _by_origin(message: Message) -> ReleaseError:
    lines, parts = _parted(message.text)
    what = "\n".join(lines)
    kind = _kind_by_origin(message, what, advised="Next" in parts)
    return kind(what, why=parts.get("Why", ""), next_step=parts.get("Next", ""))


def _parted(text: str) -> tuple[list[str], dict[str, str]]:
    """The first sentences, and the lines `Why: …`, `Next: …`, `Kind: …` that follow them."""
    lines: list[str] = []
    parts: dict[str, str] = {}
    for line in text.splitlines():
        label, colon, rest = line.partition(": ")
        if colon and label in ("Why", "Next", "Kind"):
            parts[label] = rest.strip()
        elif parts and line.strip():
            last = list(parts)[-1]
            parts[last] += "\n" + line
        else:
            lines.append(line)
    return lines, parts


def _kind_by_origin(message: Message, what: str, *, advised: bool) -> type[ReleaseError]:
    """Every refusal advises what to do next; an error of AWS that is passed on does not, and neither does a mistake in
    program or gate."""
    if what.startswith(_USAGE):
        return UsageError
    if _NOT_PUT_BACK in what:
        return CloudError
    if not message.type or message.type == "pulumi:pulumi:Stack":
        return Refused if advised else CloudError
    return CheckFailed if advised and message.type.startswith(GATES) else CloudError


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
