"""One colour: a task definition, which is a function of the release it holds, and the ECS service that runs it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecs

from infra.components.balancer import Balancer
from infra.components.freeze import frozen
from infra.components.network import Network
from release.container import container_definition
from release.names import Names
from release.placement import Colour, Release


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What the tasks of both colours share."""

    names: Names
    repository: str
    cluster: ecs.Cluster
    network: Network
    balancer: Balancer
    execution_role: pulumi.Input[str]
    task_role: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class ColourArgs:
    """What one colour shall hold.

    `write_release`: this update may change the task definition; `write_service`: and the service. `retry_of` is
    the ECS deployment that must not be mistaken for the one to come. `after` are gates to pass first.
    """

    colour: Colour
    release: Release
    tasks: int
    grace_seconds: int
    runtime: Runtime
    write_release: bool
    write_service: bool
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
        after = pulumi.ResourceOptions(depends_on=list(args.after) if args.write_release else [])
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
                pulumi.ResourceOptions.merge(self._child, frozen(unless=args.write_release)), after
            ),
        )

    def _service(self, args: ColourArgs) -> ecs.Service:
        runtime, names = args.runtime, args.runtime.names
        target_group = runtime.balancer.target_groups[args.colour]
        listeners = [runtime.balancer.tests[args.colour]]
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
            force_new_deployment=True,
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
                pulumi.ResourceOptions.merge(self._child, frozen(unless=args.write_service)),
                # A target group must belong to a load balancer before a service may use it.
                pulumi.ResourceOptions(depends_on=listeners),
            ),
        )
