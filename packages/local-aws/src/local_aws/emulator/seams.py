"""Where this emulator reaches into ministack, and whether ministack is still there as it was.

Each correction names the behaviour that it brings about, and all of ministack's that it uses, replaces or makes good.
A function's fingerprint is one of its source. At the start everything is compared; the first ministack that differs
in one of these places is refused, with the behaviours that are in doubt, whatever its version says.

    python -m local_aws.emulator.seams    in the emulator's environment: all places, with the fingerprints they have now
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LENGTH = 12


@dataclass(frozen=True)
class Correction:
    """`behaviour`: what holds because of it. `file`: where. `seams`: keys of SEAMS that it stands on."""

    behaviour: str
    file: str
    seams: tuple[str, ...]


SEAMS: Mapping[str, str] = {
    "app:SERVICE_HANDLERS": "dict",
    "app:SERVICE_REGISTRY": "dict",
    "app:_HypercornConfig": "a Config",
    "app:_get_module": "cfa12017561e",
    "app:_state_map": "dict",
    "app:call_service_handler_sync": "64e0d7e63500",
    "app:main": "aae886212adb",
    "core.persistence:save_state": "58a955110973",
    "core.responses:get_account_id": "0204876c26f7",
    "core.responses:get_region": "7d056e8a5680",
    "core.responses:request_scope": "c1ee92e8e8c7",
    "core.router:SERVICE_PATTERNS": "dict",
    "services.cloudwatch_logs:_log_groups": "AccountRegionScopedDict",
    "services.cloudwatch_logs:_restore_state": "1174c8f186c2",
    "services.cloudwatch_logs:get_state": "969fbca606be",
    "services.ec2:_addresses": "AccountRegionScopedDict",
    "services.ec2:_allocate_address": "33fe9dae4202",
    "services.ec2:_attach_internet_gateway": "fddd53553d8b",
    "services.ec2:_authorize_sg_ingress": "c00a0bb1d1ec",
    "services.ec2:_aws_pl_id_from_name": "b71f87f2073f",
    "services.ec2:_create_network_interface": "7093afa7174a",
    "services.ec2:_create_route": "14b67cded12f",
    "services.ec2:_create_route_table": "2a0232f1e71f",
    "services.ec2:_create_subnet": "607e159b1f48",
    "services.ec2:_create_vpc": "c4eedcdfd0d1",
    "services.ec2:_describe_network_interfaces": "61ccec97e205",
    "services.ec2:_describe_route_tables": "9dfd39485b07",
    "services.ec2:_ensure_defaults_initialized": "3da72f60eed7",
    "services.ec2:_error": "e86ca2bcfaa3",
    "services.ec2:_internet_gateways": "AccountRegionScopedDict",
    "services.ec2:_modify_security_group_rules": "0a77d989bde1",
    "services.ec2:_modify_vpc_attribute": "9a239bb276d7",
    "services.ec2:_nat_gateways": "AccountRegionScopedDict",
    "services.ec2:_network_interfaces": "AccountRegionScopedDict",
    "services.ec2:_now_ts": "3f33ac4cc959",
    "services.ec2:_parse_ip_permissions": "7c2dbe7668af",
    "services.ec2:_random_ip": "93759529e65c",
    "services.ec2:_resource_matches_tag_filters": "c2af70e03337",
    "services.ec2:_route_tables": "AccountRegionScopedDict",
    "services.ec2:_security_groups": "AccountRegionScopedDict",
    "services.ec2:_sg_rule_id": "097cbea3caed",
    "services.ec2:_subnets": "AccountRegionScopedDict",
    "services.ec2:_tags": "AccountRegionScopedDict",
    "services.ec2:_vpc_endpoints": "AccountRegionScopedDict",
    "services.ec2:_vpcs": "AccountRegionScopedDict",
    "services.ec2:_xml": "353cd9683b41",
    "services.ec2:handle_request": "c94222d74c0d",
    "services.ecr:_batch_delete_image": "65fc8eea2738",
    "services.ecr:_create_repository": "56ebb5843976",
    "services.ecr:_delete_repository": "b857eb9bcb4f",
    "services.ecr:_describe_images": "86c7f7b273ab",
    "services.ecr:_find_image": "2f2a20563833",
    "services.ecr:_get_download_url_for_layer": "56e5002b00dc",
    "services.ecr:_images": "AccountRegionScopedDict",
    "services.ecr:_layer_blobs": "AccountRegionScopedDict",
    "services.ecr:_manifest_blobs": "AccountRegionScopedDict",
    "services.ecr:_put_image": "657a41f57e5e",
    "services.ecr:_repositories": "AccountRegionScopedDict",
    "services.ecr:_resolve_manifest": "b2c28d3b30c5",
    "services.ecr:_select_registry_request_scope": "a5c44cbaebe0",
    "services.ecr:_v2_complete_blob_upload": "64eca8dc4be9",
    "services.ecr:get_state": "c03149ebc9ae",
    "services.ecr:handle_registry_request": "8d092cb90854",
    "services.ecr:handle_request": "492f992e404d",
    "services.iam:_put_role_policy": "30236733ad37",
    "services.iam:_roles": "AccountScopedDict",
    "services.iam:handle_request": "97093e1a35f9",
    "services.route53:_default_records": "35d19460f3fe",
    "services.route53:_lock": "lock",
    "services.route53:_records": "AccountScopedDict",
    "services.route53:_zones": "AccountScopedDict",
    "services.sns:_create_topic": "54ac305cd220",
    "services.sns:_deliver_to_http": "6a61d4bda532",
    "services.sns:_fanout": "984cdd91d64a",
    "services.sns:_list_subscriptions": "03d4e93081a0",
    "services.sns:_list_subscriptions_by_topic": "02119f3da935",
    "services.sns:_list_tags_for_resource": "f2af712ddb3a",
    "services.sns:_publish": "df41cb2faa09",
    "services.sns:_set_topic_attributes": "9565723b04fa",
    "services.sns:_sub_arn_to_topic": "AccountRegionScopedDict",
    "services.sns:_subscribe": "db260c543268",
    "services.sns:_topics": "AccountRegionScopedDict",
    "services.sns:handle_request": "a6cb34ecce86",
    "services.ssm:_default_tier": "5e007f7d2586",
    "services.ssm:_parameters": "AccountRegionScopedDict",
    "services.ssm:handle_request": "ca18fc988ca9",
}
"""`module:name`, below `ministack`, to what it was when the corrections were written: a fingerprint, or a type."""

IN_PROCESS = ("app:SERVICE_HANDLERS", "app:call_service_handler_sync", "core.responses:request_scope")
SCOPE = ("core.responses:get_account_id", "core.responses:get_region")

CORRECTIONS: tuple[Correction, ...] = (
    Correction(
        "our own ECS, load balancing, CloudWatch, ACM, RDS and ElastiCache answer in place of ministack's",
        "local_aws/emulator/__main__.py",
        ("app:SERVICE_HANDLERS", "app:main", "app:_HypercornConfig"),
    ),
    Correction(
        "Application Auto Scaling knows which services have a scalable target",
        "local_aws/emulator/scaling.py",
        ("app:SERVICE_HANDLERS", "core.router:SERVICE_PATTERNS", *SCOPE),
    ),
    Correction(
        "ECS reads parameters and secrets and writes logs in the same process",
        "local_aws/emulator/inprocess.py",
        IN_PROCESS,
    ),
    Correction(
        "RDS keeps the passwords of master users in Secrets Manager",
        "local_aws/emulator/rds/service.py",
        IN_PROCESS,
    ),
    Correction(
        "a load balancer's subnets are those of EC2",
        "local_aws/emulator/elbv2/network.py",
        IN_PROCESS,
    ),
    Correction(
        "access logs of a load balancer go to a bucket of S3 that permits it",
        "local_aws/emulator/elbv2/neighbours.py",
        IN_PROCESS,
    ),
    Correction(
        "a certificate is issued once its validation records are in Route 53",
        "local_aws/emulator/acm/records.py",
        (
            "core.responses:request_scope",
            "services.route53:_lock",
            "services.route53:_records",
            "services.route53:_zones",
        ),
    ),
    Correction(
        "ECS knows the account and region of a request",
        "local_aws/emulator/ecs/api.py",
        SCOPE,
    ),
    Correction(
        "alarms publish to topics",
        "local_aws/emulator/cloudwatch/topics.py",
        IN_PROCESS,
    ),
    Correction(
        "a change is answered when it is stored, so that a killed emulator comes back with it",
        "local_aws/emulator/durable.py",
        (
            "app:SERVICE_HANDLERS",
            "app:SERVICE_REGISTRY",
            "app:_state_map",
            "app:_get_module",
            "core.persistence:save_state",
            "services.ecr:handle_registry_request",
            "services.ecr:get_state",
            "services.cloudwatch_logs:get_state",
            "services.cloudwatch_logs:_restore_state",
            "services.cloudwatch_logs:_log_groups",
        ),
    ),
    Correction(
        "layers of images are files, so that ECR's state is small enough to be stored with each change",
        "local_aws/emulator/ecr.py",
        ("services.ecr:_layer_blobs", "services.ecr:get_state", "services.ecr:_v2_complete_blob_upload", *SCOPE),
    ),
    Correction(
        "DescribeImages of an image that is not there is ImageNotFoundException",
        "local_aws/emulator/ecr.py",
        (
            "app:SERVICE_HANDLERS",
            "services.ecr:handle_request",
            "services.ecr:_describe_images",
            "services.ecr:_find_image",
            "services.ecr:_repositories",
            *SCOPE,
        ),
    ),
    Correction(
        "DescribeImageScanFindings answers with the findings that an image's label names",
        "local_aws/emulator/ecr.py",
        (
            "app:SERVICE_HANDLERS",
            "services.ecr:_find_image",
            "services.ecr:_layer_blobs",
            "services.ecr:_repositories",
            "services.ecr:_resolve_manifest",
            *SCOPE,
        ),
    ),
    Correction(
        "GetDownloadUrlForLayer names an address of this registry, and knows which layers there are",
        "local_aws/emulator/ecr.py",
        (
            "app:SERVICE_HANDLERS",
            "services.ecr:_get_download_url_for_layer",
            "services.ecr:_layer_blobs",
            "services.ecr:_repositories",
            "services.ecr:_select_registry_request_scope",
            *SCOPE,
        ),
    ),
    Correction(
        "a deleted image can no longer be pulled by its digest",
        "local_aws/emulator/ecr.py",
        (
            "services.ecr:_batch_delete_image",
            "services.ecr:_delete_repository",
            "services.ecr:_images",
            "services.ecr:_manifest_blobs",
        ),
    ),
    Correction(
        "an image that was put by its manifest can be pulled by its digest",
        "local_aws/emulator/ecr.py",
        ("services.ecr:_put_image", "services.ecr:_resolve_manifest", "services.ecr:_manifest_blobs"),
    ),
    Correction(
        "a subnet's range lies in its VPC's and is no other subnet's",
        "local_aws/emulator/ec2.py",
        (
            "app:SERVICE_HANDLERS",
            "services.ec2:handle_request",
            "services.ec2:_create_subnet",
            "services.ec2:_ensure_defaults_initialized",
            "services.ec2:_error",
            "services.ec2:_subnets",
            "services.ec2:_vpcs",
        ),
    ),
    Correction(
        "a security group takes no rule that it has",
        "local_aws/emulator/ec2.py",
        (
            "services.ec2:_authorize_sg_ingress",
            "services.ec2:_modify_security_group_rules",
            "services.ec2:_parse_ip_permissions",
            "services.ec2:_security_groups",
            "services.ec2:_sg_rule_id",
        ),
    ),
    Correction(
        "a VPC has one internet gateway at most",
        "local_aws/emulator/ec2.py",
        ("services.ec2:_attach_internet_gateway", "services.ec2:_internet_gateways"),
    ),
    Correction(
        "a VPC's size, and a security group's ranges and rules, are what AWS takes",
        "local_aws/emulator/ec2.py",
        (
            "services.ec2:_create_vpc",
            "services.ec2:_authorize_sg_ingress",
            "services.ec2:_parse_ip_permissions",
            "services.ec2:_security_groups",
        ),
    ),
    Correction(
        "a route table has one route to a range; what egress.py answers is written as EC2 does",
        "local_aws/emulator/ec2.py",
        ("services.ec2:_create_route", "services.ec2:_route_tables", "services.ec2:_xml"),
    ),
    Correction(
        "addresses, NAT gateways and VPC endpoints are described whole, and what is in use is not deleted",
        "local_aws/emulator/egress.py",
        (
            "services.ec2:_addresses",
            "services.ec2:_allocate_address",
            "services.ec2:_aws_pl_id_from_name",
            "services.ec2:_create_route",
            "services.ec2:_create_route_table",
            "services.ec2:_create_vpc",
            "services.ec2:_describe_route_tables",
            "services.ec2:_internet_gateways",
            "services.ec2:_modify_vpc_attribute",
            "services.ec2:_create_network_interface",
            "services.ec2:_describe_network_interfaces",
            "services.ec2:_nat_gateways",
            "services.ec2:_network_interfaces",
            "services.ec2:_now_ts",
            "services.ec2:_random_ip",
            "services.ec2:_resource_matches_tag_filters",
            "services.ec2:_route_tables",
            "services.ec2:_security_groups",
            "services.ec2:_tags",
            "services.ec2:_vpc_endpoints",
            "services.ec2:_xml",
            *SCOPE,
        ),
    ),
    Correction(
        "the inline policies of a role have 10,240 characters together",
        "local_aws/emulator/iam.py",
        ("app:SERVICE_HANDLERS", "services.iam:handle_request", "services.iam:_put_role_policy", "services.iam:_roles"),
    ),
    Correction(
        "a public hosted zone is there from the start",
        "local_aws/emulator/route53.py",
        (
            "core.responses:request_scope",
            "services.route53:_default_records",
            "services.route53:_lock",
            "services.route53:_records",
            "services.route53:_zones",
        ),
    ),
    Correction(
        "a repository's name is one that AWS takes",
        "local_aws/emulator/ecr.py",
        ("services.ecr:_create_repository",),
    ),
    Correction(
        "SNS refuses the topics, subscriptions and messages that AWS refuses",
        "local_aws/emulator/sns.py",
        (
            "app:SERVICE_HANDLERS",
            "services.sns:handle_request",
            "services.sns:_create_topic",
            "services.sns:_set_topic_attributes",
            "services.sns:_subscribe",
            "services.sns:_publish",
            "services.sns:_topics",
            "services.sns:_sub_arn_to_topic",
            *SCOPE,
        ),
    ),
    Correction(
        "a subscription that was not confirmed has no arn; a topic's tags come back as they were",
        "local_aws/emulator/sns.py",
        (
            "services.sns:_list_subscriptions",
            "services.sns:_list_subscriptions_by_topic",
            "services.sns:_list_tags_for_resource",
            "services.sns:_topics",
        ),
    ),
    Correction(
        "a parameter's value is no larger than its tier takes",
        "local_aws/emulator/ssm.py",
        (
            "app:SERVICE_HANDLERS",
            "services.ssm:handle_request",
            "services.ssm:_default_tier",
            "services.ssm:_parameters",
        ),
    ),
    Correction(
        "HTTP endpoints get AWS's headers, and what they did not take again",
        "local_aws/emulator/sns.py",
        ("services.sns:_deliver_to_http", "services.sns:_fanout"),
    ),
)


class Moved(Exception):
    """ministack differs where a correction stands on it. The message says which behaviours are in doubt."""


def check(find: Callable[[str], Any] | None = None, seams: Mapping[str, str] | None = None) -> None:
    """Raises Moved unless every seam is as it was."""
    known = SEAMS if seams is None else seams
    differing = {seam: now for seam, was in known.items() if (now := shape(seam, find or found)) != was}
    if differing:
        raise Moved(message(differing, known))


def message(differing: Mapping[str, str], known: Mapping[str, str]) -> str:
    places = [f"  ministack.{seam}: was {known[seam]}, is {now}" for seam, now in differing.items()]
    doubtful = [f"  {each.behaviour} ({each.file})" for each in CORRECTIONS if set(each.seams) & differing.keys()]
    return "\n".join(
        [
            "ministack is not what it was when this emulator was written for it:",
            *places,
            "In doubt is:",
            *doubtful,
            "Next: read these places again; correct or remove what is in doubt; run the tests of the emulator and the "
            "contract; then write what `python -m local_aws.emulator.seams` prints into local_aws/emulator/seams.py.",
        ]
    )


def shape(seam: str, find: Callable[[str], Any]) -> str:
    """What there is now: `missing`, a function's fingerprint, or the type of anything else."""
    try:
        value = find(seam)
    except (ImportError, AttributeError):
        return "missing"
    if inspect.isfunction(value):
        return fingerprint(inspect.getsource(inspect.unwrap(value)))
    return f"a {value.__name__}" if inspect.isclass(value) else type(value).__name__


def fingerprint(source: str) -> str:
    return hashlib.sha256(textwrap.dedent(source).encode()).hexdigest()[:LENGTH]


def found(seam: str) -> Any:
    """The real thing."""
    module, _, name = seam.partition(":")
    return getattr(importlib.import_module(f"ministack.{module}"), name)


def named(corrections: Iterable[Correction]) -> list[str]:
    """All seams, each once, in order."""
    return sorted({seam for each in corrections for seam in each.seams})


def main() -> None:
    for seam in named(CORRECTIONS):
        print(f'    "{seam}": "{shape(seam, found)}",')


if __name__ == "__main__":
    main()
