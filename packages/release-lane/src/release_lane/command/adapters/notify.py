"""Notifications to an SNS topic and to a webhook. A release never depends on their delivery."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from release_lane.operate.notices import Notice
from release_lane.record.names import Access
from release_lane.settings.notify import SECRET, NotifySettings

PATIENCE = 6.0
"""Seconds that AWS has for one call, with a second try in them."""
ANSWER_WITHIN = 5.0
"""Seconds that a webhook has for each of its two tries."""
TRIES = 2


class Notifier(Protocol):
    """Sends notifications."""

    def send(self, to: NotifySettings, access: Access, notice: Notice) -> tuple[str, ...]:
        """Send to topic and webhook; what could not be sent, in words. Never raises."""


class RealNotifier:
    """Publishes to SNS, posts JSON to the webhook; one retry each. A webhook has so many seconds for each try."""

    def __init__(self, answer_within: float = ANSWER_WITHIN) -> None:
        self.answer_within = answer_within

    def send(self, to: NotifySettings, access: Access, notice: Notice) -> tuple[str, ...]:
        """One after the other."""
        message = json.dumps(notice.as_dict(datetime.now(UTC).isoformat(timespec="seconds")))
        ways: list[tuple[str, str, Callable[[], None]]] = [
            ("topic", to.topic, lambda: _publish(access, to.topic, notice, message)),
            ("webhook", to.webhook, lambda: _post(_url(access, to.webhook), message, self.answer_within)),
        ]
        return tuple(problem for name, given, way in ways if given and (problem := _tried(name, way)))


def _tried(name: str, way: Callable[[], None]) -> str:
    """What went wrong, "" if nothing did. Only our own words: an error may repeat an address with a secret in it."""
    try:
        way()
    except Unsent as error:
        return f"the {name} did not get it: {error}"
    except Exception as error:
        return f"the {name} did not get it: {type(error).__name__}"
    return ""


class Unsent(Exception):
    """Why it did not arrive, in words that may be shown."""


def _publish(access: Access, topic: str, notice: Notice, message: str) -> None:
    from botocore.exceptions import ClientError

    from release_lane.aws import patience
    from release_lane.aws.session import client
    from release_lane.errors import CloudError

    attribute: Any = {"DataType": "String", "StringValue": str(notice.event)}
    try:
        with patience.at_most(PATIENCE):
            client(access, "sns").publish(
                TopicArn=topic, Subject=notice.subject, Message=message, MessageAttributes={"event": attribute}
            )
    except (ClientError, CloudError) as error:
        raise Unsent(_of_aws(error)) from error


def _url(access: Access, given: str) -> str:
    """The webhook's address, read where it is kept."""
    if not SECRET.fullmatch(given):
        return given
    from botocore.exceptions import ClientError

    from release_lane.aws import patience
    from release_lane.aws.session import client
    from release_lane.errors import CloudError

    try:
        with patience.at_most(PATIENCE):
            if ":ssm:" in given:
                name = "/" + given.split(":parameter/", 1)[1]
                found = client(access, "ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
            else:
                found = client(access, "secretsmanager").get_secret_value(SecretId=given)["SecretString"]
    except (ClientError, CloudError) as error:
        raise Unsent(f"its address could not be read ({_of_aws(error)})") from error
    return str(found).strip()


def _of_aws(error: Exception) -> str:
    from botocore.exceptions import ClientError

    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else "AWS did not answer"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A message goes where it was meant to go, or nowhere."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _post(url: str, message: str, within: float) -> None:
    """One POST; a second one if the first was not answered, or with 5xx or 429."""
    opener = urllib.request.build_opener(_NoRedirects)
    host = urlsplit(url).hostname
    problem = ""
    for _ in range(TRIES):
        request = urllib.request.Request(
            url, data=message.encode(), method="POST", headers={"Content-Type": "application/json"}
        )
        try:
            with opener.open(request, timeout=within):
                return
        except urllib.error.HTTPError as error:
            error.close()
            problem = f"{host} answered {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, http.client.HTTPException):
            problem = f"{host} did not answer"
    raise Unsent(problem)


@dataclass
class FakeNotifier:
    """Remembers what it was to send; `problems` is what it says could not be sent."""

    sent: list[Notice] = field(default_factory=list)
    problems: tuple[str, ...] = ()

    def send(self, to: NotifySettings, access: Access, notice: Notice) -> tuple[str, ...]:
        """As given."""
        del to, access
        self.sent.append(notice)
        return self.problems
