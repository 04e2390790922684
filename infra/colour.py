"""One colour: a task definition, which is a function of the release it holds, and the ECS service that runs it.

Sidecars, volumes and the like belong here.
"""

from __future__ import annotations

import pulumi
from pulumi_aws import ecs
from release_lane.program import Held, Lane, Side

from balancer import Balancer
from cluster import Cluster
from network import Network

GIVEN = (
    *("name", "cluster", "taskDefinition", "launchType", "loadBalancers", "networkConfiguration", "triggers"),
    *("deploymentMinimumHealthyPercent", "deploymentMaximumPercent", "deploymentCircuitBreaker"),
    *("waitForSteadyState", "healthCheckGracePeriodSeconds"),
)
"""All that the service is given below, without the number of tasks and `force_new_deployment`. A service that is only
scaled keeps these as they are."""


class ColourSide(Side):
    """Task definition and service. Unless the colour is written in this update, nothing of them changes."""

    def __init__(self, lane: Lane, held: Held, network: Network, balancer: Balancer, cluster: Cluster) -> None:
        super().__init__(held)
        self._lane, self._held, self._cluster = lane, held, cluster
        self.task_definition = self._task_definition()
        self.service = self._service(network, balancer)
        self.register_outputs({})

    def _task_definition(self) -> ecs.TaskDefinition:
        held = self._held
        return ecs.TaskDefinition(
            held.name,
            family=held.name,
            cpu=str(held.release.service.cpu),
            memory=str(held.release.service.memory),
            network_mode="awsvpc",
            requires_compatibilities=["FARGATE"],
            execution_role_arn=self._cluster.execution_role,
            task_role_arn=self._cluster.task_role,
            container_definitions=pulumi.Output.json_dumps([held.container], sort_keys=True),
            # Old revisions stay registered: a running service refers to one, and a rollback may need it.
            skip_destroy=True,
            opts=held.task_definition_options(parent=self),
        )

    def _service(self, network: Network, balancer: Balancer) -> ecs.Service:
        held, container = self._held, self._lane.names.container
        # A target group must belong to a load balancer before a service may use it, and a task that cannot open its log
        # or has no way out does not start.
        before = [balancer.tests[held.colour], self._cluster.log_group, *network.tasks.after]
        return ecs.Service(
            held.name,
            name=held.name,
            cluster=self._cluster.arn,
            task_definition=self.task_definition.arn,
            desired_count=held.tasks,
            launch_type="FARGATE",
            # The idle colour may get traffic. With less, ECS might stop all tasks of a live service at once
            # when it moves them off a retired platform version.
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=ecs.ServiceDeploymentCircuitBreakerArgs(enable=True, rollback=False),
            # Rollout is the gate; ECS's own wait would hang for 20 minutes on an image that cannot start.
            wait_for_steady_state=False,
            health_check_grace_period_seconds=self._lane.settings.rollout.grace_seconds,
            force_new_deployment=held.restarts,
            triggers=held.triggers,
            load_balancers=[
                ecs.ServiceLoadBalancerArgs(
                    target_group_arn=balancer.target_groups[held.colour].arn,
                    container_name=container,
                    container_port=held.release.service.port,
                )
            ],
            network_configuration=ecs.ServiceNetworkConfigurationArgs(
                subnets=network.tasks.subnets,
                security_groups=[network.tasks.group.id],
                assign_public_ip=False,
            ),
            opts=held.service_options(parent=self, given=GIVEN, after=before),
        )
