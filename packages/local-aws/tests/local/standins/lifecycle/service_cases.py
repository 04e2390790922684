"""Roles, logs, alarms, topics, ECS, load balancing, repositories."""

from __future__ import annotations

import json

from provider_kit import Props
from tests.local.standins.lifecycle.case import Case, tag
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.network_cases import ELSEWHERE
from tests.local.standins.lifecycle.world import CONTAINER, READ_ONLY, ZONE, World

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "a.b"}, "Action": "sts:AssumeRole"}],
}
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
ROLE = "arn:aws:iam::000000000000:role/{}"
POWER_USER = "arn:aws:iam::aws:policy/PowerUserAccess"
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
            "action": {"type": "expire"},
        }
    ]
}


def other(document: Props) -> str:
    """Another document of the same kind."""
    text = json.dumps(document)
    return text.replace("a.b", "c.d").replace("s3:Get*", "s3:List*").replace('"countNumber": 1', '"countNumber": 2')


# --- what somebody does by hand ------------------------------------------------------------------------


def role_described(world: World, made: Managed) -> None:
    world.aws("iam").update_role(RoleName=made.id, Description="by hand")


def role_gone(world: World, made: Managed) -> None:
    for policy in made.outputs.get("managedPolicyArns") or ():
        world.aws("iam").detach_role_policy(RoleName=made.id, PolicyArn=policy)
    world.aws("iam").delete_role(RoleName=made.id)


def policy_detached(world: World, made: Managed) -> None:
    role, _, arn = made.id.partition("/")
    world.aws("iam").detach_role_policy(RoleName=role, PolicyArn=arn)


def policy_rewritten(world: World, made: Managed) -> None:
    role, _, name = made.id.partition(":")
    world.aws("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=other(ALLOW))


def policy_deleted(world: World, made: Managed) -> None:
    role, _, name = made.id.partition(":")
    world.aws("iam").delete_role_policy(RoleName=role, PolicyName=name)


def logs_kept_longer(world: World, made: Managed) -> None:
    world.aws("logs").put_retention_policy(logGroupName=made.id, retentionInDays=365)


def parameter_written(world: World, made: Managed) -> None:
    world.aws("ssm").put_parameter(Name=made.id, Value="by hand", Type="String", Overwrite=True)


def parameter_gone(world: World, made: Managed) -> None:
    world.aws("ssm").delete_parameter(Name=made.id)


def logs_gone(world: World, made: Managed) -> None:
    world.aws("logs").delete_log_group(logGroupName=made.id)


def alarm_silenced(world: World, made: Managed) -> None:
    world.aws("cloudwatch").disable_alarm_actions(AlarmNames=[made.id])


def alarm_gone(world: World, made: Managed) -> None:
    world.aws("cloudwatch").delete_alarms(AlarmNames=[made.id])


def topic_renamed(world: World, made: Managed) -> None:
    world.aws("sns").set_topic_attributes(TopicArn=made.id, AttributeName="DisplayName", AttributeValue="by hand")


def topic_gone(world: World, made: Managed) -> None:
    world.aws("sns").delete_topic(TopicArn=made.id)


def cluster_set(world: World, made: Managed) -> None:
    settings = [{"name": "containerInsights", "value": "enhanced"}]
    world.aws("ecs").update_cluster_settings(cluster=made.id, settings=settings)


def cluster_gone(world: World, made: Managed) -> None:
    world.aws("ecs").delete_cluster(cluster=made.id)


def definition_tagged(world: World, made: Managed) -> None:
    world.aws("ecs").tag_resource(resourceArn=made.outputs["arn"], tags=[{"key": "team", "value": "by hand"}])


def definition_gone(world: World, made: Managed) -> None:
    world.aws("ecs").deregister_task_definition(taskDefinition=made.outputs["arn"])


def service_with_other_rules(world: World, made: Managed) -> None:
    world.aws("ecs").update_service(
        cluster=world.cluster,
        service=made.id,
        deploymentConfiguration={"maximumPercent": 300, "minimumHealthyPercent": 50},
    )


def service_gone(world: World, made: Managed) -> None:
    world.aws("ecs").delete_service(cluster=world.cluster, service=made.id, force=True)


def balancer_timed(world: World, made: Managed) -> None:
    attributes = [{"Key": "idle_timeout.timeout_seconds", "Value": "99"}]
    world.aws("elbv2").modify_load_balancer_attributes(LoadBalancerArn=made.id, Attributes=attributes)


def balancer_gone(world: World, made: Managed) -> None:
    world.aws("elbv2").delete_load_balancer(LoadBalancerArn=made.id)


def group_checked_elsewhere(world: World, made: Managed) -> None:
    world.aws("elbv2").modify_target_group(TargetGroupArn=made.id, HealthCheckPath="/by-hand")


def group_gone(world: World, made: Managed) -> None:
    world.aws("elbv2").delete_target_group(TargetGroupArn=made.id)


def listener_moved(world: World, made: Managed) -> None:
    action = {"Type": "forward", "TargetGroupArn": world.target_groups[1]}
    world.aws("elbv2").modify_listener(ListenerArn=made.id, DefaultActions=[action])


def listener_gone(world: World, made: Managed) -> None:
    world.aws("elbv2").delete_listener(ListenerArn=made.id)


def listener_certified(world: World, made: Managed) -> None:
    other = [{"CertificateArn": world.certificates[1]}]
    world.aws("elbv2").modify_listener(ListenerArn=made.id, Certificates=other)


def change_record(world: World, made: Managed, action: str, ttl: int) -> None:
    values = [{"Value": value} for value in made.outputs["records"]]
    record = {"Name": made.outputs["fqdn"], "Type": "CNAME", "TTL": ttl, "ResourceRecords": values}
    changes = [{"Action": action, "ResourceRecordSet": record}]
    world.aws("route53").change_resource_record_sets(HostedZoneId=ZONE, ChangeBatch={"Changes": changes})


def record_aged(world: World, made: Managed) -> None:
    change_record(world, made, "UPSERT", 300)


def tags_movable(world: World, made: Managed) -> None:
    world.aws("ecr").put_image_tag_mutability(repositoryName=made.id, imageTagMutability="MUTABLE")


def repository_gone(world: World, made: Managed) -> None:
    world.aws("ecr").delete_repository(repositoryName=made.id)


def lifecycle_rewritten(world: World, made: Managed) -> None:
    world.aws("ecr").put_lifecycle_policy(repositoryName=made.id, lifecyclePolicyText=other(LIFECYCLE))


def lifecycle_gone(world: World, made: Managed) -> None:
    world.aws("ecr").delete_lifecycle_policy(repositoryName=made.id)


# --- inputs --------------------------------------------------------------------------------------------


def alarm(world: World) -> Props:
    return {
        "name": world.name(),
        "comparisonOperator": "GreaterThanThreshold",
        "evaluationPeriods": 3,
        "metricName": "TargetResponseTime",
        "namespace": "AWS/ApplicationELB",
        "dimensions": {"LoadBalancer": "app/a/1"},
        "period": 60,
        "statistic": "Average",
        "threshold": 0.5,
        **tag(),
    }


def without(values: Props, *names: str) -> Props:
    return {name: value for name, value in values.items() if name not in names}


def metric(id: str, name: str) -> Props:
    dimensions = {"LoadBalancer": "app/a/1"}
    namespace = "AWS/ApplicationELB"
    stat = {"metricName": name, "namespace": namespace, "dimensions": dimensions, "period": 60, "stat": "Sum"}
    return {"id": id, "metric": stat}


RATE = {"id": "rate", "expression": "100 * errors / requests", "label": "errors in 100", "returnData": True}
METRICS = [metric("errors", "HTTPCode_Target_5XX_Count"), metric("requests", "RequestCount")]


def expression_alarm(world: World) -> Props:
    one_metric = ("metricName", "namespace", "dimensions", "period", "statistic")
    return without(alarm(world), *one_metric) | {"metricQueries": [RATE, *METRICS]}


def definition(world: World) -> Props:
    return {
        "family": world.name(),
        "containerDefinitions": json.dumps([CONTAINER]),
        "cpu": "256",
        "memory": "512",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "executionRoleArn": ROLE.format("one"),
        **tag(),
    }


def service(world: World) -> Props:
    group = {"targetGroupArn": world.target_groups[0], "containerName": "app", "containerPort": 8080}
    return {
        "name": world.name(),
        "cluster": world.cluster,
        "taskDefinition": world.definitions[0],
        "launchType": "FARGATE",
        "networkConfiguration": {"subnets": world.subnets[:2], "securityGroups": world.groups[:1]},
        "loadBalancers": [group],
        "deploymentCircuitBreaker": {"enable": True, "rollback": False},
        "healthCheckGracePeriodSeconds": 5,
        **tag(),
    }


def service_changes(world: World) -> Props:
    group = {"targetGroupArn": world.target_groups[1], "containerName": "app", "containerPort": 8080}
    return {
        "taskDefinition": world.definitions[1],
        "deploymentMaximumPercent": 150,
        "deploymentMinimumHealthyPercent": 50,
        "deploymentCircuitBreaker": {"enable": False, "rollback": False},
        "enableEcsManagedTags": True,
        "enableExecuteCommand": True,
        "healthCheckGracePeriodSeconds": 7,
        "loadBalancers": [group],
        "networkConfiguration": {"subnets": world.subnets[1:], "securityGroups": world.groups},
        "platformVersion": "1.3.0",
        "propagateTags": "SERVICE",
        "forceDelete": True,
        "forceNewDeployment": True,
        **tag("b"),
    }


def target_group(world: World) -> Props:
    return {
        "name": world.name(),
        "port": 80,
        "protocol": "HTTP",
        "vpcId": world.vpc,
        "targetType": "ip",
        "healthCheck": {"path": "/health", "timeout": 4},
        **tag(),
    }


NOBODY = {"type": "fixed-response", "fixedResponse": {"contentType": "text/plain", "statusCode": 503}}


def listener(world: World) -> Props:
    return {
        "loadBalancerArn": world.balancers[0],
        "port": 10_000 + world.number(),
        "defaultActions": [NOBODY],
        **tag(),
    }


NO_BUILD = "the local cloud carries application load balancers on IPv4 alone"

CASES = (
    Case(
        token="aws:iam/role:Role",
        good=lambda world: {"name": world.name(), "assumeRolePolicy": TRUST, "description": "d", **tag()},
        in_place=lambda _: {
            "assumeRolePolicy": other(TRUST),
            "description": "e",
            "maxSessionDuration": 7200,
            "permissionsBoundary": READ_ONLY,
            "managedPolicyArns": [READ_ONLY, POWER_USER],
            "forceDetachPolicies": True,
            **tag("b"),
        },
        replacing=lambda world: {"name": world.name(), "path": "/x/"},
        by_hand=("description", role_described),
        take_away=role_gone,
        twice="EntityAlreadyExists",
    ),
    Case(
        token="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        good=lambda world: {"role": world.roles[0], "policyArn": READ_ONLY},
        replacing=lambda world: {"policyArn": POWER_USER, "role": world.roles[1]},
        by_hand=None,
        take_away=policy_detached,
    ),
    Case(
        token="aws:iam/rolePolicy:RolePolicy",
        good=lambda world: {"role": world.roles[0], "name": world.name(), "policy": ALLOW},
        in_place=lambda _: {"policy": other(ALLOW)},
        replacing=lambda world: {"role": world.roles[1], "name": world.name()},
        by_hand=("policy", policy_rewritten),
        take_away=policy_deleted,
    ),
    Case(
        token="aws:cloudwatch/logGroup:LogGroup",
        good=lambda world: {"name": world.name(), "retentionInDays": 7, **tag()},
        in_place=lambda _: {"retentionInDays": 0, "skipDestroy": True, **tag("b")},
        replacing=lambda world: {"name": world.name(), **ELSEWHERE},
        by_hand=("retentionInDays", logs_kept_longer),
        take_away=logs_gone,
        twice="ResourceAlreadyExistsException",
    ),
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        good=alarm,
        in_place=lambda _: {
            "alarmDescription": "d",
            "actionsEnabled": False,
            "alarmActions": ["arn:aws:sns:us-east-1:000000000000:b", "arn:aws:sns:us-east-1:000000000000:a"],
            "okActions": ["arn:aws:sns:us-east-1:000000000000:a"],
            "insufficientDataActions": ["arn:aws:sns:us-east-1:000000000000:a"],
            "comparisonOperator": "LessThanThreshold",
            "evaluationPeriods": 5,
            "datapointsToAlarm": 2,
            "treatMissingData": "notBreaching",
            "metricName": "RequestCount",
            "namespace": "Other",
            "dimensions": {"LoadBalancer": "app/b/1"},
            "period": 120,
            "statistic": "Maximum",
            "threshold": 2,
            "unit": "Seconds",
            **tag("b"),
        },
        replacing=lambda world: {"name": world.name(), **ELSEWHERE},
        by_hand=("actionsEnabled", alarm_silenced),
        take_away=alarm_gone,
    ),
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        variant="percentile",
        good=lambda world: without(alarm(world), "statistic") | {"extendedStatistic": "p95"},
        in_place=lambda _: {"extendedStatistic": "p99", "evaluateLowSampleCountPercentiles": "ignore"},
        replacing=lambda world: {"name": world.name()},
        by_hand=("actionsEnabled", alarm_silenced),
        take_away=alarm_gone,
    ),
    Case(
        token="aws:cloudwatch/metricAlarm:MetricAlarm",
        variant="expression",
        good=expression_alarm,
        in_place=lambda _: {"metricQueries": [RATE | {"expression": "errors / requests"}, *METRICS[::-1]]},
        replacing=lambda world: {"name": world.name()},
        by_hand=("actionsEnabled", alarm_silenced),
        take_away=alarm_gone,
        not_tried={"thresholdMetricId": "the local cloud has no anomaly detection, and refuses it"},
    ),
    Case(
        token="aws:sns/topic:Topic",
        good=lambda world: {"name": world.name(), "displayName": "A", **tag()},
        in_place=lambda _: {
            "displayName": "B",
            "kmsMasterKeyId": "alias/aws/sns",
            "policy": json.dumps(ALLOW),
            **tag("b"),
        },
        replacing=lambda world: {"name": world.name(), **ELSEWHERE},
        by_hand=("displayName", topic_renamed),
        take_away=topic_gone,
    ),
    Case(
        token="aws:ssm/parameter:Parameter",
        good=lambda world: {
            "name": f"/{world.name()}/flags",
            "type": "String",
            "insecureValue": "{}",
            "description": "d",
            **tag(),
        },
        in_place=lambda _: {"insecureValue": '{"a":100}', "description": "e", **tag("b")},
        replacing=lambda world: {"name": f"/{world.name()}/flags", **ELSEWHERE},
        by_hand=("insecureValue", parameter_written),
        take_away=parameter_gone,
        twice="ParameterAlreadyExists",
        not_tried={"type": "AWS changes the type of no parameter"},
    ),
    Case(
        token="aws:ecs/cluster:Cluster",
        good=lambda world: {"name": world.name(), **tag()},
        in_place=lambda _: {"settings": [{"name": "containerInsights", "value": "enabled"}], **tag("b")},
        replacing=lambda world: {"name": world.name(), **ELSEWHERE},
        by_hand=("settings", cluster_set),
        take_away=cluster_gone,
        import_id=lambda made: str(made.outputs["name"]),
    ),
    Case(
        token="aws:ecs/taskDefinition:TaskDefinition",
        good=definition,
        in_place=lambda _: {"skipDestroy": True, "trackLatest": True, **tag("b")},
        replacing=lambda world: {
            "memory": "1024",
            "cpu": "512",
            "containerDefinitions": json.dumps([CONTAINER | {"essential": True, "command": ["x"]}]),
            "family": world.name(),
            "networkMode": "bridge",
            "executionRoleArn": ROLE.format("two"),
            "taskRoleArn": ROLE.format("two"),
            "requiresCompatibilities": ["EC2"],
            "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
            "ephemeralStorage": {"sizeInGib": 30},
            **ELSEWHERE,
        },
        by_hand=("tags", definition_tagged),
        take_away=definition_gone,
        import_id=lambda made: str(made.outputs["arn"]),
    ),
    Case(
        token="aws:ecs/service:Service",
        good=service,
        in_place=service_changes,
        replacing=lambda world: {
            "name": world.name(),
            "cluster": "other",
            "launchType": "EC2",
            "schedulingStrategy": "DAEMON",
            **ELSEWHERE,
        },
        by_hand=("deploymentMaximumPercent", service_with_other_rules),
        take_away=service_gone,
        import_id=lambda made: f"{made.outputs['cluster'].rpartition('/')[2]}/{made.outputs['name']}",
        twice="Creation of service was not idempotent.",
        not_tried={
            "desiredCount": "starts tasks: tests/stories",
            "deploymentController": "the emulated ECS has its own alone",
            "triggers": "only with forceNewDeployment: packages/local-aws/tests/local/standins/test_standin_ecs.py",
            "waitForSteadyState": "true is refused: packages/local-aws/tests/local/standins/test_standin_ecs.py",
        },
    ),
    Case(
        token="aws:lb/loadBalancer:LoadBalancer",
        good=lambda world: {
            "name": world.name(),
            "subnets": world.subnets[:2],
            "securityGroups": world.groups[:1],
            "idleTimeout": 30,
            **tag(),
        },
        in_place=lambda world: {
            "subnets": world.subnets,
            "securityGroups": world.groups,
            "idleTimeout": 61,
            "clientKeepAlive": 60,
            "enableDeletionProtection": True,
            "enableHttp2": False,
            "dropInvalidHeaderFields": True,
            "desyncMitigationMode": "strictest",
            "preserveHostHeader": True,
            "accessLogs": {"bucket": world.bucket, "enabled": True},
            **tag("b"),
        },
        replacing=lambda world: {
            "name": world.name(),
            "internal": True,
            "loadBalancerType": "network",
            **ELSEWHERE,
        },
        by_hand=("idleTimeout", balancer_timed),
        take_away=balancer_gone,
        slow=True,
        twice="there is a load balancer",
        not_tried={"ipAddressType": NO_BUILD, "xffHeaderProcessingMode": NO_BUILD},
    ),
    Case(
        token="aws:lb/targetGroup:TargetGroup",
        good=target_group,
        in_place=lambda _: {
            "deregistrationDelay": 10,
            "loadBalancingAlgorithmType": "least_outstanding_requests",
            "stickiness": {"type": "lb_cookie", "enabled": False, "cookieDuration": 60},
            "healthCheck": {"path": "/other", "interval": 10, "timeout": 5, "matcher": 204, "healthyThreshold": 2},
            **tag("b"),
        },
        replacing=lambda world: {
            "port": 81,
            "name": world.name(),
            "vpcId": world.other_vpc,
            "protocol": "HTTPS",
            "protocolVersion": "GRPC",
            "targetType": "instance",
            "ipAddressType": "ipv6",
            **ELSEWHERE,
        },
        by_hand=("healthCheck", group_checked_elsewhere),
        take_away=group_gone,
        twice="there is a target group",
        not_tried={"slowStart": "the local cloud has no slow start, and refuses it"},
    ),
    Case(
        token="aws:lb/listener:Listener",
        good=listener,
        in_place=lambda world: {
            "port": 20_000 + world.number(),
            "defaultActions": [{"type": "forward", "targetGroupArn": world.target_groups[0]}],
            **tag("b"),
        },
        replacing=lambda world: {"loadBalancerArn": world.balancers[1], **ELSEWHERE},
        by_hand=("defaultActions", listener_moved),
        take_away=listener_gone,
        twice="DuplicateListener",
    ),
    Case(
        token="aws:lb/listener:Listener",
        variant="https",
        good=lambda world: {
            **listener(world),
            "protocol": "HTTPS",
            "certificateArn": world.certificates[0],
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        },
        in_place=lambda world: {
            "port": 20_000 + world.number(),
            "certificateArn": world.certificates[1],
            "sslPolicy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
            "routingHttpResponseStrictTransportSecurityHeaderValue": "max-age=31536000",
        },
        replacing=lambda world: {"loadBalancerArn": world.balancers[1]},
        by_hand=("certificateArn", listener_certified),
        take_away=listener_gone,
        twice="DuplicateListener",
        not_tried={"protocol": "with a certificate only: test_a_listener_becomes_one_for_https_but_not_back"},
    ),
    Case(
        token="aws:acm/certificate:Certificate",
        good=lambda world: {"domainName": f"{world.name()}.test", "validationMethod": "DNS", **tag()},
        in_place=lambda _: {
            "options": {"certificateTransparencyLoggingPreference": "DISABLED"},
            **tag("b"),
        },
        replacing=lambda world: {
            "domainName": f"{world.name()}.test",
            "subjectAlternativeNames": [f"{world.name()}.test"],
            "keyAlgorithm": "EC_prime256v1",
            **ELSEWHERE,
        },
        by_hand=None,
        take_away=lambda world, made: world.aws("acm").delete_certificate(CertificateArn=made.id),
        not_tried={"validationMethod": "the local cloud validates by DNS only"},
    ),
    Case(
        token="aws:route53/record:Record",
        good=lambda world: {
            "zoneId": ZONE,
            "name": f"{world.name()}.test.",
            "type": "CNAME",
            "ttl": 60,
            "records": ["one.test."],
        },
        in_place=lambda _: {"ttl": 61, "records": ["two.test."]},
        replacing=lambda world: {"name": f"{world.name()}.test", "zoneId": "Z1", "type": "A"},
        by_hand=("ttl", record_aged),
        slow=True,
        take_away=lambda world, made: change_record(world, made, "DELETE", 60),
        twice="already exists",
        not_tried={
            "aliases": "in place of records: test_certificates.py",
            "allowOverwrite": "of a create alone: test_certificates.py",
        },
    ),
    Case(
        token="aws:ecr/repository:Repository",
        good=lambda world: {"name": world.name(), "imageTagMutability": "IMMUTABLE", **tag()},
        in_place=lambda _: {
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": True},
            "forceDelete": True,
            **tag("b"),
        },
        replacing=lambda world: {
            "name": world.name(),
            "encryptionConfigurations": [{"encryptionType": "KMS", "kmsKey": "arn:aws:kms:us-east-1:0:key/1"}],
            **ELSEWHERE,
        },
        by_hand=("imageTagMutability", tags_movable),
        take_away=repository_gone,
        twice="RepositoryAlreadyExistsException",
    ),
    Case(
        token="aws:ecr/lifecyclePolicy:LifecyclePolicy",
        good=lambda world: {"repository": world.repositories[0], "policy": LIFECYCLE},
        replacing=lambda world: {"policy": other(LIFECYCLE), "repository": world.repositories[1], **ELSEWHERE},
        by_hand=("policy", lifecycle_rewritten),
        take_away=lifecycle_gone,
    ),
)
