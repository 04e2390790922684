"""The stand-in as a whole."""

from __future__ import annotations

from provider_kit import Provider

from local_aws.standins.aws import (
    acm,
    alarms,
    ec2,
    ecr,
    ecs,
    egress,
    elasticache,
    iam,
    lb,
    logs,
    rds,
    route53,
    security,
    sns,
    ssm,
)
from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.door import Door
from local_aws.standins.aws.functions import SECRET_RESULTS, functions
from local_aws.standins.versions import plugin_version

TYPES: tuple[type[AwsResource], ...] = (
    ec2.Vpc,
    ec2.Subnet,
    ec2.InternetGateway,
    ec2.RouteTable,
    ec2.RouteTableAssociation,
    egress.Eip,
    egress.NatGateway,
    egress.VpcEndpoint,
    security.SecurityGroup,
    security.SecurityGroupIngressRule,
    security.SecurityGroupEgressRule,
    iam.Role,
    iam.RolePolicyAttachment,
    iam.RolePolicy,
    logs.LogGroup,
    alarms.MetricAlarm,
    sns.Topic,
    ssm.Parameter,
    ecs.Cluster,
    ecs.TaskDefinition,
    ecs.Service,
    lb.LoadBalancer,
    lb.TargetGroup,
    lb.Listener,
    acm.Certificate,
    acm.CertificateValidation,
    route53.Record,
    ecr.Repository,
    ecr.LifecyclePolicy,
    rds.SubnetGroup,
    rds.Instance,
    elasticache.SubnetGroup,
    elasticache.ReplicationGroup,
)

NOTE = (
    "the local cloud stands in for pulumi-aws with the types that this project's program uses. "
    "Add it in local_aws/standins/aws, or use the official plugin"
)


def provider(door: Door) -> Provider:
    """All types and functions, through `door`."""
    return Provider(
        "aws",
        plugin_version("pulumi_aws"),
        [type_(door) for type_ in TYPES],
        functions(door),
        door.configure,
        note=NOTE,
        secret_results=SECRET_RESULTS,
    )
