"""What the template in `infra/` builds on: the lane of an environment, as Pulumi sees it."""

from release_lane.decide.foundations import BALANCER, NETWORK, SLOTS, Egress
from release_lane.program.egress import Tasks, private_subnets
from release_lane.program.hold import Hold, merged
from release_lane.program.lane import Lane
from release_lane.program.run import run
from release_lane.program.side import Held, Side
from release_lane.program.stores import database_and_cache
from release_lane.record.alarms import Kind as AlarmKind
from release_lane.record.alarms import alarm_name
from release_lane.record.names import HTTP_PORT, HTTPS_PORT
from release_lane.record.placement import Colour
from release_lane.watch.judge import LIMITS

LEAST_REQUESTS = LIMITS.least_requests
"""So many requests in a period make a share of errors; the switch judges by the same number."""

__all__ = [
    "BALANCER",
    "HTTPS_PORT",
    "HTTP_PORT",
    "LEAST_REQUESTS",
    "NETWORK",
    "SLOTS",
    "AlarmKind",
    "Colour",
    "Egress",
    "Held",
    "Hold",
    "Lane",
    "Side",
    "Tasks",
    "alarm_name",
    "database_and_cache",
    "merged",
    "private_subnets",
    "run",
]
