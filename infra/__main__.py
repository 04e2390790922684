"""What a stack of this project is made of, from top to bottom as in the picture of the README.

This folder is yours. What must hold for users is the library's, and holds as long as `lane.release` comes last.
"""

from __future__ import annotations

from release_lane.program import Colour, Lane, database_and_cache, run

from alarms import colour_alarms
from balancer import Balancer, doors
from cluster import Cluster
from colour import ColourSide
from network import Network


def environment(lane: Lane) -> None:
    """Where users are served. Settings are read, and what may not be is refused, before this is called."""
    network = Network(lane, doors(lane))
    balancer = Balancer(lane, network)
    cluster = Cluster(lane)
    stores = database_and_cache(lane, network, cluster)
    alarms = {colour: colour_alarms(lane, colour, balancer) for colour in Colour}
    lane.migrates(cluster, network.tasks, after=[cluster.log_group, *stores])
    sides = {held.colour: ColourSide(lane, held, network, balancer, cluster) for held in lane.sides()}
    lane.release(sides, balancer.dns_name, alarms=alarms, after=[network, balancer, cluster.log_group, *stores])


run(environment)
