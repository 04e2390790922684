"""The load balancer of an environment: the production listener, a target group and a test listener for each colour.

The production listener answers 503 by its default action and is never touched again; the one rule that forwards
belongs to `TrafficSwitch` alone (docs/adr/0001-one-owner-of-the-weights.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import lb

from release_lane.program.components.freeze import Hold, frozen
from release_lane.program.components.network import Network
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Service
from release_lane.settings.model import HealthCheckSettings

TARGET_PORT = 80
"""Constant on purpose: ECS registers the container's own port, so a release may change it on the idle side alone."""


@dataclass(frozen=True, kw_only=True)
class BalancerArgs:
    """`services` is what each colour's target group checks for; `writable` are the colours this update may change."""

    names: Names
    network: Network
    services: Mapping[Colour, Service]
    health_check: HealthCheckSettings
    writable: frozenset[Colour]
    hold: Hold


class Balancer(pulumi.ComponentResource):
    """Load balancer, listeners, target groups."""

    dns_name: pulumi.Output[str]
    target_groups: dict[Colour, lb.TargetGroup]

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("release-lane:infra:Balancer", name, None, opts)
        self._parent = pulumi.ResourceOptions(parent=self)
        self._child = pulumi.ResourceOptions.merge(self._parent, args.hold.protect())
        self._listener = pulumi.ResourceOptions.merge(self._parent, args.hold.protect_listener())
        self._name = name
        self.balancer = lb.LoadBalancer(
            name,
            name=args.names.load_balancer,
            load_balancer_type="application",
            subnets=args.network.subnet_ids,
            security_groups=[args.network.balancer_group.id],
            opts=pulumi.ResourceOptions.merge(self._child, args.hold.follow("subnets")),
        )
        self.dns_name = self.balancer.dns_name
        self.target_groups = {colour: self._target_group(colour, args) for colour in Colour}
        self.users = self._users_listener(args.names)
        self.tests = {colour: self._test_listener(colour, args.names) for colour in Colour}
        self.register_outputs({"dnsName": self.dns_name})

    def _target_group(self, colour: Colour, args: BalancerArgs) -> lb.TargetGroup:
        check = args.health_check
        return lb.TargetGroup(
            f"{self._name}-{colour}",
            name=args.names.target_groups[colour],
            port=TARGET_PORT,
            protocol="HTTP",
            target_type="ip",
            vpc_id=args.network.vpc_id,
            deregistration_delay=check.drain_seconds,
            health_check=lb.TargetGroupHealthCheckArgs(
                path=args.services[colour].health_path,
                interval=check.interval_seconds,
                timeout=check.timeout_seconds,
                healthy_threshold=check.healthy_threshold,
                unhealthy_threshold=check.unhealthy_threshold,
                matcher="200",
            ),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions.merge(self._child, frozen(unless=colour in args.writable)),
                # One that is replaced has to be off the listeners before, which go with the load balancer.
                pulumi.ResourceOptions(depends_on=[] if args.hold.settled else [self.balancer]),
            ),
        )

    def _users_listener(self, names: Names) -> lb.Listener:
        nobody = lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", message_body="No release is live here yet.", status_code="503"
        )
        return lb.Listener(
            f"{self._name}-users",
            load_balancer_arn=self.balancer.arn,
            port=names.users_port,
            protocol="HTTP",
            default_actions=[lb.ListenerDefaultActionArgs(type="fixed-response", fixed_response=nobody)],
            opts=self._listener,
        )

    def _test_listener(self, colour: Colour, names: Names) -> lb.Listener:
        forward = lb.ListenerDefaultActionArgs(type="forward", target_group_arn=self.target_groups[colour].arn)
        return lb.Listener(
            f"{self._name}-test-{colour}",
            load_balancer_arn=self.balancer.arn,
            port=names.test_ports[colour],
            protocol="HTTP",
            default_actions=[forward],
            opts=self._listener,
        )
