"""CloudWatch metrics and alarms, our own: small, and late as on AWS.

    api ──> protocol (CBOR, JSON, query) ──> service ──> actions (pure: state, request -> state, answer)
                                                │  └───> store (alarms after each change; datapoints each minute)
     elbv2.traffic, once a second ──balancers───┘
    datapoints, statistics    what is kept of values, and read of them
    queries, expression       time series and metric math
    evaluation, reasons       when an alarm changes its state, and what it says then
    notification              the message to its topics

The clock
- As on AWS, load balancers report by the minute, and a minute's datapoint can be read only some time after the minute
  ended: 90 seconds here. AWS does not promise a figure; one to three minutes are usual.
- LOCAL_METRICS_PERIOD (1, 5, 10, 20, 30; 60) makes them report more often, and LOCAL_METRICS_DELAY (seconds) earlier;
  the delay is one and a half periods unless it is given. Nothing else changes, and no answer of the API lies: there are
  simply datapoints of high resolution, which AWS has for custom metrics only. A client that asks for a period of 10
  gets them. With the period of 60 it gets what AWS gives: a datapoint in one of six periods, and an alarm of 10 seconds
  that lapses into INSUFFICIENT_DATA.
- `local-aws metrics` does the same while the emulator runs.
- Alarms are evaluated once in a period of this clock.

Differences from AWS, besides those that the modules name
- Operations: those in `actions/__init__.py`; all others are refused. So are parameters that are not carried.
- Only Elastic Load Balancing reports. What else there is, PutMetricData brought, and that can be read at once.
- Retention: 3 hours below a minute, a day otherwise; the history of alarms: the last 500 items.
- Actions: SNS topics of the same region. EventBridge gets no event.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/Welcome.html and the pages that each module
names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from local_aws.emulator.cloudwatch.model import Clock
from local_aws.emulator.cloudwatch.service import Outside, Service

_running: Service | None = None


def clock_from(environ: Mapping[str, str]) -> Clock:
    """Raises ValueError for a period or a delay that makes no sense."""
    delay = environ.get("LOCAL_METRICS_DELAY")
    return Clock.of(int(environ.get("LOCAL_METRICS_PERIOD", "60")), float(delay) if delay else None)


def start(environ: Mapping[str, str] = os.environ, outside: Outside | None = None) -> None:
    """Go on from the state under LOCAL_EMULATOR_STATE. Raises wire.Unreadable, ValueError."""
    global _running
    from local_aws.emulator.cloudwatch import api, topics
    from local_aws.emulator.cloudwatch.store import Store
    from local_aws.emulator.elbv2 import carried

    state = Path(environ.get("LOCAL_EMULATOR_STATE", ".local/emulator")).absolute()
    service = Service(Store(state), outside or Outside(carried, topics.publish), clock_from(environ))
    service.start()
    _running = service
    api.attach(service)


def stop() -> None:
    """What is stored stays."""
    global _running
    from local_aws.emulator.cloudwatch import api

    api.attach(None)
    if _running is not None:
        _running.stop()
        _running = None
