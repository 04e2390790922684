"""Telling people what happened to an environment, as its stack file's `notify` says."""

from __future__ import annotations

from release_lane.command.tools import Tools
from release_lane.errors import ReleaseError, UsageError
from release_lane.operate.notices import Event, Notice, Notify, event_of


def tell(tools: Tools, environment: str, event: Event, what: str, digest: str = "") -> None:
    """Send it to whoever wants to know; that it could not be sent is said, and changes nothing."""
    stack = tools.project.stacks[environment]
    try:
        to = Notify.read(stack.notify)
    except UsageError as error:
        tools.terminal.say(f"Nobody was told; in {stack.path.name}: {error.what}")
        return
    if not to.wants(event):
        return
    notice = Notice(
        event=event,
        project=tools.project.name,
        environment=environment,
        what=what,
        digest=digest,
        origin=tools.origin,
    )
    for problem in tools.notifier.send(to, stack.access, notice):
        tools.terminal.say(f"Not everybody was told of this ({event}): {problem}.")


def tell_failure(tools: Tools, environment: str, error: ReleaseError, digest: str = "") -> None:
    """A release that failed: refused, or breached after users had been moved."""
    event = event_of(error)
    if event:
        tell(tools, environment, event, error.what, digest)
