"""SNS topics, notified in the same process."""

from __future__ import annotations

import xml.etree.ElementTree as tree
from urllib.parse import urlencode

from local_aws.emulator.cloudwatch.model import Scope
from local_aws.emulator.wire import ServiceError


def publish(topic: str, subject: str, message: str, scope: Scope) -> None:
    """Raises ServiceError with SNS's code. Never from the event loop's own thread."""
    # not before the first call: ministack reads the environment when it is imported
    from ministack import app
    from ministack.core.responses import request_scope

    members = {"Action": "Publish", "TopicArn": topic, "Subject": subject, "Message": message}
    body = urlencode({**members, "Version": "2010-03-31"}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    with request_scope(scope.account, scope.region):
        handler = app.SERVICE_HANDLERS["sns"]
        status, _, answer = app.call_service_handler_sync(handler, "POST", "/", headers, body, {})
    if status >= 300:
        raise refusal(answer, status)


def refusal(answer: bytes, status: int) -> ServiceError:
    """From the XML of an error."""
    found = {element.tag.rpartition("}")[2]: element.text or "" for element in tree.fromstring(answer).iter()}
    return ServiceError(found.get("Code", "InternalError"), found.get("Message", ""), status)
