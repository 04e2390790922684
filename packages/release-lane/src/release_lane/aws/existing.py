"""Which of the resources that a killed update was about to create exist in AWS.

Each look-up takes a resource's inputs, as the engine's state holds them, and returns the id by which the AWS provider
imports it. Sources: the "Import" section of each resource's page in the documentation of pulumi-aws, and the AWS
API references of ECS, Elastic Load Balancing v2, IAM, CloudWatch Logs, EC2, ECR, RDS and ElastiCache.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from release_lane.aws.session import client
from release_lane.operate.recovery import Existing
from release_lane.record.names import Access

Inputs = Mapping[str, Any]
Ask = Callable[[str], Any]
"""A service's name to its client."""


def existing(access: Access, type_: str, inputs: Inputs) -> Existing | None:
    """The existing resource, or None. KeyError for a type that is not looked up (`LOOKED_UP`)."""

    def ask(service: str) -> Any:
        return client(access, service)

    return _LOOKS[type_](ask, inputs)


def _service(ask: Ask, inputs: Inputs) -> Existing | None:
    ecs = ask("ecs")
    try:
        found = ecs.describe_services(cluster=inputs["cluster"], services=[inputs["name"]])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    there = next((each for each in found if each["status"] != "INACTIVE"), None)
    return Existing(id=there["serviceArn"], leaving=there["status"] == "DRAINING") if there else None


def _cluster(ask: Ask, inputs: Inputs) -> Existing | None:
    found = ask("ecs").describe_clusters(clusters=[inputs["name"]])["clusters"]
    there = next((each for each in found if each["status"] != "INACTIVE"), None)
    return Existing(id=there["clusterArn"]) if there else None


def _role(ask: Ask, inputs: Inputs) -> Existing | None:
    iam = ask("iam")
    try:
        return Existing(id=iam.get_role(RoleName=inputs["name"])["Role"]["RoleName"])
    except iam.exceptions.NoSuchEntityException:
        return None


def _log_group(ask: Ask, inputs: Inputs) -> Existing | None:
    found = ask("logs").describe_log_groups(logGroupNamePrefix=inputs["name"])["logGroups"]
    return next((Existing(id=each["logGroupName"]) for each in found if each["logGroupName"] == inputs["name"]), None)


def _load_balancer(ask: Ask, inputs: Inputs) -> Existing | None:
    elb = ask("elbv2")
    try:
        return Existing(id=elb.describe_load_balancers(Names=[inputs["name"]])["LoadBalancers"][0]["LoadBalancerArn"])
    except elb.exceptions.LoadBalancerNotFoundException:
        return None


def _target_group(ask: Ask, inputs: Inputs) -> Existing | None:
    elb = ask("elbv2")
    try:
        return Existing(id=elb.describe_target_groups(Names=[inputs["name"]])["TargetGroups"][0]["TargetGroupArn"])
    except elb.exceptions.TargetGroupNotFoundException:
        return None


def _listener(ask: Ask, inputs: Inputs) -> Existing | None:
    elb = ask("elbv2")
    try:
        found = elb.describe_listeners(LoadBalancerArn=inputs["loadBalancerArn"])["Listeners"]
    except elb.exceptions.LoadBalancerNotFoundException:
        return None
    return next((Existing(id=each["ListenerArn"]) for each in found if each["Port"] == int(inputs["port"])), None)


def _security_group(ask: Ask, inputs: Inputs) -> Existing | None:
    filters = [{"Name": "vpc-id", "Values": [inputs["vpcId"]]}, {"Name": "group-name", "Values": [inputs["name"]]}]
    found = ask("ec2").describe_security_groups(Filters=filters)["SecurityGroups"]
    return Existing(id=found[0]["GroupId"]) if found else None


def _rule(ask: Ask, inputs: Inputs, *, egress: bool) -> Existing | None:
    filters = [{"Name": "group-id", "Values": [inputs["securityGroupId"]]}]
    found = ask("ec2").describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    wanted = (egress, *_let_in(inputs["ipProtocol"], inputs.get("fromPort"), inputs.get("toPort")))
    source = inputs.get("cidrIpv4") or inputs.get("referencedSecurityGroupId") or inputs.get("prefixListId")
    for each in found:
        there = (each["IsEgress"], *_let_in(each["IpProtocol"], each.get("FromPort"), each.get("ToPort")))
        other = (each.get("ReferencedGroupInfo") or {}).get("GroupId")
        if there == wanted and source in (each.get("CidrIpv4"), other, each.get("PrefixListId")):
            return Existing(id=each["SecurityGroupRuleId"])
    return None


def _let_in(protocol: str, low: Any, high: Any) -> tuple[str, int, int]:
    """A rule for all protocols has no ports; AWS writes -1."""
    ports = (-1, -1) if str(protocol) == "-1" else (int(low), int(high))
    return str(protocol), *ports


def _subnet(ask: Ask, inputs: Inputs) -> Existing | None:
    filters = [
        {"Name": "vpc-id", "Values": [inputs["vpcId"]]},
        {"Name": "cidr-block", "Values": [inputs["cidrBlock"]]},
    ]
    found = ask("ec2").describe_subnets(Filters=filters)["Subnets"]
    return Existing(id=found[0]["SubnetId"]) if found else None


def _gateway(ask: Ask, inputs: Inputs) -> Existing | None:
    filters = [{"Name": "attachment.vpc-id", "Values": [inputs["vpcId"]]}]
    found = ask("ec2").describe_internet_gateways(Filters=filters)["InternetGateways"]
    return Existing(id=found[0]["InternetGatewayId"]) if found else None


def _address(ask: Ask, inputs: Inputs) -> Existing | None:
    found = ask("ec2").describe_addresses(Filters=[_named(inputs)])["Addresses"]
    return Existing(id=found[0]["AllocationId"]) if found else None


def _nat_gateway(ask: Ask, inputs: Inputs) -> Existing | None:
    """One that failed, or was deleted, can be seen for an hour."""
    filters = [_named(inputs), {"Name": "state", "Values": ["pending", "available"]}]
    found = ask("ec2").describe_nat_gateways(Filters=filters)["NatGateways"]
    return Existing(id=found[0]["NatGatewayId"]) if found else None


def _endpoint(ask: Ask, inputs: Inputs) -> Existing | None:
    filters = [_named(inputs), {"Name": "vpc-id", "Values": [inputs["vpcId"]]}]
    found = ask("ec2").describe_vpc_endpoints(Filters=filters)["VpcEndpoints"]
    there = [each for each in found if each["State"].lower() in ("pending", "available")]
    return Existing(id=there[0]["VpcEndpointId"]) if there else None


def _named(inputs: Inputs) -> dict[str, Any]:
    """By the tag that the program gives it: it has no name of its own."""
    return {"Name": "tag:Name", "Values": [str((inputs.get("tags") or {}).get("Name") or "")]}


def _repository(ask: Ask, inputs: Inputs) -> Existing | None:
    ecr = ask("ecr")
    try:
        found = ecr.describe_repositories(repositoryNames=[inputs["name"]])["repositories"]
    except ecr.exceptions.RepositoryNotFoundException:
        return None
    return Existing(id=found[0]["repositoryName"])


def _database(ask: Ask, inputs: Inputs) -> Existing | None:
    rds = ask("rds")
    try:
        (found,) = rds.describe_db_instances(DBInstanceIdentifier=inputs["identifier"])["DBInstances"]
    except rds.exceptions.DBInstanceNotFoundFault:
        return None
    return Existing(id=found["DBInstanceIdentifier"], leaving=found["DBInstanceStatus"] == "deleting")


def _database_subnets(ask: Ask, inputs: Inputs) -> Existing | None:
    rds = ask("rds")
    try:
        (found,) = rds.describe_db_subnet_groups(DBSubnetGroupName=inputs["name"])["DBSubnetGroups"]
    except rds.exceptions.DBSubnetGroupNotFoundFault:
        return None
    return Existing(id=found["DBSubnetGroupName"])


def _cache(ask: Ask, inputs: Inputs) -> Existing | None:
    elasticache = ask("elasticache")
    try:
        asked = elasticache.describe_replication_groups(ReplicationGroupId=inputs["replicationGroupId"])
    except elasticache.exceptions.ReplicationGroupNotFoundFault:
        return None
    (found,) = asked["ReplicationGroups"]
    return Existing(id=found["ReplicationGroupId"], leaving=found["Status"] == "deleting")


def _cache_subnets(ask: Ask, inputs: Inputs) -> Existing | None:
    elasticache = ask("elasticache")
    try:
        (found,) = elasticache.describe_cache_subnet_groups(CacheSubnetGroupName=inputs["name"])["CacheSubnetGroups"]
    except elasticache.exceptions.CacheSubnetGroupNotFoundFault:
        return None
    return Existing(id=found["CacheSubnetGroupName"])


_LOOKS: dict[str, Callable[[Ask, Inputs], Existing | None]] = {
    "aws:ecs/service:Service": _service,
    "aws:ecs/cluster:Cluster": _cluster,
    "aws:iam/role:Role": _role,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:lb/targetGroup:TargetGroup": _target_group,
    "aws:lb/listener:Listener": _listener,
    "aws:ec2/securityGroup:SecurityGroup": _security_group,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": partial(_rule, egress=False),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": partial(_rule, egress=True),
    "aws:ec2/subnet:Subnet": _subnet,
    "aws:ec2/internetGateway:InternetGateway": _gateway,
    "aws:ec2/eip:Eip": _address,
    "aws:ec2/natGateway:NatGateway": _nat_gateway,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ecr/repository:Repository": _repository,
    "aws:rds/instance:Instance": _database,
    "aws:rds/subnetGroup:SubnetGroup": _database_subnets,
    "aws:elasticache/replicationGroup:ReplicationGroup": _cache,
    "aws:elasticache/subnetGroup:SubnetGroup": _cache_subnets,
}

LOOKED_UP = frozenset(_LOOKS)
"""Types that AWS refuses to create a second time, or of which a second one costs money. Creating others again succeeds,
or makes a second (see recovery)."""
