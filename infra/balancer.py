"""The load balancer of an environment: the production listener, a target group and a test listener for each colour.

The production listener answers 503 by its default action; the one rule that forwards belongs to the lane's switch
alone (docs/adr/0001-one-owner-of-the-weights.md). With `https` in the stack file it is on port 443, all listeners speak
TLS with one certificate, and port 80 redirects (docs/adr/0018-https.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi
from pulumi_aws import lb
from release_lane.program import BALANCER, HTTP_PORT, HTTPS_PORT, Colour, Lane, merged

from certificate import certificate
from network import Door, Network

TARGET_PORT = 80
"""Constant on purpose: ECS registers the container's own port, so a release may change it on the idle colour alone."""

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
"""What AWS recommends: TLS 1.3 and 1.2, the latter with forward secrecy only, post-quantum keys for clients that have
them (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html)."""


def doors(lane: Lane) -> Iterator[Door]:
    """Which ports are open, and to whom. A listener that is added below needs one here."""
    yield Door("users", HTTP_PORT, "0.0.0.0/0")
    if lane.settings.https.domain:
        yield Door("https", HTTPS_PORT, "0.0.0.0/0", passing=not lane.hold.secured)
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
        self._tests = merged(parent, lane.hold.protect_test_listener())
        self._https = merged(parent, lane.hold.protect_https())
        self.balancer = lb.LoadBalancer(
            self._name,
            name=lane.names.load_balancer,
            load_balancer_type="application",
            subnets=network.public_subnets,
            security_groups=[network.balancer_group.id],
            enable_deletion_protection=lane.settings.keeps_balancer or None,
            access_logs=self._access_logs(),
            opts=merged(self._child, lane.hold.follow("subnets")),
        )
        self.dns_name = self.balancer.dns_name
        self.target_groups = {colour: self._target_group(colour, network) for colour in Colour}
        tls = {"protocol": "HTTPS", "ssl_policy": TLS_POLICY}
        https = lane.settings.https.domain
        self._tls = {**tls, "certificate_arn": certificate(lane)} if https else {"protocol": "HTTP"}
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

    def _access_logs(self) -> lb.LoadBalancerAccessLogsArgs | None:
        logs = self._lane.settings.access_logs
        given = lb.LoadBalancerAccessLogsArgs(bucket=logs.bucket, prefix=logs.prefix or None, enabled=logs.enabled)
        return given if logs.bucket else None

    def _production_listener(self) -> lb.Listener:
        no_release = lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", message_body="No release is live here yet.", status_code="503"
        )
        unavailable = lb.ListenerDefaultActionArgs(type="fixed-response", fixed_response=no_release)
        https = self._lane.settings.https
        if not https.domain:
            return self._listen("users", HTTP_PORT, unavailable, self._tls, self._listener)
        # What may still forward on port 80 is the switch's rule, until it has opened HTTPS to users.
        self._listen("users", HTTP_PORT, _to_https(), {"protocol": "HTTP"}, self._listener)
        # Always given: AWS keeps a header that is left out, and with 0 browsers forget.
        hsts = {"routing_http_response_strict_transport_security_header_value": f"max-age={https.hsts_seconds}"}
        return self._listen("https", HTTPS_PORT, unavailable, {**self._tls, **hsts}, self._https)

    def _test_listener(self, colour: Colour) -> lb.Listener:
        group = self.target_groups[colour].arn
        action = lb.ListenerDefaultActionArgs(type="forward", target_group_arn=group)
        return self._listen(f"test-{colour}", self._lane.names.test_ports[colour], action, self._tls, self._tests)

    def _listen(
        self,
        part: str,
        port: int,
        action: lb.ListenerDefaultActionArgs,
        protocol: dict[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> lb.Listener:
        return lb.Listener(
            f"{self._name}-{part}",
            load_balancer_arn=self.balancer.arn,
            port=port,
            default_actions=[action],
            **protocol,
            opts=opts,
        )


def _to_https() -> lb.ListenerDefaultActionArgs:
    """The same host, path and query by HTTPS, for good."""
    redirect = lb.ListenerDefaultActionRedirectArgs(port=str(HTTPS_PORT), protocol="HTTPS", status_code="HTTP_301")
    return lb.ListenerDefaultActionArgs(type="redirect", redirect=redirect)
