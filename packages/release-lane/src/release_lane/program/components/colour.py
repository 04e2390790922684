"""One colour: a task definition, which is a function of the release it holds, and the ECS service that runs it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecs

from release_lane.program.components.balancer import Balancer
from release_lane.program.components.freeze import Hold, frozen
from release_lane.program.components.network import Network
from release_lane.record.container import container_definition
from release_lane.record.names import Names
from release_lane.record.placement import Colour, Release


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What the tasks of both colours share."""

    names: Names
    repository: str
    cluster: ecs.Cluster
    network: Network
    balancer: Balancer
    log_group: pulumi.Resource
    hold: Hold
    execution_role: pulumi.Input[str]
    task_role: pulumi.Input[str]


KEPT = (
    *("name", "cluster", "taskDefinition", "launchType", "loadBalancers", "networkConfiguration", "triggers"),
    *("deploymentMinimumHealthyPercent", "deploymentMaximumPercent", "deploymentCircuitBreaker"),
    *("waitForSteadyState", "healthCheckGracePeriodSeconds"),
)
"""Of a service that is only scaled: all that is given to it, but how many tasks, and that they are not started anew."""


@dataclass(frozen=True, kw_only=True)
class ColourArgs:
    """What one colour shall hold.

    `write`: this update may change task definition and service; `scale`: of the service the number of tasks alone, and
    no task is started anew. `retry_of` is the ECS deployment that must not be mistaken for the one to come. `after` are
    gates to pass first.
    """

    colour: Colour
    release: Release
    tasks: int
    grace_seconds: int
    runtime: Runtime
    write: bool
    scale: bool = False
    retry_of: str = ""
    after: Sequence[pulumi.Resource] = ()


class ColourSide(pulumi.ComponentResource):
    """Task definition and service. Unless written in this update, nothing of them changes."""

    task_definition: ecs.TaskDefinition
    service: ecs.Service

    def __init__(self, name: str, args: ColourArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("release-lane:infra:Colour", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        self.task_definition = self._task_definition(args)
        self.service = self._service(args)
        self.register_outputs({})

    def _task_definition(self, args: ColourArgs) -> ecs.TaskDefinition:
        runtime, names = args.runtime, args.runtime.names
        container = container_definition(
            args.release,
            args.colour,
            repository=runtime.repository,
            container=names.container,
            log_group=names.log_group,
            region=names.access.region,
        )
        after = pulumi.ResourceOptions(depends_on=list(args.after) if args.write else [])
        return ecs.TaskDefinition(
            self._name,
            family=names.services[args.colour],
            cpu=str(args.release.service.cpu),
            memory=str(args.release.service.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=runtime.execution_role,
            task_role_arn=runtime.task_role,
            container_definitions=json.dumps([container], sort_keys=True),
            # Old revisions stay registered: a running service refers to one, and a rollback may need it.
            skip_destroy=True,
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions.merge(self._child, frozen(unless=args.write)), after
            ),
        )

    def _service(self, args: ColourArgs) -> ecs.Service:
        runtime, names = args.runtime, args.runtime.names
        target_group = runtime.balancer.target_groups[args.colour]
        # A target group must belong to a load balancer before a service may use it, and a task that cannot open its log
        # does not start.
        before = [runtime.balancer.tests[args.colour], runtime.log_group]
        rest = pulumi.ResourceOptions(depends_on=before, protect=runtime.hold.settled and not args.write)
        kept = pulumi.ResourceOptions(ignore_changes=list(KEPT)) if args.scale else frozen(unless=args.write)
        moves = runtime.hold.follow("networkConfiguration")
        return ecs.Service(
            self._name,
            name=names.services[args.colour],
            cluster=runtime.cluster.arn,
            task_definition=self.task_definition.arn,
            desired_count=args.tasks,
            launch_type="FARGATE",
            # The idle colour serves nobody, but it will: with less, ECS might stop all tasks of a live service at once
            # when it moves them off a retired platform version.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=False),
            # Rollout is the gate; ECS's own wait would hang for 20 minutes on an image that cannot start.
            wait_for_steady_state=False,
            health_check_grace_period_seconds=args.grace_seconds,
            force_new_deployment=not args.scale,
            triggers={"retryOf": args.retry_of} if args.retry_of else None,
            load_balancers=[
                ecs.ServiceLoadBalancerArgs(
                    target_group_arn=target_group.arn,
                    container_name=names.container,
                    container_port=args.release.service.port,
                )
            ],
            network_configuration=ecs.ServiceNetworkConfigurationArgs(
                subnets=runtime.network.subnet_ids,
                security_groups=[runtime.network.task_group.id],
                assign_public_ip=True,
            ),
            opts=pulumi.ResourceOptions.merge(
                pulumi.ResourceOptions.merge(self._child, kept), pulumi.ResourceOptions.merge(rest, moves)
            ),
        )
