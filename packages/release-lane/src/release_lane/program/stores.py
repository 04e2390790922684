"""Database and cache of an environment (`database`, `cache` in the stack file), which both colours share.

They are in subnets of their own, from which nothing leads out, and only tasks may connect. What tasks have to know of
them they get as variables; the password is in a secret that RDS makes and rotates, and that the service reads.
docs/guides/database.md says what to do with them, docs/adr/0033-database-and-cache.md why they are so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Protocol

import pulumi
from pulumi_aws import ec2, elasticache, iam, rds, vpc

from release_lane.decide.foundations import SLOTS, Egress
from release_lane.decide.stores import COMPONENT, Kind
from release_lane.program.egress import Endpoints, Network, Tasks
from release_lane.program.hold import merged
from release_lane.program.lane import Lane

DATABASE_PORT, CACHE_PORT = 5432, 6379
PORTS = {Kind.DATABASE: DATABASE_PORT, Kind.CACHE: CACHE_PORT}
NAME = USER = "app"
"""Of the one database in the instance, and of the user who owns it."""


class Inside(Network, Protocol):
    """The network, once it knows where tasks are."""

    tasks: Tasks


class Cluster(Protocol):
    """What tasks run with."""

    task_role: pulumi.Output[str]
    """Its ARN."""


def database_and_cache(lane: Lane, network: Inside, cluster: Cluster) -> list[pulumi.Resource]:
    """What the stack file asks for: one component, or none."""
    return [Stores(lane, network, cluster)] if lane.settings.stores or lane.half_made else []


class Stores(pulumi.ComponentResource):
    """Database, cache, or both.

    Both are protected once they exist: a first one that AWS refuses to make can be taken back without more ado.
    """

    def __init__(self, lane: Lane, network: Inside, cluster: Cluster) -> None:
        super().__init__(COMPONENT, lane.names.cluster)
        self._lane, self._network, self._cluster = lane, network, cluster
        self._name, self._child = lane.names.cluster, pulumi.ResourceOptions(parent=self)
        wanted = lane.settings.stores
        subnets = self._subnets()
        if Kind.DATABASE in wanted:
            self._database(subnets)
        if Kind.CACHE in wanted:
            self._cache(subnets)
        for kind in lane.half_made:
            self._around(kind, subnets)
        self.register_outputs({})

    # ---- The two

    def _database(self, subnets: list[pulumi.Output[str]]) -> None:
        lane, settings, kind = self._lane, self._lane.settings.database, Kind.DATABASE
        kept, name, tags = self._kept(kind), lane.names.store, {"Name": self._name}
        guard, inside = self._around(kind, subnets)
        instance = rds.Instance(
            f"{self._name}-{kind}",
            identifier=name,
            engine="postgres",
            engine_version=settings.engine_version,
            instance_class=settings.instance_class,
            allocated_storage=settings.storage_gb,
            storage_type="gp3",
            storage_encrypted=True,
            db_name=NAME,
            username=USER,
            manage_master_user_password=True,
            port=DATABASE_PORT,
            db_subnet_group_name=inside,
            vpc_security_group_ids=[guard.id],
            publicly_accessible=False,
            multi_az=settings.multi_zone,
            backup_retention_period=settings.backup_days,
            copy_tags_to_snapshot=True,
            deletion_protection=lane.settings.keeps_database,
            skip_final_snapshot=False,
            # Another one for each environment of this name: AWS takes no name twice.
            final_snapshot_identifier=pulumi.Output.concat(name, "-", guard.id),
            allow_major_version_upgrade=True,
            # Not in a week: an update that says it is done is done.
            apply_immediately=True,
            tags=tags,
            opts=kept,
        )
        secret = instance.master_user_secrets.apply(lambda made: made[0].secret_arn)
        host, port = instance.address, instance.port.apply(_whole)
        place = {"DATABASE_HOST": host, "DATABASE_PORT": port, "DATABASE_NAME": NAME}
        lane.gives({**place, "DATABASE_SECRET": self._readable(secret, kept)})
        lane.exports(kind, {"host": host, "port": port, "name": NAME, "secret": secret})

    def _cache(self, subnets: list[pulumi.Output[str]]) -> None:
        settings, kind = self._lane.settings.cache, Kind.CACHE
        kept, name, tags = self._kept(kind), self._lane.names.store, {"Name": self._name}
        guard, inside = self._around(kind, subnets)
        group = elasticache.ReplicationGroup(
            f"{self._name}-{kind}",
            description=f"Cache of {self._name}",
            tags=tags,
            replication_group_id=name,
            engine="valkey",
            engine_version=settings.engine_version,
            node_type=settings.node_type,
            num_cache_clusters=2 if settings.multi_zone else 1,
            automatic_failover_enabled=settings.multi_zone,
            multi_az_enabled=settings.multi_zone,
            port=CACHE_PORT,
            subnet_group_name=inside,
            security_group_ids=[guard.id],
            at_rest_encryption_enabled=True,
            transit_encryption_enabled=True,
            apply_immediately=True,
            opts=kept,
        )
        host, port = group.primary_endpoint_address, group.port.apply(_whole)
        self._lane.gives({"CACHE_HOST": host, "CACHE_PORT": port, "CACHE_TLS": "true"})
        self._lane.exports(kind, {"host": host, "port": port})

    def _around(self, kind: Kind, subnets: list[pulumi.Output[str]]) -> tuple[ec2.SecurityGroup, pulumi.Output[str]]:
        """What has to be there before it: its security group, and its group of subnets, by name."""
        of = {Kind.DATABASE: rds.SubnetGroup, Kind.CACHE: elasticache.SubnetGroup}[kind]
        inside = of(
            f"{self._name}-{kind}",
            name=self._lane.names.store,
            description=f"{kind.capitalize()} of {self._name}",
            subnet_ids=subnets,
            tags={"Name": self._name},
            opts=self._kept(kind),
        )
        return self._guard(kind, PORTS[kind]), inside.name

    def _readable(self, secret: pulumi.Output[str], kept: pulumi.ResourceOptions) -> pulumi.Output[str]:
        """The secret's ARN, once tasks may read it."""
        name = f"{self._lane.names.cluster}-{Kind.DATABASE}"
        role = self._cluster.task_role.apply(lambda arn: arn.rsplit("/", 1)[-1])
        policy = iam.RolePolicy(name, name=name, role=role, policy=secret.apply(_may_read), opts=kept)
        arn: pulumi.Output[str] = pulumi.Output.all(secret, policy.id).apply(lambda known: known[0])
        return arn

    def _kept(self, kind: Kind) -> pulumi.ResourceOptions:
        return merged(self._child, self._lane.hold_store(kind))

    # ---- Where they are

    def _subnets(self) -> list[pulumi.Output[str]]:
        """A /20 in each zone, behind those of the ways out; without a route, since none of the two calls anybody."""
        lane, network = self._lane, self._network
        if lane.existing:
            return [pulumi.Output.from_input(each) for each in lane.existing.private]
        held = merged(self._child, lane.hold_store())
        made, first = [], 1 + len(SLOTS) * len(Egress)
        for number, (slot, zone) in enumerate(zip(SLOTS, lane.zones, strict=False)):
            name, cidr = f"{self._name}-stores-{slot}", f"{lane.cidr.rsplit('.', 2)[0]}.{16 * (first + number)}.0/20"
            subnet = ec2.Subnet(
                name,
                vpc_id=network.vpc_id,
                cidr_block=cidr,
                availability_zone=zone,
                tags={"Name": name},
                opts=held,
            )
            made.append(subnet.id)
        return made

    def _guard(self, kind: Kind, port: int) -> ec2.SecurityGroup:
        """Its security group: tasks may connect to the one port, wherever they are in this update."""
        guard = self._network.group(f"{kind}", f"{kind.capitalize()}", self._kept(kind))
        door: dict[str, Any] = {"ip_protocol": "tcp", "from_port": port, "to_port": port}
        for part, tasks, opts in self._tasks(kind):
            vpc.SecurityGroupIngressRule(
                f"{self._name}-{kind}-from-{part}",
                security_group_id=guard.id,
                referenced_security_group_id=tasks.id,
                opts=opts,
                **door,
            )
            vpc.SecurityGroupEgressRule(
                f"{self._name}-{part}-to-{kind}",
                security_group_id=tasks.id,
                referenced_security_group_id=guard.id,
                opts=opts,
                **door,
            )
        return guard

    def _tasks(self, kind: Kind) -> Iterator[tuple[str, ec2.SecurityGroup, pulumi.ResourceOptions]]:
        """Groups of tasks, each with its part of a name. Rules go with the way out whose tasks they are for. A template
        may have a group of its own."""
        network, known = self._network, list[ec2.SecurityGroup]()
        if hasattr(network, "open_group"):
            known.append(network.open_group)
            yield "tasks", network.open_group, self._kept(kind)
        for way in network.tasks.ways:
            if isinstance(way, Endpoints):
                known.append(way.tasks.group)
                yield f"{Egress.ENDPOINTS}-tasks", way.tasks.group, way.child
        if not any(network.tasks.group is each for each in known):
            yield "own-tasks", network.tasks.group, self._kept(kind)


def _may_read(secret: str) -> str:
    """A role's policy."""
    statement = {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": secret}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def _whole(port: float) -> str:
    """As text; the engine may hand on a float."""
    return str(int(port))
