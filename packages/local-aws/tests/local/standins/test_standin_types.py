"""Each type and all its properties against AWS's own models of its APIs: only calls that AWS knows are made.

What the calls do, and what is read afterwards, is in `lifecycle/`, on the emulator.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from local_aws.standins.aws.base import AwsResource
from local_aws.standins.aws.door import Door
from local_aws.standins.aws.provider import TYPES
from provider_kit import Context, Props, State
from tests.local.standins.examples import CERTIFICATE, EXAMPLES, MORE_EXAMPLES
from tests.local.standins.fake_aws import Answer, FakeAws, refusal

pytestmark = pytest.mark.pure

ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
CONTEXT = Context({}, threading.Event(), lambda *_, **__: None, name="thing", random_seed=b"seed")
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

ISSUED = {
    "DomainName": "shop.test",
    "SubjectAlternativeNames": ["shop.test", "www.shop.test"],
    "Status": "ISSUED",
    "Type": "AMAZON_ISSUED",
    "KeyAlgorithm": "EC-prime256v1",
    "DomainValidationOptions": [
        {
            "DomainName": "shop.test",
            "ValidationMethod": "DNS",
            "ResourceRecord": {"Name": "_a.shop.test.", "Type": "CNAME", "Value": "_b.acm-validations.aws."},
        }
    ],
}


def record_of(asked: dict[str, Any]) -> dict[str, Any]:
    """The one that is asked for."""
    values = [{"Value": "_b.acm-validations.aws."}]
    return {"Name": asked["StartRecordName"], "Type": asked["StartRecordType"], "TTL": 60, "ResourceRecords": values}


# what the generated answers cannot know
SCRIPT: dict[str, Answer] = {
    "iam.list_attached_role_policies": {"AttachedPolicies": [{"PolicyArn": READ_ONLY}]},
    "iam.get_role": lambda _: {
        "Role": {
            "Path": "/a/",
            "RoleName": "a",
            "RoleId": "AROA0123456789ABCDEF",
            "Arn": "arn:aws:iam::000000000000:role/a",
            "CreateDate": datetime(2026, 1, 1, tzinfo=UTC),
            "AssumeRolePolicyDocument": "%7B%7D",
        }
    },
    "cloudwatch.describe_alarms": {"MetricAlarms": [{"AlarmName": "slow", "AlarmArn": "arn:alarm"}]},
    "sns.get_topic_attributes": {"Attributes": {"Owner": "000000000000", "Policy": "{}"}},
    "acm.request_certificate": {"CertificateArn": CERTIFICATE},
    "acm.describe_certificate": {"Certificate": ISSUED},
    "route53.get_hosted_zone": {"HostedZone": {"Id": "Z1", "Name": "test.", "CallerReference": "a"}},
    "route53.list_resource_record_sets": lambda _: {"ResourceRecordSets": [record_of(_)]},
    "iam.get_role_policy": {"RoleName": "a", "PolicyName": "b", "PolicyDocument": "%7B%7D"},
    "ecr.get_lifecycle_policy": {"lifecyclePolicyText": '{"rules": []}'.ljust(100)},
    "logs.describe_log_groups": {"logGroups": [{"logGroupName": "/a", "arn": "arn:log:/a:*"}]},
    "elbv2.describe_load_balancers": lambda _: named_or_not(_, "LoadBalancers", {"State": {"Code": "active"}}),
    "elbv2.describe_target_groups": lambda _: named_or_not(_, "TargetGroups", {"Port": 80}),
    "elbv2.describe_load_balancer_attributes": {"Attributes": []},
    "elbv2.describe_target_group_attributes": {"Attributes": []},
    "ecs.describe_services": lambda _: {"services": [service("INACTIVE" if _.get("gone") else "ACTIVE")]},
    "ecs.describe_clusters": {"clusters": [{"clusterArn": "arn:c", "clusterName": "a", "status": "ACTIVE"}]},
    "rds.describe_db_instances": {
        "DBInstances": [
            {
                "DBInstanceIdentifier": "shop-orders",
                "DBInstanceArn": "arn:x",
                "DbiResourceId": "db-ABC",
                "DBInstanceStatus": "available",
                "EngineVersion": "17.6",
                "Endpoint": {"Address": "orders.rds.internal", "Port": 5433, "HostedZoneId": "Z2"},
                "MasterUserSecret": {"SecretArn": "arn:s", "SecretStatus": "active"},
            }
        ]
    },
    "elasticache.describe_replication_groups": {
        "ReplicationGroups": [
            {
                "ReplicationGroupId": "shop",
                "ARN": "arn:x",
                "Description": "d",
                "Status": "available",
                "MemberClusters": ["shop-001", "shop-002"],
                "NodeGroups": [{"PrimaryEndpoint": {"Address": "a", "Port": 1}, "ReaderEndpoint": {"Address": "b"}}],
            }
        ]
    },
    "ec2.describe_nat_gateways": {"NatGateways": [{"NatGatewayId": "nat-1", "State": "available"}]},
    "ec2.describe_vpc_endpoints": lambda _: {"VpcEndpoints": [{"ServiceName": "a", "State": "available"}]},
    "ec2.describe_route_tables": {
        "RouteTables": [
            {"RouteTableId": "rtb-1", "OwnerId": "1", "Associations": [{"RouteTableAssociationId": "text"}]}
        ]
    },
}


def named_or_not(arguments: dict[str, Any], field: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Nothing of that name; but what an ARN names is there."""
    if "Names" in arguments:
        raise refusal("Describe", "NotFound")
    balancer = {"LoadBalancerName": "a", "DNSName": "a", "CanonicalHostedZoneId": "z", "VpcId": "vpc-1"}
    return {field: [entry | (balancer if field == "LoadBalancers" else {"TargetGroupName": "a"})]}


def service(status: str) -> dict[str, Any]:
    return {
        "serviceArn": "arn:aws:ecs:eu-west-1:000000000000:service/a/a-blue",
        "clusterArn": "arn:c",
        "serviceName": "a-blue",
        "status": status,
        "taskDefinition": "arn:t",
        "desiredCount": 0,
    }


def standin(type_: type[AwsResource], **script: Answer) -> tuple[AwsResource, FakeAws]:
    """The type, its door and the fake behind it."""
    aws = FakeAws(SCRIPT | {name.replace("__", "."): answer for name, answer in script.items()})
    door = Door(ENVIRONMENT, aws.client, answers=lambda _: True)
    door.configure({"region": "us-east-1"})
    return type_(door), aws


def checked(resource: AwsResource, inputs: Props) -> Props:
    values, wrong = resource.check(CONTEXT, inputs, None)
    assert wrong == []
    return values


WAITS_ONLY = "aws:acm/certificateValidation:CertificateValidation"
"""Nothing in AWS."""

BY_TOKEN: dict[str, type[AwsResource]] = {type_.token: type_ for type_ in TYPES}
every_type = pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.token)
every_example = pytest.mark.parametrize(
    ("type_", "example"),
    [(BY_TOKEN[token], example) for token, example in (*EXAMPLES.items(), *MORE_EXAMPLES)],
    ids=lambda value: value.token if isinstance(value, type) else ",".join(value)[:40],
)


@every_type
def test_every_property_has_an_example_that_is_not_its_default(type_: type[AwsResource]) -> None:
    more = [example for token, example in MORE_EXAMPLES if token == type_.token]
    shown = {name for example in (EXAMPLES[type_.token], *more) for name in example}
    assert shown == type_.props.keys()
    same = {name for name, prop in type_.props.items() if EXAMPLES[type_.token].get(name, "") == prop.default}
    assert same <= {"waitForSteadyState"}


@every_example
def test_a_create_makes_calls_that_aws_knows_and_fills_in_every_output(
    type_: type[AwsResource], example: Props
) -> None:
    resource, aws = standin(type_)
    id, outputs = resource.create(CONTEXT, checked(resource, example))
    assert id
    assert bool(aws.changes) is (type_.token != WAITS_ONLY)
    assert {name for name in type_.outputs if outputs.get(name) is None} == set()


@every_example
def test_inputs_that_were_checked_can_be_checked_again(type_: type[AwsResource], example: Props) -> None:
    """With ignoreChanges the engine hands back the inputs of before."""
    resource, _ = standin(type_)
    once = checked(resource, example)
    assert checked(resource, once) == once


# flags that steer the stand-in itself, and what AWS takes with the next change only
WITHOUT_A_CALL = {
    "allowMajorVersionUpgrade",
    "applyImmediately",
    "deleteAutomatedBackups",
    "finalSnapshotIdentifier",
    "manageMasterUserPassword",
    "skipFinalSnapshot",
    "allowOverwrite",
    "forceDelete",
    "forceDetachPolicies",
    "forceNewDeployment",
    "skipDestroy",
    "trackLatest",
    "waitForSteadyState",
}


@every_example
def test_each_property_that_can_change_in_place_is_changed_by_a_call(type_: type[AwsResource], example: Props) -> None:
    silent = set()
    for name in example.keys() - type_.replace_on - WITHOUT_A_CALL:
        resource, aws = standin(type_)
        before = checked(resource, example)
        after = checked(resource, changed(example, name))
        if before == after:
            silent.add(f"{name} (no difference)")
        outputs = before | {"arn": "arn:x"}
        resource.update(CONTEXT, State(aws_id(type_), before, outputs), after)
        if not aws.changes:
            silent.add(name)
    assert silent == set()


OTHER: Props = {
    "allocatedStorage": 30,
    "backupRetentionPeriod": 14,
    "dbSubnetGroupName": "other",
    "engineVersion": "18",
    "identifier": "shop-stock",
    "instanceClass": "db.t4g.small",
    "multiAz": False,
    "storageType": "gp2",
    "vpcSecurityGroupIds": ["sg-2"],
    "accessLogs": {"bucket": "logs", "enabled": False},
    "aliases": [{"name": "other.test", "zoneId": "Z2", "evaluateTargetHealth": False}],
    "options": {"certificateTransparencyLoggingPreference": "ENABLED"},
    "records": ["_c.acm-validations.aws."],
    "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=0",
    "assumeRolePolicy": '{"Version": "x"}',
    "autoMinorVersionUpgrade": True,
    "certificateArn": "arn:other",
    "cidrIpv4": "10.0.0.0/8",
    "cidrIpv6": "fe80::/10",
    "clusterMode": "enabled",
    "comparisonOperator": "LessThanThreshold",
    "defaultActions": [{"type": "forward", "targetGroupArn": "arn:other"}],
    "description": "other",
    "maintenanceWindow": "mon:07:00-mon:08:00",
    "nodeType": "cache.t4g.small",
    "numCacheClusters": 3,
    "parameterGroupName": "other",
    "snapshotWindow": "07:00-08:00",
    "transitEncryptionEnabled": False,
    "transitEncryptionMode": "preferred",
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "enableDnsHostnames": False,
    "evaluateLowSampleCountPercentiles": "evaluate",
    "evaluationPeriods": 5,
    "extendedStatistic": "p99",
    "healthCheck": {"path": "/other"},
    "imageScanningConfiguration": {"scanOnPush": False},
    "insecureValue": "other",
    "ipAddressType": "ipv4",
    "ipProtocol": "udp",
    "loadBalancingAlgorithmType": "least_outstanding_requests",
    "managedPolicyArns": ["arn:aws:iam::aws:policy/PowerUserAccess"],
    "metricQueries": [{"id": "all", "expression": "1"}],
    "networkConfiguration": {"subnets": ["s-2"]},
    "platformVersion": "LATEST",
    "policy": '{"Version": "x"}',
    "port": 8443,
    "prefixListId": "pl-2",
    "propagateTags": "NONE",
    "referencedSecurityGroupId": "sg-3",
    "routeTableIds": ["rtb-2"],
    "securityGroupIds": ["sg-2"],
    "subnetIds": ["subnet-2"],
    "routes": [{"cidrBlock": "10.1.0.0/16", "gatewayId": "igw-1"}],
    "securityGroups": ["sg-2"],
    "settings": [{"name": "containerInsights", "value": "disabled"}],
    "sslPolicy": "other",
    "statistic": "Average",
    "stickiness": {"type": "lb_cookie", "enabled": False},
    "subnets": ["s-2"],
    "taskDefinition": "arn:other",
    "triggers": {"after": "2"},
    "type": "StringList",
    "vpcId": "vpc-2",
}
"""Other values, where a property cannot be left out, or stays as it is then."""


def changed(example: Props, name: str) -> Props:
    """The example with another value for one property, or without it."""
    rest = {key: value for key, value in example.items() if key != name}
    return rest | ({name: OTHER[name]} if name in OTHER else {})


def aws_id(type_: type[AwsResource]) -> str:
    """An id of the right form."""
    return {
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment": f"a/{READ_ONLY}",
        "aws:iam/rolePolicy:RolePolicy": "a:b",
        "aws:cloudwatch/logGroup:LogGroup": "/a",
        "aws:sns/topic:Topic": "arn:aws:sns:us-east-1:000000000000:on-call",
        "aws:ssm/parameter:Parameter": "/a",
        "aws:route53/record:Record": "Z1__a.shop.test_CNAME",
        "aws:acm/certificate:Certificate": CERTIFICATE,
    }.get(type_.token, "text")


@every_example
def test_a_delete_makes_calls_that_aws_knows(type_: type[AwsResource], example: Props) -> None:
    resource, aws = standin(
        type_,
        ecs__describe_services=one_after_another("ACTIVE", "INACTIVE"),
        ec2__describe_nat_gateways={"NatGateways": []},
        ec2__describe_vpc_endpoints={"VpcEndpoints": []},
        rds__describe_db_instances={"DBInstances": []},
        elasticache__describe_replication_groups={"ReplicationGroups": []},
    )
    known = checked(resource, example) | {"arn": "arn:x", "skipDestroy": False}
    resource.delete(CONTEXT, State(aws_id(type_), known, known))
    assert bool(aws.changes) is (type_.token != WAITS_ONLY)


def one_after_another(*statuses: str) -> Answer:
    left = list(statuses)
    return lambda _: {"services": [service(left.pop(0) if len(left) > 1 else left[0])]}
