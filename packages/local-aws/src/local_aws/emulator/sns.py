"""ministack's SNS, corrected where it departs from AWS in what notifications rely on.

- A topic's name, its attributes, a subscription's protocol and endpoint, a message that is empty, its subject, and a
  message for several protocols without `default`: what AWS refuses is refused.
- A topic that exists is not silently another one: CreateTopic with other tags or attributes is an error.
- A subscription that was not confirmed has no arn in any answer, and asking for it again asks the endpoint again.
- Tags come back as they were, also those with characters that XML escapes.
- HTTP endpoints get AWS's headers, and a message that one did not take is tried again: three times, 20 seconds apart
  (times LOCAL_TIME_SCALE); not after an answer of 400 to 499, but for 429.

Not corrected: signatures are not real, so a subscriber cannot verify them. E-mail and SMS go nowhere.

https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html, API_Publish.html, API_Subscribe.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
https://docs.aws.amazon.com/sns/latest/dg/http-header.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlencode

from local_aws.emulator.elbv2.query import Params
from local_aws.emulator.query import parse
from local_aws.emulator.wire import Response, ServiceError, query_error, query_response

NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
PROTOCOLS = ("http", "https", "email", "email-json", "sms", "sqs", "application", "lambda", "firehose")
ATTRIBUTES = {
    *("DeliveryPolicy", "DisplayName", "Policy", "TracingConfig", "KmsMasterKeyId", "SignatureVersion", "FifoTopic"),
    *("ContentBasedDeduplication", "ArchivePolicy", "FifoThroughputScope"),
    *(
        f"{to}{what}"
        for to in ("HTTP", "Firehose", "Lambda", "Application", "SQS")
        for what in ("SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn")
    ),
}
RETRIES, PAUSE, PATIENCE = 3, 20.0, 15.0  # the pause and the patience with an endpoint are seconds; only one is scaled

log = logging.getLogger("sns")


def install(time_scale: float) -> None:
    """Put our handler before ministack's, and our deliveries in place of its own."""
    from ministack import app
    from ministack.services import sns

    async def deliver(endpoint: str, payload: str) -> None:
        await _deliver(endpoint, payload, PAUSE * time_scale)

    sns._deliver_to_http = deliver
    app.SERVICE_HANDLERS["sns"] = handle_request


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> Response:
    from ministack.services import sns

    text = body.decode(errors="replace") if body else urlencode(query, doseq=True)
    members = parse(text)
    action, params = str(members.get("Action", "")), Params(members)
    try:
        match action:
            case "CreateTopic":
                check_topic(params)
                _check_existing(params)
            case "SetTopicAttributes":
                check_attribute(params.text("AttributeName"))
            case "Subscribe":
                check_subscription(params)
                _ask_again(params)
            case "Publish":
                check_message(params)
            case "ListTagsForResource":
                if (answer := _tags(params)) is not None:
                    return answer
    except ServiceError as error:
        return query_error(error, NAMESPACE)
    status, answered, content = await sns.handle_request(method, path, headers, body, query)
    if action in ("ListSubscriptions", "ListSubscriptionsByTopic"):
        content = _without_pending(content)
    return status, answered, content


# ---------------------------------------------------------------- what AWS refuses


def wrong(what: str) -> ServiceError:
    return ServiceError("InvalidParameter", f"Invalid parameter: {what}")


def check_topic(params: Params) -> None:
    if not NAME.fullmatch(params.text("Name").removesuffix(".fifo")):
        raise wrong("Topic Name")
    for name in entries(params, "Attributes"):
        check_attribute(name)


def check_attribute(name: str) -> None:
    if name not in ATTRIBUTES:
        raise wrong("AttributeName")


def check_subscription(params: Params) -> None:
    protocol, endpoint = params.text("Protocol"), params.text("Endpoint")
    if protocol not in PROTOCOLS:
        raise wrong(f"Amazon SNS does not support this protocol string: {protocol}")
    if protocol in ("http", "https") and not re.fullmatch(rf"{protocol}://[^\s/]+(/\S*)?", endpoint):
        raise wrong("Endpoint must match the specified protocol")


def check_message(params: Params) -> None:
    message, subject = params.text("Message"), params.text("Subject")
    if not message:
        raise wrong("Empty message")
    if len(subject) > 100 or (subject and not (subject.isascii() and subject.isprintable())):
        raise wrong("Subject")
    if params.text("MessageStructure") != "json":
        return
    try:
        found = json.loads(message)
    except ValueError:
        raise wrong("Message Structure - JSON message body failed to parse") from None
    if not isinstance(found, dict) or not isinstance(found.get("default"), str):
        raise wrong("Message Structure - No default entry in JSON message body")


def entries(params: Params, name: str) -> dict[str, str]:
    """`Attributes.entry.1.key` and `.value`."""
    folder = params.tree(name).get("entry", {})
    found = {}
    for each in folder.values() if isinstance(folder, dict) else ():
        if isinstance(each, dict):
            found[str(each.get("key", ""))] = str(each.get("value", ""))
    return found


def _check_existing(params: Params) -> None:
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import sns

    topic = sns._topics.get(f"arn:aws:sns:{get_region()}:{get_account_id()}:{params.text('Name')}")
    if topic is None:
        return
    tags = {one.text("Key"): one.text("Value") for one in params.structs("Tags")}
    if tags and tags != topic["tags"]:
        raise wrong("Tags Reason: Topic already exists with different tags")
    for name, value in entries(params, "Attributes").items():
        if topic["attributes"].get(name) != value:
            raise wrong("Attributes Reason: Topic already exists with different attributes")


def _ask_again(params: Params) -> None:
    """Who subscribes once more before confirming is asked once more, and is still pending."""
    from ministack.services import sns

    topic = sns._topics.get(params.text("TopicArn"))
    same = params.text("Protocol"), params.text("Endpoint")
    for one in list(topic["subscriptions"]) if topic else ():
        if not one["confirmed"] and (one["protocol"], one["endpoint"]) == same:
            topic["subscriptions"].remove(one)
            sns._sub_arn_to_topic.pop(one["arn"], None)


def _without_pending(content: bytes) -> bytes:
    """A subscription that was not confirmed has no arn yet."""
    from ministack.services import sns

    for topic in sns._topics.values():
        for one in topic["subscriptions"]:
            if not one["confirmed"]:
                arn = f"<SubscriptionArn>{one['arn']}</SubscriptionArn>"
                content = content.replace(arn.encode(), b"<SubscriptionArn>PendingConfirmation</SubscriptionArn>")
    return content


def _tags(params: Params) -> Response | None:
    """None for a topic that does not exist: ministack says so."""
    from ministack.services import sns

    topic = sns._topics.get(params.text("ResourceArn"))
    if topic is None:
        return None
    tags = [{"Key": key, "Value": value} for key, value in topic["tags"].items()]
    return query_response("ListTagsForResource", {"Tags": tags}, NAMESPACE)


# ---------------------------------------------------------------- deliveries


async def _deliver(endpoint: str, payload: str, pause: float) -> None:
    """In a thread of ministack's. What cannot be delivered is said in the log."""
    headers = headers_of(payload, _subscription(endpoint, payload))
    for attempt in range(1 + RETRIES):
        if attempt:
            await asyncio.sleep(pause)
        failure, again = await asyncio.to_thread(_post, endpoint, payload, headers)
        if not failure:
            return
        log.warning("%s did not take a notification: %s", endpoint, failure)
        if not again:
            return


def headers_of(payload: str, subscription: str) -> dict[str, str]:
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-subscription-arn": subscription,
    }
    envelope = _envelope(payload)
    if envelope is None:
        return {**headers, "x-amz-sns-rawdelivery": "true"}
    return {
        **headers,
        "x-amz-sns-message-id": str(envelope["MessageId"]),
        "x-amz-sns-topic-arn": str(envelope["TopicArn"]),
    }


def _envelope(payload: str) -> dict[str, Any] | None:
    """None for a raw message."""
    try:
        found = json.loads(payload)
    except ValueError:
        return None
    if isinstance(found, dict) and found.get("Type") == "Notification" and {"MessageId", "TopicArn"} <= found.keys():
        return found
    return None


def _subscription(endpoint: str, payload: str) -> str:
    """Its arn, where the message tells the topic."""
    from ministack.services import sns

    arn = str((_envelope(payload) or {}).get("TopicArn", ""))
    parts = arn.split(":")
    topic = sns._topics.get_scoped(parts[4], parts[3], arn) if len(parts) == 6 else None
    mine = [one["arn"] for one in (topic or {}).get("subscriptions", ()) if one["endpoint"] == endpoint]
    return mine[0] if mine else ""


def without_credentials(endpoint: str) -> tuple[str, dict[str, str]]:
    """`http://user:secret@host/` as an address and the header that carries user and secret."""
    scheme, _, rest = endpoint.partition("://")
    place, slash, path = rest.partition("/")
    user, at, host = place.rpartition("@")
    if not at:
        return endpoint, {}
    secret = base64.b64encode(unquote(user).encode()).decode()
    return f"{scheme}://{host}{slash}{path}", {"Authorization": f"Basic {secret}"}


def _post(endpoint: str, payload: str, headers: Mapping[str, str]) -> tuple[str, bool]:
    """Why it failed, and whether to try again; ("", False) when it did not."""
    url, credentials = without_credentials(endpoint)
    request = urllib.request.Request(url, data=payload.encode(), headers={**headers, **credentials}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return "", False
    except urllib.error.HTTPError as error:
        with error:
            return f"HTTP {error.code}", error.code >= 500 or error.code == 429
    except OSError as error:
        return str(error), True
