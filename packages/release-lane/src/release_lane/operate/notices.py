"""Who is told when a release is refused, breached, rolled back or recovered, and what the message says. Pure.

A message carries names, digests and first sentences only: no configuration, no log line, no address that a secret
reference stands for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.engine.locks import Origin
from release_lane.errors import CheckFailed, Interrupted, Refused, ReleaseError, UsageError, Users
from release_lane.record.digest import short

TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
SECRET = re.compile(r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:|ssm:[a-z0-9-]+:\d{12}:parameter/)\S+")
_WEB = re.compile(r"https://[^\s/@?#]+(/\S*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?")

LONGEST_SENTENCE = 300
LONGEST_SUBJECT = 99
"""An SNS subject has fewer than 100 characters of ASCII (SNS API reference, Publish)."""


class Event(StrEnum):
    """What somebody may want to be told of."""

    REFUSED = "refused"
    BREACH = "breach"
    ROLLBACK = "rollback"
    RECOVERED = "recovered"


@dataclass(frozen=True, kw_only=True)
class Notify:
    """The stack file's `notify`: an SNS topic's ARN, a webhook's URL or the ARN of the secret that holds it.

    The key is called `events`, since YAML reads a bare `on` as true.
    """

    topic: str = ""
    webhook: str = ""
    events: frozenset[Event] = field(default_factory=lambda: frozenset(Event))

    def wants(self, event: Event) -> bool:
        """Is there somebody to tell of it?"""
        return event in self.events and bool(self.topic or self.webhook)

    @staticmethod
    def read(raw: Any) -> Notify:
        """Read the key's value; one `UsageError` for all that is wrong with it."""
        value = raw or {}
        if not isinstance(value, Mapping):
            raise _wrong(["notify: should have the keys topic, webhook, events"])
        problems = list(problems_of(value))
        if problems:
            raise _wrong(problems)
        events = frozenset(map(Event, value.get("events") or Event))
        return Notify(topic=str(value.get("topic") or ""), webhook=str(value.get("webhook") or ""), events=events)


def problems_of(value: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a `notify`, each with its path."""
    problems = [f"notify.{key}: is not a known key" for key in sorted(value.keys() - {"topic", "webhook", "events"})]
    for key, problem_of in (("topic", topic_problem), ("webhook", webhook_problem)):
        if problem := problem_of(value.get(key) or ""):
            problems.append(f"notify.{key}: {problem}")
    events = value.get("events") or []
    if not (isinstance(events, list | tuple) and all(each in list(Event) for each in events)):
        problems.append(f"notify.events: should be a list of {', '.join(Event)}")
    return tuple(problems)


def topic_problem(topic: Any) -> str:
    """What is wrong with the topic, "" if nothing is."""
    if not topic or (isinstance(topic, str) and TOPIC.fullmatch(topic)):
        return ""
    return "should be the ARN of an SNS topic (a standard one, not FIFO)"


def webhook_problem(webhook: Any) -> str:
    """What is wrong with the webhook, "" if nothing is. It does not repeat it: the URL may be the secret."""
    if not webhook or (isinstance(webhook, str) and (_WEB.fullmatch(webhook) or SECRET.fullmatch(webhook))):
        return ""
    return "should be an https URL, or the ARN of the secret or SSM parameter that holds it (http: this machine only)"


def _wrong(problems: list[str]) -> UsageError:
    lines = "\n".join(f"  {each}" for each in problems)
    return UsageError(f"The stack's settings are wrong:\n{lines}", next_step="correct the stack file.")


# ---- What happened ------------------------------------------------------------------------------------------


def event_of(error: ReleaseError) -> Event | None:
    """What a release that failed is to those who are told; None where there is nothing to tell them."""
    if isinstance(error, Interrupted) and error.users is not Users.UNSURE:
        return None  # whoever did it knows
    if error.users in (Users.RESTORED, Users.UNSURE):
        return Event.BREACH
    return Event.REFUSED if isinstance(error, CheckFailed | Refused) else None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing that happened. `what` is a sentence; `digest` the image it is about ("" if none)."""

    event: Event
    project: str
    environment: str
    what: str
    digest: str = ""
    origin: Origin = field(default_factory=Origin)

    @property
    def subject(self) -> str:
        """For the head of a mail: `production: breach (release-lane)`."""
        text = f"{self.environment}: {self.event} ({self.project})"
        return text.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]

    @property
    def sentence(self) -> str:
        """The first line of what happened, not too long."""
        line = self.what.strip().splitlines()[0] if self.what.strip() else str(self.event)
        return line if len(line) <= LONGEST_SENTENCE else line[: LONGEST_SENTENCE - 1] + "…"

    def as_dict(self, at: str) -> dict[str, str | None]:
        """The message; `at` is when it is sent (ISO 8601). `text` is what chats show of a webhook's message."""
        image = f" ({short(self.digest)})" if self.digest else ""
        where = f" {self.origin.run}" if self.origin.run else ""
        return {
            "event": str(self.event),
            "project": self.project,
            "environment": self.environment,
            "digest": self.digest or None,
            "what": self.sentence,
            "who": self.origin.who or None,
            "run": self.origin.run or None,
            "at": at,
            "text": f"{self.environment}: {self.event}{image}. {self.sentence}{where}",
        }
