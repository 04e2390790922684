"""Notifications about an environment, as `notify` of its stack file asks for."""

from __future__ import annotations

from release_lane.command.tools import Tools
from release_lane.errors import ReleaseError, UsageError
from release_lane.operate.notices import Notice, event_of
from release_lane.settings.notify import Event


def tell(tools: Tools, environment: str, event: Event, what: str, digest: str = "") -> None:
    """Send a notification where the stack file asks for it. A failure to send is reported, and changes nothing."""
    stack = tools.project.file_of(environment)
    try:
        to, access = stack.notify, stack.access
    except UsageError as error:
        tools.terminal.say(f"No notification was sent: {error.what}")
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
    for problem in tools.notifier.send(to, access, notice):
        tools.terminal.say(f"A notification ({event}) was not delivered: {problem}.")


def tell_failure(tools: Tools, environment: str, error: ReleaseError, digest: str = "") -> None:
    """Notify of a failed release: refused, or breached after traffic had moved."""
    event = event_of(error)
    if event:
        tell(tools, environment, event, error.what, digest)
