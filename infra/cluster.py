"""What the tasks of both colours share: the ECS cluster, the log, and the roles that they run with."""

from __future__ import annotations

import json

import pulumi
from pulumi_aws import cloudwatch, ecs, iam
from release_lane.program import Lane

PULLS_AND_LOGS = "iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
TASKS_MAY_ASSUME = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


class Cluster:
    """All of these are ARNs but `log_group`. The service itself acts as `task_role`: give it rights here."""

    def __init__(self, lane: Lane) -> None:
        self._name, self._kept, self._partition = lane.names.cluster, lane.hold.protect(), lane.names.access.partition
        self.arn: pulumi.Output[str] = ecs.Cluster(self._name, name=self._name, opts=self._kept).arn
        self.log_group = cloudwatch.LogGroup(
            self._name, name=lane.names.log_group, retention_in_days=30, opts=self._kept
        )
        self.execution_role = self._execution_role(lane.secrets_policy())
        self.task_role: pulumi.Output[str] = lane.reading_flags(self._role("task")).arn

    def _execution_role(self, secrets_policy: str) -> pulumi.Output[str]:
        """ECS pulls the image, writes logs, and reads exactly the secrets that releases name."""
        role = self._role("execution")
        policy_arn = f"arn:{self._partition}:{PULLS_AND_LOGS}"
        pulls = iam.RolePolicyAttachment(
            f"{self._name}-execution", role=role.name, policy_arn=policy_arn, opts=self._kept
        )
        allowed = [pulls.id]
        if secrets_policy:
            name = f"{self._name}-secrets"
            allowed.append(iam.RolePolicy(name, name=name, role=role.name, policy=secrets_policy).id)
        # What uses the role waits until the role may do what it is for.
        arn: pulumi.Output[str] = pulumi.Output.all(role.arn, *allowed).apply(lambda known: known[0])
        return arn

    def _role(self, part: str) -> iam.Role:
        name = f"{self._name}-{part}"
        return iam.Role(
            name, name=name, assume_role_policy=json.dumps(TASKS_MAY_ASSUME, sort_keys=True), opts=self._kept
        )
