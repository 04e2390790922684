"""What `notify` in a stack file may say: the events, and the addresses to send them to."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from release_lane.settings.section import Section, sound

TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
SECRET = re.compile(r"arn:aws[a-z-]*:(secretsmanager:[a-z0-9-]+:\d{12}:secret:|ssm:[a-z0-9-]+:\d{12}:parameter/)\S+")
_WEB = re.compile(r"https://[^\s/@?#]+(/\S*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?")


class Event(StrEnum):
    """What a notification may be about."""

    REFUSED = "refused"
    BREACH = "breach"
    ROLLBACK = "rollback"
    RECOVERED = "recovered"


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


class NotifySettings(Section):
    """`notify`: where the `release` command sends which events. A plain `pulumi up` sends none."""

    topic: Annotated[str, sound(topic_problem)] = ""
    webhook: Annotated[str, sound(webhook_problem)] = ""
    events: tuple[Annotated[Event, Field(strict=False)], ...] = Field(default=tuple(Event), strict=False)

    def wants(self, event: Event) -> bool:
        """Is there an address to send it to?"""
        return event in self.events and bool(self.topic or self.webhook)
