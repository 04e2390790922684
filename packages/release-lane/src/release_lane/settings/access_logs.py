"""`accessLogs`: the bucket for the load balancer's log of requests."""

from __future__ import annotations

import re
from typing import Annotated

from release_lane.settings.section import Section, sound

BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def bucket(name: str) -> str:
    """A bucket's name (AmazonS3/latest/userguide/bucketnamingrules.html)."""
    if BUCKET.fullmatch(name):
        return ""
    return "should be the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and single full stops"


def log_prefix(text: str) -> str:
    """A prefix without a slash at its ends, and without AWSLogs, which AWS adds itself
    (AWS/elasticloadbalancing/latest/application/enable-access-logging.html)."""
    if not text or (text.isprintable() and text[0] != "/" and text[-1] != "/" and "AWSLogs" not in text):
        return ""
    return "should neither begin nor end with a slash, nor contain AWSLogs, which AWS adds by itself"


Bucket = Annotated[str, sound(bucket)]


class AccessLogSettings(Section):
    """`accessLogs`: the S3 bucket to which the load balancer writes a line for each request; "" for none.

    `enabled` false ends them: a section that is left out changes nothing of a load balancer.
    """

    bucket: Bucket = ""
    prefix: Annotated[str, sound(log_prefix)] = ""
    enabled: bool = True
