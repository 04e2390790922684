"""Which types the built provider serves, and which services are compiled in for them.

The program's types are those that the stand-ins have, so their tables name the services. `SERVED` gives each type its
name in Terraform, where no rule leads from one to the other. A type in it costs nothing but a line: the binary holds
all types of its services.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from local_aws.standins.aws.provider import TYPES
from local_aws.standins.versions import plugin_version

BESIDES = frozenset({"acm", "ec2", "ecr", "elasticache", "elbv2", "kms", "meta", "rds", "route53", "s3", "sts"})
"""Services compiled in although no stand-in may have a type of them (yet): those of the functions, and of HTTPS, state
in S3, secrets by KMS, databases and caches. A service that is missing later costs a new build, so these are here from
the beginning."""

SERVED = {
    "acm": {
        "aws_acm_certificate": "acm/certificate:Certificate",
        "aws_acm_certificate_validation": "acm/certificateValidation:CertificateValidation",
    },
    "cloudwatch": {"aws_cloudwatch_metric_alarm": "cloudwatch/metricAlarm:MetricAlarm"},
    "ec2": {
        "aws_eip": "ec2/eip:Eip",
        "aws_internet_gateway": "ec2/internetGateway:InternetGateway",
        "aws_nat_gateway": "ec2/natGateway:NatGateway",
        "aws_route": "ec2/route:Route",
        "aws_route_table": "ec2/routeTable:RouteTable",
        "aws_route_table_association": "ec2/routeTableAssociation:RouteTableAssociation",
        "aws_security_group": "ec2/securityGroup:SecurityGroup",
        "aws_subnet": "ec2/subnet:Subnet",
        "aws_vpc": "ec2/vpc:Vpc",
        "aws_vpc_endpoint": "ec2/vpcEndpoint:VpcEndpoint",
        "aws_vpc_endpoint_route_table_association": (
            "ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation"
        ),
        "aws_vpc_security_group_egress_rule": "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws_vpc_security_group_ingress_rule": "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    },
    "ecr": {
        "aws_ecr_lifecycle_policy": "ecr/lifecyclePolicy:LifecyclePolicy",
        "aws_ecr_repository": "ecr/repository:Repository",
        "aws_ecr_repository_policy": "ecr/repositoryPolicy:RepositoryPolicy",
    },
    "ecs": {
        "aws_ecs_cluster": "ecs/cluster:Cluster",
        "aws_ecs_service": "ecs/service:Service",
        "aws_ecs_task_definition": "ecs/taskDefinition:TaskDefinition",
    },
    "elasticache": {
        "aws_elasticache_replication_group": "elasticache/replicationGroup:ReplicationGroup",
        "aws_elasticache_subnet_group": "elasticache/subnetGroup:SubnetGroup",
    },
    "elbv2": {
        "aws_lb": "lb/loadBalancer:LoadBalancer",
        "aws_lb_listener": "lb/listener:Listener",
        "aws_lb_listener_certificate": "lb/listenerCertificate:ListenerCertificate",
        "aws_lb_listener_rule": "lb/listenerRule:ListenerRule",
        "aws_lb_target_group": "lb/targetGroup:TargetGroup",
    },
    "iam": {
        "aws_iam_policy": "iam/policy:Policy",
        "aws_iam_role": "iam/role:Role",
        "aws_iam_role_policy": "iam/rolePolicy:RolePolicy",
        "aws_iam_role_policy_attachment": "iam/rolePolicyAttachment:RolePolicyAttachment",
    },
    "kms": {
        "aws_kms_alias": "kms/alias:Alias",
        "aws_kms_key": "kms/key:Key",
    },
    "logs": {"aws_cloudwatch_log_group": "cloudwatch/logGroup:LogGroup"},
    "rds": {
        "aws_db_instance": "rds/instance:Instance",
        "aws_db_subnet_group": "rds/subnetGroup:SubnetGroup",
    },
    "route53": {
        "aws_route53_record": "route53/record:Record",
        "aws_route53_zone": "route53/zone:Zone",
    },
    "s3": {
        "aws_s3_bucket": "s3/bucket:Bucket",
        "aws_s3_bucket_lifecycle_configuration": "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws_s3_bucket_ownership_controls": "s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws_s3_bucket_policy": "s3/bucketPolicy:BucketPolicy",
        "aws_s3_bucket_public_access_block": "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws_s3_bucket_server_side_encryption_configuration": (
            "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
        ),
        "aws_s3_bucket_versioning": "s3/bucketVersioning:BucketVersioning",
    },
    "sns": {
        "aws_sns_topic": "sns/topic:Topic",
        "aws_sns_topic_policy": "sns/topicPolicy:TopicPolicy",
        "aws_sns_topic_subscription": "sns/topicSubscription:TopicSubscription",
    },
    "ssm": {"aws_ssm_parameter": "ssm/parameter:Parameter"},
}
"""Service of terraform-provider-aws -> resource -> token of pulumi-aws, without the package."""

FUNCTIONS = {
    "aws_acm_certificate": "acm/getCertificate:getCertificate",
    "aws_availability_zones": "index/getAvailabilityZones:getAvailabilityZones",
    "aws_caller_identity": "index/getCallerIdentity:getCallerIdentity",
    "aws_ec2_managed_prefix_list": "ec2/getManagedPrefixList:getManagedPrefixList",
    "aws_ecr_authorization_token": "ecr/getAuthorizationToken:getAuthorizationToken",
    "aws_iam_policy_document": "iam/getPolicyDocument:getPolicyDocument",
    "aws_partition": "index/getPartition:getPartition",
    "aws_region": "index/getRegion:getRegion",
    "aws_route53_zone": "route53/getZone:getZone",
    "aws_route_table": "ec2/getRouteTable:getRouteTable",
    "aws_route_tables": "ec2/getRouteTables:getRouteTables",
    "aws_subnet": "ec2/getSubnet:getSubnet",
    "aws_subnets": "ec2/getSubnets:getSubnets",
    "aws_vpc": "ec2/getVpc:getVpc",
}


def services() -> frozenset[str]:
    """Folders of terraform-provider-aws's internal/service to compile in."""
    return BESIDES | set(_of_the_stand_ins())


def _of_the_stand_ins() -> Iterator[str]:
    for type_ in TYPES:
        yield type_.source.schema.split("internal/service/")[1].split("/")[0]


def served() -> str:
    """types.json: what the binary reads next to itself."""
    compiled = services()
    resources = {
        name: f"aws:{token}"
        for service, types in SERVED.items()
        if service in compiled
        for name, token in types.items()
    }
    functions = {name: f"aws:{token}" for name, token in FUNCTIONS.items()}
    return json.dumps(
        {"version": plugin_version("pulumi_aws"), "resources": resources, "functions": functions}, indent=1
    )
