"""What a migration is made of: a task definition of its own, and the gate that runs it once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi
from pulumi_aws import ecs

from release_lane.errors import UsageError
from release_lane.program.gating import GateResource, migration_gate
from release_lane.program.hold import frozen, merged
from release_lane.program.plan import Environment, Plan
from release_lane.record.container import migration_definition
from release_lane.record.inputs import MigrationInputs


class Roles(Protocol):
    """With which roles tasks run, as ARNs."""

    execution_role: pulumi.Output[str]
    task_role: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Quarters:
    """Where a migration's task runs: its roles (ARNs), subnets and security groups (ids), and what has to exist before
    it can start."""

    execution_role: pulumi.Input[str]
    task_role: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    groups: Sequence[pulumi.Input[str]]
    after: Sequence[pulumi.Resource] = ()


def migrate(
    environment: Environment,
    plan: Plan,
    quarters: Quarters,
    image: GateResource,
    given: Mapping[str, pulumi.Input[str]],
) -> GateResource:
    """The gate that follows on the image gate in this update: the migration, or the image gate itself if none runs.

    `given`: variables of the environment.
    """
    assert plan.release is not None
    settings, names, migration = environment.settings.migration, environment.names, environment.migration
    definition = _definition(environment, plan, quarters, image, given)
    gate = migration_gate(
        MigrationInputs(
            active=migration is not None,
            names=names,
            digest=plan.release.digest,
            command=settings.command,
            task_definition=definition.arn,
            subnets=list(quarters.subnets),
            groups=list(quarters.groups),
            deadline=settings.deadline_seconds,
            to=migration.to if migration else "",
            passed=environment.schema.passed if environment.schema else (),
            pass_of_before=image.passedFor,
        ),
        after=quarters.after,
    )
    return gate if migration else image


def _definition(
    environment: Environment,
    plan: Plan,
    quarters: Quarters,
    image: GateResource,
    given: Mapping[str, pulumi.Input[str]],
) -> ecs.TaskDefinition:
    """Written where a migration runs, and left as it is otherwise: the state says by it which one began last."""
    assert plan.release is not None
    names, migration = environment.names, environment.migration
    container = migration_definition(
        plan.release,
        environment.settings.migration.command,
        migration.to if migration else None,
        repository=environment.repository,
        log_group=names.log_group,
        region=names.access.region,
        given=given,
    )
    before = pulumi.ResourceOptions(depends_on=[image] if migration else [])
    return ecs.TaskDefinition(
        names.migration,
        family=names.migration,
        cpu=str(plan.release.service.cpu),
        memory=str(plan.release.service.memory),
        network_mode="awsvpc",
        requires_compatibilities=["FARGATE"],
        execution_role_arn=quarters.execution_role,
        task_role_arn=quarters.task_role,
        container_definitions=pulumi.Output.json_dumps([container], sort_keys=True),
        # A task that still runs refers to it.
        skip_destroy=True,
        opts=merged(frozen(unless=migration is not None), before),
    )


def nowhere() -> UsageError:
    """A template of before migrations, and a stack file with one."""
    return UsageError(
        "migration.command is set, but the template does not say where a migration runs.",
        why="a migration runs in a task of its own, with roles and subnets that the template owns",
        next_step="call `lane.migrates(…)` in infra/__main__.py before `lane.sides()`, as `release init` writes it.",
    )
