"""Tasks are in private subnets, and a live environment changes its egress with its releases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.stories.cloud import idle_of, tasks
from tools.lane import GIVE_UP_AFTER, PROJECT, Lane, Stack

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.timeout(600), pytest.mark.long, pytest.mark.real]
QUICK = {"deadlineSeconds": 3}
SECRET = {"KEY": "arn:aws:ssm:us-east-1:000000000000:parameter/egress/key"}


def settings(stack: Stack, egress: str, **more: Any) -> Stack:
    """The same environment with this egress in its stack file."""
    return stack.lane.stack(stack.name, "staging", smoke=QUICK, network={"egress": egress}, **more)


def subnets(stack: Stack, colour: str) -> set[str]:
    """Names of the subnets in which a colour's tasks are started; none of them has a public address."""
    name, aws = f"{PROJECT}-{stack.name}", stack.lane.aws
    (found,) = aws("ecs").describe_services(cluster=name, services=[f"{name}-{colour}"])["services"]
    inside = found["networkConfiguration"]["awsvpcConfiguration"]
    assert inside["assignPublicIp"] == "DISABLED"
    described = aws("ec2").describe_subnets(SubnetIds=inside["subnets"])["Subnets"]
    names = {tag["Value"] for each in described for tag in each["Tags"] if tag["Key"] == "Name"}
    return {each.removeprefix(f"{name}-") for each in names}


def in_vpc(stack: Stack) -> list[dict[str, Any]]:
    """What finds things in the environment's VPC."""
    named = [{"Name": "tag:Name", "Values": [f"{PROJECT}-{stack.name}"]}]
    (vpc,) = stack.lane.aws("ec2").describe_vpcs(Filters=named)["Vpcs"]
    return [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]


def nat_gateways(stack: Stack) -> list[dict[str, Any]]:
    """Those that are there: deleted ones can be seen for an hour."""
    there = [*in_vpc(stack), {"Name": "state", "Values": ["available"]}]
    return list(stack.lane.aws("ec2").describe_nat_gateways(Filters=there)["NatGateways"])


def egress(stack: Stack) -> tuple[int, set[str]]:
    """How many NAT gateways the environment has, and for which services endpoints."""
    ec2, here, gateways = stack.lane.aws("ec2"), in_vpc(stack), nat_gateways(stack)
    endpoints = ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
    return len(gateways), {each["ServiceName"].split(".", 3)[3] for each in endpoints}


def routes(stack: Stack) -> dict[str, str]:
    """Of each private subnet's zone the zone of the NAT gateway that its default route leads to; last letters."""
    ec2, here, gateways = stack.lane.aws("ec2"), in_vpc(stack), nat_gateways(stack)
    zone = {each["SubnetId"]: each["AvailabilityZone"][-1] for each in ec2.describe_subnets(Filters=here)["Subnets"]}
    stands = {each["NatGatewayId"]: zone[each["SubnetId"]] for each in gateways}
    return {
        zone[of["SubnetId"]]: stands[route["NatGatewayId"]]
        for table in ec2.describe_route_tables(Filters=here)["RouteTables"]
        for route in table["Routes"]
        if "NatGatewayId" in route
        for of in table["Associations"]
    }


def described(stack: Stack) -> dict[str, Any]:
    """Its load balancer."""
    (found,) = stack.lane.aws("elbv2").describe_load_balancers(Names=[f"{PROJECT}-{stack.name}"])["LoadBalancers"]
    return dict(found)


def _bucket_for_logs(lane: Lane) -> str:
    """A bucket in which load balancers may write."""
    s3, bucket = lane.aws("s3"), f"access-logs-{lane.mark}"
    s3.create_bucket(Bucket=bucket)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket}/wide/AWSLogs/000000000000/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return bucket


ALWAYS = {"ecr.api", "ecr.dkr", "logs", "s3"}


def test_a_live_environment_changes_its_egress_with_two_releases(lane: Lane, good: str, better: str, best: str) -> None:
    lane.aws("ssm").put_parameter(Name="/egress/key", Value="x", Type="SecureString", Overwrite=True)
    stack = settings(lane.environment("egress", like="staging", smoke=QUICK), "nat")
    assert stack.up(imageDigest=good).ok
    assert subnets(stack, stack.outputs["liveColour"]) == {"nat-a", "nat-b"}
    assert egress(stack) == (1, {"s3"})
    serving = tasks(stack, stack.outputs["liveColour"])

    closed = settings(stack, "endpoints", secrets=SECRET)
    added = closed.up()
    assert added.ok, added.text
    assert egress(stack) == (1, {*ALWAYS, "ssm"}), "both are there before a colour moves"
    assert tasks(stack, stack.outputs["liveColour"]) == serving

    first = closed.up(imageDigest=better)
    assert first.ok, first.text
    assert subnets(stack, stack.outputs["liveColour"]) == {"endpoints-a", "endpoints-b"}
    assert subnets(stack, idle_of(stack)) == {"nat-a", "nat-b"}
    back = closed.up(imageDigest=good, rollbackFrom=better)
    assert back.ok, back.text
    assert egress(stack)[0] == 1, "the release that a rollback went back to still uses it"

    assert closed.up(imageDigest=best).ok
    restarted = closed.up(imageDigest=better, rollbackFrom=best)
    assert restarted.ok, restarted.text
    assert subnets(stack, stack.outputs["liveColour"]) == {"nat-a", "nat-b"}, "no way back changes a colour's egress"

    *_, last = forward = [lane.derive(edition, good) for edition in ("third", "fourth")]
    for digest in forward:
        moved = closed.up(imageDigest=digest)
        assert moved.ok, moved.text
        assert subnets(stack, stack.outputs["liveColour"]) == {"endpoints-a", "endpoints-b"}
    after = closed.up()
    assert after.ok, after.text
    assert egress(stack) == (0, {*ALWAYS, "ssm"}), "what no colour uses any more is deleted"
    assert stack.served()["digest"] == last
    assert closed.up("--expect-no-changes").ok


def test_a_live_environment_gets_a_third_zone_with_a_way_out_and_access_logs(
    lane: Lane, good: str, better: str, probe: Any
) -> None:
    network = {"egress": "nat-per-zone", "zones": 2}
    stack = lane.environment("wide", like="staging", smoke=QUICK, network=network)
    assert stack.up(imageDigest=good).ok
    assert routes(stack) == {"a": "a", "b": "b"}
    serving = tasks(stack, stack.outputs["liveColour"])

    bucket = _bucket_for_logs(lane)
    wide = lane.stack(
        stack.name,
        "staging",
        smoke=QUICK,
        network={**network, "zones": 3},
        accessLogs={"bucket": bucket, "prefix": "wide"},
    )
    users = probe(wide)
    added = wide.up()
    assert added.ok, added.text
    assert routes(stack) == {"a": "a", "b": "b", "c": "c"}, "each zone has a way out of its own"
    assert tasks(stack, stack.outputs["liveColour"]) == serving
    balancer = described(stack)
    assert {zone["ZoneName"][-1] for zone in balancer["AvailabilityZones"]} == {"a", "b", "c"}
    attributes = lane.aws("elbv2").describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])
    kept = {each["Key"]: each["Value"] for each in attributes["Attributes"]}
    assert [kept[f"access_logs.s3.{key}"] for key in ("enabled", "bucket", "prefix")] == ["true", bucket, "wide"]
    released = wide.up(imageDigest=better)
    assert released.ok, released.text
    assert subnets(stack, stack.outputs["liveColour"]) == {f"nat-per-zone-{zone}" for zone in "abc"}
    report = users.stop()
    assert report.flawless, report
    again = wide.up("--expect-no-changes")
    assert again.ok, again.text
    with wide.started("refresh", "--expect-no-changes", "--diff") as refresh:
        looked = refresh.wait(GIVE_UP_AFTER)
    assert looked.ok, looked.text


def test_a_network_that_exists_is_checked_and_left_alone(lane: Lane, good: str) -> None:
    ec2 = lane.aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    made = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")["Subnet"]
        for number, zone in enumerate("abab")
    ]
    ids = [each["SubnetId"] for each in made]
    existing = {"vpcId": vpc, "publicSubnets": ids[:2], "privateSubnets": ids[2:]}
    stack = lane.environment("brought", like="staging", smoke=QUICK, network={"existing": existing})
    refused = stack.up(imageDigest=good)
    assert not refused.ok
    assert f"publicSubnets: {ids[0]} has no default route to an internet gateway" in refused.text
    assert not ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": [f"{PROJECT}-{stack.name}-*"]}]
    )["SecurityGroups"]

    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    for id in ids[:2]:
        ec2.associate_route_table(SubnetId=id, RouteTableId=table)
    before = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    released = stack.up(imageDigest=good)
    assert released.ok, released.text
    assert stack.served()["digest"] == good
    assert ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"] == before
    moved = lane.stack(stack.name, "staging", smoke=QUICK).up()
    assert not moved.ok
    assert f"network.existing from {vpc} to a network of its own" in moved.text
