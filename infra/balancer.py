"""The load balancer of an environment: the production listener, a target group and a test listener for each colour.

The production listener answers 503 by its default action and is never touched again; the one rule that forwards
belongs to the lane's switch alone (docs/adr/0001-one-owner-of-the-weights.md).
"""

from __future__ import annotations

from collections.abc import Iterator

import pulumi
from pulumi_aws import lb
from release_lane.program import BALANCER, Colour, Lane, merged

from network import Door, Network

TARGET_PORT = 80
"""Constant on purpose: ECS registers the container's own port, so a release may change it on the idle colour alone."""


def doors(lane: Lane) -> Iterator[Door]:
    """Which ports are open, and to whom. A listener that is added below needs one here."""
    yield Door("users", lane.names.users_port, "0.0.0.0/0")
    for port in lane.names.test_ports.values():
        for cidr in dict.fromkeys([lane.cidr, *lane.settings.test_access]):
            # Named by the range, so that the list of ranges may lose or gain any.
            yield Door(f"test-{port}-{cidr.replace('/', '-')}", port, cidr, passing=True)


class Balancer(pulumi.ComponentResource):
    """Load balancer, listeners, target groups."""

    dns_name: pulumi.Output[str]
    target_groups: dict[Colour, lb.TargetGroup]

    def __init__(self, lane: Lane, network: Network) -> None:
        super().__init__(BALANCER, lane.names.cluster)
        self._name, self._lane = lane.names.cluster, lane
        parent = pulumi.ResourceOptions(parent=self)
        self._child = merged(parent, lane.hold.protect())
        self._listener = merged(parent, lane.hold.protect_listener())
        self.balancer = lb.LoadBalancer(
            self._name,
            name=lane.names.load_balancer,
            load_balancer_type="application",
            subnets=network.public_subnets,
            security_groups=[network.balancer_group.id],
            opts=merged(self._child, lane.hold.follow("subnets")),
        )
        self.dns_name = self.balancer.dns_name
        self.target_groups = {colour: self._target_group(colour, network) for colour in Colour}
        self.users = self._production_listener()
        self.tests = {colour: self._test_listener(colour) for colour in Colour}
        self.register_outputs({"dnsName": self.dns_name})

    def _target_group(self, colour: Colour, network: Network) -> lb.TargetGroup:
        lane, check = self._lane, self._lane.settings.health_check
        # One that is replaced has to be off the listeners before, which go with the load balancer.
        after = pulumi.ResourceOptions(depends_on=[] if lane.hold.settled else [self.balancer])
        return lb.TargetGroup(
            f"{self._name}-{colour}",
            name=lane.names.target_groups[colour],
            port=TARGET_PORT,
            protocol="HTTP",
            target_type="ip",
            vpc_id=network.vpc_id,
            deregistration_delay=check.drain_seconds,
            health_check=lb.TargetGroupHealthCheckArgs(
                path=lane.served_by(colour).health_path,
                interval=check.interval_seconds,
                timeout=check.timeout_seconds,
                healthy_threshold=check.healthy_threshold,
                unhealthy_threshold=check.unhealthy_threshold,
                matcher="200",
            ),
            opts=merged(self._child, lane.frozen(colour), after),
        )

    def _production_listener(self) -> lb.Listener:
        nobody = lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", message_body="No release is live here yet.", status_code="503"
        )
        action = lb.ListenerDefaultActionArgs(type="fixed-response", fixed_response=nobody)
        return self._http("users", self._lane.names.users_port, action)

    def _test_listener(self, colour: Colour) -> lb.Listener:
        group = self.target_groups[colour].arn
        action = lb.ListenerDefaultActionArgs(type="forward", target_group_arn=group)
        return self._http(f"test-{colour}", self._lane.names.test_ports[colour], action)

    def _http(self, part: str, port: int, action: lb.ListenerDefaultActionArgs) -> lb.Listener:
        return lb.Listener(
            f"{self._name}-{part}",
            load_balancer_arn=self.balancer.arn,
            port=port,
            protocol="HTTP",
            default_actions=[action],
            opts=self._listener,
        )
