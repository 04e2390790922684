"""What a run made in an account, found by its names and tags, and removed in the order in which AWS lets it go.

The suite removes with this at its end, `make aws-check` once more after it, whatever became of the suite, and a
person later by `--remove`. Only names with a run's mark of 8 random digits, and tags with it, are ever touched.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from tests.contract.aws import PREFIX, TAG, Aws

MARKED = re.compile(rf"(?:^|[/:]){PREFIX}([0-9a-f]{{8}})-")
HOPELESS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure")


@dataclass(frozen=True)
class Left:
    """One thing that a run made. `mark` says which run."""

    kind: str
    id: str
    mark: str


@dataclass(frozen=True)
class Kind:
    """One kind of thing. `find` yields (id, name or tag value that carries the mark)."""

    name: str
    find: Callable[[Aws], Iterable[tuple[str, str]]]
    delete: Callable[[Aws, str], object]

    def left(self, aws: Aws, mark: str = "") -> list[Left]:
        """Those of any run, or of one."""
        found = ((id, mark_in(text)) for id, text in self.find(aws))
        return [Left(self.name, id, each) for id, each in found if each and each == (mark or each)]


def mark_in(text: str) -> str:
    """The mark in a name, an ARN or a tag's value; "" if there is none."""
    if re.fullmatch("[0-9a-f]{8}", text):
        return text
    found = MARKED.search(text)
    return found[1] if found else ""


def leftovers(aws: Aws, mark: str = "") -> list[Left]:
    """All that is left in this account and region of any run, or of one."""
    return [left for kind in KINDS for left in kind.left(aws, mark)]


def remove(aws: Aws, mark: str, say: Callable[[str], None], patience: float) -> list[Left]:
    """Remove all that the run `mark` made; what could not be removed within `patience` seconds."""
    assert re.fullmatch("[0-9a-f]{8}", mark), "a mark is 8 hex digits; anything else might be somebody's own name"
    until = time.monotonic() + patience
    for kind in KINDS:
        _remove_kind(aws, kind, mark, say, until)
    return leftovers(aws, mark)


def _remove_kind(aws: Aws, kind: Kind, mark: str, say: Callable[[str], None], until: float) -> None:
    told: set[str] = set()
    while left := kind.left(aws, mark):
        why = [_delete(aws, kind, each) for each in left]
        for reason in {each for each in why if each} - told:
            say(f"{kind.name}: {reason}")
            told.add(reason)
        if all(any(code in reason for code in HOPELESS) for reason in why) or time.monotonic() > until:
            return
        time.sleep(3.0 if aws.where.real else 0.1)


def _delete(aws: Aws, kind: Kind, left: Left) -> str:
    """Why it could not be deleted yet; "" if the call was taken."""
    try:
        kind.delete(aws, left.id)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error'].get('Message', '')}"
    return ""


def pages(aws: Aws, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
    """All items of a paged call; [] where what is asked about does not exist."""
    client = aws.client(service)
    found: list[Any] = []
    with contextlib.suppress(client.exceptions.ClientError):
        for page in client.get_paginator(operation).paginate(**arguments):
            found += page.get(key) or []
    return found


# ---- ECS


def _clusters(aws: Aws) -> list[str]:
    return [arn for arn in pages(aws, "ecs", "list_clusters", "clusterArns") if mark_in(arn)]


def _services(aws: Aws) -> Iterable[tuple[str, str]]:
    for cluster in _clusters(aws):
        for arn in pages(aws, "ecs", "list_services", "serviceArns", cluster=cluster):
            yield f"{cluster} {arn}", cluster


def _delete_service(aws: Aws, id: str) -> None:
    cluster, service = id.split(" ")
    aws.client("ecs").delete_service(cluster=cluster, service=service, force=True)


def _tasks(aws: Aws) -> Iterable[tuple[str, str]]:
    """Those that still run or are being stopped."""
    ecs = aws.client("ecs")
    for cluster in _clusters(aws):
        for desired in ("RUNNING", "STOPPED"):
            arns = pages(aws, "ecs", "list_tasks", "taskArns", cluster=cluster, desiredStatus=desired)
            for start in range(0, len(arns), 100):
                for task in ecs.describe_tasks(cluster=cluster, tasks=arns[start : start + 100])["tasks"]:
                    if task["lastStatus"] != "STOPPED":
                        yield f"{cluster} {task['taskArn']}", cluster


def _stop_task(aws: Aws, id: str) -> None:
    cluster, task = id.split(" ")
    aws.client("ecs").stop_task(cluster=cluster, task=task)


def _definitions(aws: Aws) -> Iterable[tuple[str, str]]:
    for arn in pages(aws, "ecs", "list_task_definitions", "taskDefinitionArns", status="ACTIVE"):
        yield arn, arn.rsplit("/", 1)[-1]


def _named(service: str, operation: str, key: str, id: str, name: str) -> Callable[[Aws], Iterable[tuple[str, str]]]:
    """Find by name: the items of a paged call, their id and their name."""

    def find(aws: Aws) -> Iterable[tuple[str, str]]:
        for item in pages(aws, service, operation, key):
            yield str(item[id]), str(item[name])

    return find


def _call(service: str, operation: str, argument: str, **more: Any) -> Callable[[Aws, str], object]:
    """Delete by one call with one argument."""

    def delete(aws: Aws, id: str) -> object:
        return getattr(aws.client(service), operation)(**{argument: id}, **more)

    return delete


# ---- ACM, IAM, S3, SQS


def _certificates(aws: Aws) -> Iterable[tuple[str, str]]:
    """Of every kind of key: without being asked for others, ACM lists RSA ones alone."""
    keys = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    for each in pages(aws, "acm", "list_certificates", "CertificateSummaryList", Includes=keys):
        yield each["CertificateArn"], each["DomainName"]


def _delete_role(aws: Aws, name: str) -> None:
    iam = aws.client("iam")
    for attached in iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=name, PolicyArn=attached["PolicyArn"])
    for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=inline)
    iam.delete_role(RoleName=name)


def _buckets(aws: Aws) -> Iterable[tuple[str, str]]:
    for bucket in aws.client("s3").list_buckets()["Buckets"]:
        yield bucket["Name"], bucket["Name"]


def _delete_bucket(aws: Aws, name: str) -> None:
    s3 = aws.client("s3")
    # Only a bucket with object lock takes the header by which a retention is bypassed.
    locked = {"BypassGovernanceRetention": True} if _locks(aws, name) else {}
    for key in ("Versions", "DeleteMarkers"):
        for each in pages(aws, "s3", "list_object_versions", key, Bucket=name):
            s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"], **locked)
    s3.delete_bucket(Bucket=name)


def _locks(aws: Aws, name: str) -> bool:
    try:
        aws.client("s3").get_object_lock_configuration(Bucket=name)
    except ClientError:
        return False
    return True


def _queues(aws: Aws) -> Iterable[tuple[str, str]]:
    for url in pages(aws, "sqs", "list_queues", "QueueUrls"):
        yield url, url


# ---- EC2: everything is found by its tag


def _tagged(operation: str, key: str, id: str) -> Callable[[Aws], Iterable[tuple[str, str]]]:
    def find(aws: Aws) -> Iterable[tuple[str, str]]:
        tagged = [{"Name": "tag-key", "Values": [TAG]}]
        for item in getattr(aws.client("ec2"), operation)(Filters=tagged)[key]:
            yield item[id], next(tag["Value"] for tag in item["Tags"] if tag["Key"] == TAG)

    return find


def _delete_security_group(aws: Aws, id: str) -> None:
    """Its own rules first: they may name another group, which then could not go."""
    ec2 = aws.client("ec2")
    group = ec2.describe_security_groups(GroupIds=[id])["SecurityGroups"][0]
    if group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=id, IpPermissions=group["IpPermissions"])
    ec2.delete_security_group(GroupId=id)


def _delete_route_table(aws: Aws, id: str) -> None:
    ec2 = aws.client("ec2")
    for each in ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"][0]["Associations"]:
        ec2.disassociate_route_table(AssociationId=each["RouteTableAssociationId"])
    ec2.delete_route_table(RouteTableId=id)


def _delete_gateway(aws: Aws, id: str) -> None:
    ec2 = aws.client("ec2")
    for each in ec2.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"][0]["Attachments"]:
        ec2.detach_internet_gateway(InternetGatewayId=id, VpcId=each["VpcId"])
    ec2.delete_internet_gateway(InternetGatewayId=id)


def _nat_gateways(aws: Aws) -> Iterable[tuple[str, str]]:
    """Those that still are there: deleted ones can be seen for an hour."""
    filters = [{"Name": "tag-key", "Values": [TAG]}, {"Name": "state", "Values": ["pending", "available", "deleting"]}]
    for item in aws.client("ec2").describe_nat_gateways(Filters=filters)["NatGateways"]:
        yield item["NatGatewayId"], next(tag["Value"] for tag in item["Tags"] if tag["Key"] == TAG)


KINDS = (
    Kind("service", _services, _delete_service),
    Kind("task", _tasks, _stop_task),
    Kind("cluster", lambda aws: [(arn, arn) for arn in _clusters(aws)], _call("ecs", "delete_cluster", "cluster")),
    Kind("task definition", _definitions, _call("ecs", "deregister_task_definition", "taskDefinition")),
    Kind(
        "load balancer",
        _named("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn", "LoadBalancerName"),
        _call("elbv2", "delete_load_balancer", "LoadBalancerArn"),
    ),
    Kind(
        "target group",
        _named("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn", "TargetGroupName"),
        _call("elbv2", "delete_target_group", "TargetGroupArn"),
    ),
    Kind("certificate", _certificates, _call("acm", "delete_certificate", "CertificateArn")),
    Kind(
        "repository",
        _named("ecr", "describe_repositories", "repositories", "repositoryName", "repositoryName"),
        _call("ecr", "delete_repository", "repositoryName", force=True),
    ),
    Kind(
        "log group",
        _named("logs", "describe_log_groups", "logGroups", "logGroupName", "logGroupName"),
        _call("logs", "delete_log_group", "logGroupName"),
    ),
    Kind(
        "parameter",
        _named("ssm", "describe_parameters", "Parameters", "Name", "Name"),
        _call("ssm", "delete_parameter", "Name"),
    ),
    Kind(
        "secret",
        _named("secretsmanager", "list_secrets", "SecretList", "ARN", "Name"),
        _call("secretsmanager", "delete_secret", "SecretId", ForceDeleteWithoutRecovery=True),
    ),
    Kind(
        "alarm",
        _named("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", "AlarmName"),
        lambda aws, name: aws.client("cloudwatch").delete_alarms(AlarmNames=[name]),
    ),
    Kind(
        "topic",
        _named("sns", "list_topics", "Topics", "TopicArn", "TopicArn"),
        _call("sns", "delete_topic", "TopicArn"),
    ),
    Kind("queue", _queues, _call("sqs", "delete_queue", "QueueUrl")),
    Kind("bucket", _buckets, _delete_bucket),
    Kind("role", _named("iam", "list_roles", "Roles", "RoleName", "RoleName"), _delete_role),
    Kind(
        "database",
        _named("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier", "DBInstanceIdentifier"),
        _call("rds", "delete_db_instance", "DBInstanceIdentifier", SkipFinalSnapshot=True),
    ),
    Kind(
        "cache",
        _named(
            "elasticache",
            "describe_replication_groups",
            "ReplicationGroups",
            "ReplicationGroupId",
            "ReplicationGroupId",
        ),
        _call("elasticache", "delete_replication_group", "ReplicationGroupId"),
    ),
    Kind(
        "subnet group of databases",
        _named("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName", "DBSubnetGroupName"),
        _call("rds", "delete_db_subnet_group", "DBSubnetGroupName"),
    ),
    Kind(
        "subnet group of caches",
        _named(
            "elasticache",
            "describe_cache_subnet_groups",
            "CacheSubnetGroups",
            "CacheSubnetGroupName",
            "CacheSubnetGroupName",
        ),
        _call("elasticache", "delete_cache_subnet_group", "CacheSubnetGroupName"),
    ),
    Kind("NAT gateway", _nat_gateways, _call("ec2", "delete_nat_gateway", "NatGatewayId")),
    Kind(
        "address",
        _tagged("describe_addresses", "Addresses", "AllocationId"),
        _call("ec2", "release_address", "AllocationId"),
    ),
    Kind(
        "VPC endpoint",
        _tagged("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        lambda aws, id: aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[id]),
    ),
    Kind(
        "security group",
        _tagged("describe_security_groups", "SecurityGroups", "GroupId"),
        _delete_security_group,
    ),
    Kind("subnet", _tagged("describe_subnets", "Subnets", "SubnetId"), _call("ec2", "delete_subnet", "SubnetId")),
    Kind("route table", _tagged("describe_route_tables", "RouteTables", "RouteTableId"), _delete_route_table),
    Kind(
        "internet gateway",
        _tagged("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        _delete_gateway,
    ),
    Kind("VPC", _tagged("describe_vpcs", "Vpcs", "VpcId"), _call("ec2", "delete_vpc", "VpcId")),
)
"""In the order in which they can go."""
