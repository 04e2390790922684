"""Whether the local cloud is brought down after the tests, so that environments may be left in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any


def cloud_goes() -> bool:
    """Set by tools/checks.py for a cloud that it started itself. Removing environments one by one takes minutes."""
    return os.environ.get("LOCAL_CLOUD_GOES") == "1"


def rest(ecs: Any, over: Callable[[str], bool]) -> None:
    """No tasks any more in clusters of these names, whose tests are over: they go on to be asked for their health,
    and answer; with 88 of them that took most of a processor."""
    for cluster in ecs.list_clusters()["clusterArns"]:
        if over(cluster.rpartition("/")[2]):
            for service in ecs.list_services(cluster=cluster)["serviceArns"]:
                ecs.update_service(cluster=cluster, service=service, desiredCount=0)
