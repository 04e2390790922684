"""The clock of the local cloud's CloudWatch: how often load balancers report, and how late that can be read.

As on AWS unless set otherwise: by the minute, 90 s late. See `local_aws/emulator/cloudwatch/__init__.py`.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode

from local_aws.errors import LocalError
from local_aws.project import REGION

AUTHORIZATION = f"AWS4-HMAC-SHA256 Credential=test/20250101/{REGION}/monitoring/aws4_request"


@dataclass(frozen=True)
class MetricsClock:
    """Seconds."""

    period: int
    delay: float


def clock(endpoint: str) -> MetricsClock:
    """What it is now. Raises LocalError while the emulator does not answer."""
    return _ask(endpoint, {})


def set_clock(endpoint: str, period: int, delay: float | None = None) -> MetricsClock:
    """`delay` is one and a half periods unless given. Raises LocalError for values that make no sense."""
    return _ask(endpoint, {"Period": period, **({} if delay is None else {"Delay": delay})})


@contextmanager
def quick(endpoint: str, period: int = 10, delay: float | None = None) -> Iterator[MetricsClock]:
    """A quicker clock for as long as something lasts."""
    before = clock(endpoint)
    try:
        yield set_clock(endpoint, period, delay)
    finally:
        set_clock(endpoint, before.period, before.delay)


def _ask(endpoint: str, members: Mapping[str, float]) -> MetricsClock:
    form = urlencode({"Action": "LocalMetricsClock", "Version": "2010-08-01", **members}).encode()
    request = urllib.request.Request(endpoint, data=form, headers={"Authorization": AUTHORIZATION})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            text = answer.read().decode()
    except urllib.error.HTTPError as error:
        why = re.search(r"<Message>(.*?)</Message>", error.read().decode(), re.S)
        raise LocalError("The clock of metrics was not set.", why=unescape(why[1]) if why else str(error)) from error
    except OSError as error:
        raise LocalError("The emulator does not answer.", why=str(error), next_step="local-aws up") from error
    found = dict(re.findall(r"<(Period|Delay)>([\d.]+)<", text))
    return MetricsClock(int(found["Period"]), float(found["Delay"]))
