"""What AWS, and the machine, would refuse of a setting: each rule once, with its source. Pure.

A rule takes a value and says what is wrong with it, "" if nothing is; none repeats a value that may be secret. They are
asked before anything changes (by the settings, the program and the command). What AWS
itself does is tried by packages/release-lane/tests/settings/test_limits_of_aws.py.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from release_lane.record.adoption import LONGEST_SOURCE, Adopted
from release_lane.record.container import container_definition, secret_resources
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service

AWS = "https://docs.aws.amazon.com"

# ---- where it is


FILL_IN = ("", "FILL-IN")
"""The placeholder under `account` in a stack file that is not adopted yet."""


def account(text: str) -> str:
    """An AWS account's number."""
    if re.fullmatch(r"[0-9]{12}", text):
        return ""
    if text not in FILL_IN:
        return f"should be the 12 digits of an AWS account, in quotes, not {text!r}"
    ask = "`aws sts get-caller-identity --query Account --output text` says it"
    return (
        f"is still to be filled in: the 12 digits of this stack's AWS account, in quotes ({ask}); on the local cloud"
        " give --config-file .local/stacks/Pulumi.<stack>.yaml"
    )


# ---- a release


TASK_DEFINITION = 65_536
"""Bytes of a task definition (AWS/AmazonECS/latest/developerguide/service-quotas.html)."""

ADDED = 4_096
"""Of these, kept for what AWS and the provider add: ARNs of roles, revision, required attributes."""

IMAGE = 255
"""Characters of a container's image; ECS says so when more are given, no page does."""

DIGEST = Digest("sha256:" + "0" * 64)


def task_definition(service: Service) -> str:
    """Would its task definition be too large? By the container definition that is really sent."""
    size = definition_size(service)
    if size <= TASK_DEFINITION - ADDED:
        return ""
    values = {**service.env, **service.secrets}
    largest = max(values, key=lambda name: len(values[name].encode()))
    return (
        f"with all variables and secrets the task definition would have {size:,} bytes, and ECS takes "
        f"{TASK_DEFINITION - ADDED:,} ({TASK_DEFINITION:,} with what AWS adds). The largest is {largest} "
        f"({len(values[largest].encode()):,} bytes): keep it in the image, in S3 or in a parameter"
    )


def definition_size(service: Service) -> int:
    """Bytes of a release's container definition, with the longest names there are."""
    adopted = Adopted(image="i" * IMAGE, source="s" * LONGEST_SOURCE, commit_by="person")
    release = Release(digest=DIGEST, service=service, commit="0" * 64, adopted=adopted)
    container = container_definition(
        release,
        Colour.GREEN,
        repository="r" * (IMAGE - len(DIGEST) - 1),
        container="app",
        log_group="g" * 64,
        region="r" * 16,
    )
    return len(json.dumps(container, ensure_ascii=False, separators=(",", ":")).encode())


def variable(value: str) -> str:
    """A process cannot be given a variable with a NUL in it (man 3 exec: variables are NUL-terminated)."""
    return "holds a NUL, which no environment variable can" if "\0" in value else ""


_PARTITION = r"arn:aws(-[a-z]+)*"
_PARAMETER = re.compile(rf"{_PARTITION}:ssm:[a-z0-9-]+:[0-9]{{12}}:parameter/[\w./-]+(:[\w.-]+)?", re.ASCII)
_SECRET = re.compile(
    rf"{_PARTITION}:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:[\w/+=.@-]+(:[^:\s]*:[^:\s]*:[^:\s]*)?", re.ASCII
)


def secret_reference(value: Any) -> str:
    """Only the ARN of a parameter or a secret, in any partition, with version, or with JSON key, stage and version.

    ECS would take anything else for the name of a parameter, show it to everybody who may read task definitions, and
    start no task (AWS/AmazonECS/latest/APIReference/API_Secret.html). The value is not repeated: it may be the secret.
    """
    if isinstance(value, str) and (_PARAMETER.fullmatch(value) or _SECRET.fullmatch(value)):
        return ""
    return (
        "should be the ARN of an SSM parameter or a Secrets Manager secret, which ECS reads when a task starts; "
        f"here is {_kind(value)}"
    )


def _kind(value: Any) -> str:
    """What it is, without what it says."""
    if not isinstance(value, str):
        return "no text"
    if value.startswith("arn:"):
        return "another ARN, or one with a part too many or too few"
    return (
        "something else (not shown; change it if it was a secret: the engine's history keeps what an update was given)"
    )


_SECRET_NAME = re.compile(r"(.*_)?(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|SECRET_KEY|PRIVATE_KEY)", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|://[^/\s:@]*:[^/\s@]+@")


def looks_secret(env: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that may well be secrets: by their name, or an access key, a private key, a password in an address.

    Only worth a note, since many are none.
    """
    found = (
        name for name, value in env.items() if value and (_SECRET_NAME.fullmatch(name) or _SECRET_VALUE.search(value))
    )
    return tuple(sorted(found))


ROLE_POLICIES = 10_240
"""Characters, blanks not counted, of all inline policies of a role
(AWS/IAM/latest/UserGuide/reference_iam-quotas.html)."""


def secrets_policy(services: Iterable[Service]) -> dict[str, Any] | None:
    """The policy that lets a role read all secrets that these services name; None if they name none."""
    readable = secret_resources(services)
    if not readable:
        return None
    actions = ["secretsmanager:GetSecretValue", "ssm:GetParameters"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": readable}
    return {"Version": "2012-10-17", "Statement": [statement]}


def readable_secrets(services: Iterable[Service]) -> str:
    """Do all secrets of releases that may run fit into the one policy of their execution role?"""
    policy = secrets_policy(services)
    size = len(json.dumps(policy, separators=(",", ":"))) if policy else 0
    if size <= ROLE_POLICIES:
        return ""
    count = len(policy["Statement"][0]["Resource"]) if policy else 0
    return (
        f"the policy that lets tasks read {count} secrets would have {size:,} characters, and IAM takes "
        f"{ROLE_POLICIES:,} for a role. One secret with several JSON keys counts once"
    )


# ---- the load balancer


PATH = re.compile(r"/[\x21-\x7e]{0,1023}")


def health_path(path: str) -> str:
    """At most 1,024 characters (AWS/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html); that they are
    printable ASCII without blanks is what the API answers to others."""
    if PATH.fullmatch(path):
        return ""
    return "should begin with /, and have at most 1024 printable ASCII characters without a blank (write %20)"


def status_path(path: str) -> str:
    """A path that checks and probes ask for, by the same rule as `health_path`; "" means that there is none."""
    return health_path(path) if path else ""


LONGEST_PREFIX = 26
"""A load balancer and a target group take 32 characters (API_CreateTargetGroup.html); `-green` needs six of them."""


def prefix(text: str) -> str:
    """`<project>-<stack>`, with which all names of an environment begin.

    Load balancers and target groups take letters, digits and hyphens, none of these first or last, and do not begin
    with `internal-` (API_CreateLoadBalancer.html); a security group does not begin with `sg-`
    (AWS/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html).
    """
    if len(text) > LONGEST_PREFIX:
        return f"AWS takes {LONGEST_PREFIX + len('-green')} characters for a target group, of which -green needs six"
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", text):
        return "AWS takes letters, digits and hyphens for a load balancer, and no hyphen first or last"
    if text.startswith(("internal-", "sg-")):
        return "AWS keeps names that begin with internal- (load balancers) and sg- (security groups) to itself"
    return ""


# ---- the door


DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")


def domain(text: str) -> str:
    """One name, in lower case as DNS compares it; no wildcard, since users come by one name (RFC 1035, 2.3.1).

    ACM takes 253 characters for a certificate's name (AWS/acm/latest/APIReference/API_RequestCertificate.html).
    """
    if DOMAIN.fullmatch(text):
        return ""
    if text in FILL_IN:
        return (
            "is still to be filled in: the name that users come by, like shop.example.com; for plain HTTP write "
            "insecure: true in place of https"
        )
    return "should be the name that users come by, in lower case, like shop.example.com (no https://, no wildcard)"


_CERTIFICATE = re.compile(rf"{_PARTITION}:acm:(?P<region>[a-z0-9-]+):[0-9]{{12}}:certificate/[A-Za-z0-9-]+")


def certificate(arn: str) -> str:
    """A certificate in ACM (AWS/acm/latest/APIReference/API_DescribeCertificate.html); "" for one to be requested."""
    if not arn or _CERTIFICATE.fullmatch(arn):
        return ""
    return "should be the ARN of a certificate in ACM, arn:aws:acm:REGION:ACCOUNT:certificate/ID"


def certificate_region(arn: str, region: str) -> str:
    """A load balancer takes certificates of its own region (AWS/acm/latest/userguide/acm-regions.html)."""
    found = _CERTIFICATE.fullmatch(arn)
    if not found or found["region"] == region:
        return ""
    return f"is in {found['region']}, and a load balancer in {region} takes only certificates of its own region"


def hosted_zone(text: str) -> str:
    """The ID of a hosted zone of Route 53, at most 32 characters (Route53/latest/APIReference/API_GetHostedZone.html);
    "" means that there is none."""
    if not text or re.fullmatch(r"Z[A-Z0-9]{1,31}", text):
        return ""
    if text in FILL_IN:
        return "is still to be filled in: the ID of the domain's zone in Route 53; or give certificateArn in its place"
    return "should be the ID of a hosted zone in Route 53, like Z0123456789ABCDEFGHIJ"


MOST_HSTS = 63_072_000
"""Two years: the longest that browsers' preload lists ask for (https://hstspreload.org)."""

BUCKET = re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def bucket(name: str) -> str:
    """A bucket's name (AmazonS3/latest/userguide/bucketnamingrules.html)."""
    if BUCKET.fullmatch(name):
        return ""
    return "should be the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and single full stops"


def log_prefix(text: str) -> str:
    """A prefix without a slash at its ends, and without AWSLogs, which AWS adds itself
    (AWS/elasticloadbalancing/latest/application/enable-access-logging.html)."""
    if not text or (text.isprintable() and text[0] != "/" and text[-1] != "/" and "AWSLogs" not in text):
        return ""
    return "should neither begin nor end with a slash, nor contain AWSLogs, which AWS adds by itself"


# ---- the network


_UNUSABLE = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""This host, loopback, link-local; multicast and what is above it (IANA's special-purpose addresses, RFC 6890)."""


def vpc_range(text: str) -> str:
    """An IPv4 /16 that a VPC can have (AWS/vpc/latest/userguide/vpc-cidr-blocks.html); subnets are cut from it."""
    network = _network(text)
    if network is None or network.prefixlen != 16:
        return "should be an IPv4 address range of the size /16, like 10.20.0.0/16"
    if any(network.overlaps(unusable) for unusable in _UNUSABLE):
        return "is no range of addresses that hosts can have; take one of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16"
    return ""


ZONE = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}[a-z]")
"""Of the region itself, like us-east-1a; a load balancer takes no other kind."""

ZONES = range(2, 4)
"""A load balancer stands in two zones at least; the VPC's range has room for the subnets of three."""


def zones(value: Any) -> str:
    """How many, or which."""
    if type(value) is int and value in ZONES:
        return ""
    named = isinstance(value, list | tuple) and all(isinstance(each, str) and ZONE.fullmatch(each) for each in value)
    if named and len(value) in ZONES:
        return ""
    return f"should be {ZONES[0]} or {ZONES[-1]}, or so many zones by name, like [us-east-1a, us-east-1b]"


def vpc(text: str) -> str:
    """The id of a VPC (AWS/AWSEC2/latest/APIReference/API_Vpc.html); "" for a network of its own."""
    return "" if not text or re.fullmatch(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", text) else "should be the id of a VPC"


def subnet(text: str) -> str:
    """The id of a subnet (AWS/AWSEC2/latest/APIReference/API_Subnet.html)."""
    return "" if re.fullmatch(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", text) else "should be the id of a subnet"


def subnets(ids: Collection[str]) -> str:
    """For a load balancer, or for tasks: at most 16
    (AWS/AmazonECS/latest/APIReference/API_AwsVpcConfiguration.html)."""
    if len({*ids}) != len(ids):
        return "names one twice"
    return "" if ZONES[0] <= len(ids) <= 16 else f"should name {ZONES[0]} to 16 subnets, in {ZONES[0]} zones at least"


def _network(text: str) -> ipaddress.IPv4Network | None:
    """As AWS writes it; the library also takes a netmask in place of the size, and zeros before it."""
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError:
        return None
    return found if str(found) == text else None


GROUP_RULES = 60
"""Inbound rules of a security group, by AWS's default (AWS/vpc/latest/userguide/amazon-vpc-limits.html)."""

MOST_RANGES = (GROUP_RULES - 1) // 2 - 1
"""One rule is for users; each range, and the VPC's own, needs one for each of the two test ports."""


def address_range(text: str) -> str:
    """One range of `testAccess`: IPv4 (the network has no IPv6), in the form that AWS keeps it in: without host bits
    (AWS/AWSEC2/latest/APIReference/API_IpRange.html)."""
    if _network(text):
        return ""
    try:
        found = ipaddress.ip_interface(text)
    except ValueError:
        return "should be an IPv4 address range, like 192.0.2.0/24"
    if found.version == 6:
        return "is an IPv6 range, but the network and its load balancer have IPv4 addresses only"
    return f"should be written as {found.network}"


def test_access(ranges: Collection[str], own: str) -> str:
    """All ranges together; one that is given twice, or is the VPC's `own`, is one rule."""
    count = len({*ranges} - {own})
    if count <= MOST_RANGES:
        return ""
    return f"has {count} ranges, and {MOST_RANGES} fit: AWS takes {GROUP_RULES} rules in a security group"


# ---- CloudWatch


ALARM_NAMES = 100
"""Names in one question (AWS/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html). All that have a say are
read at one moment."""


def alarms_asked(own: int, others: int) -> str:
    """The stack's own, and those by `alarms.names`."""
    if own + others <= ALARM_NAMES:
        return ""
    return (
        f"{others} are too many: with the stack's own {own} they are {own + others}, and CloudWatch describes "
        f"{ALARM_NAMES} at a time. A composite alarm stands for many"
    )


def alarm_name(name: str) -> str:
    """1 to 255 characters without control characters (AWS/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html,
    AlarmName)."""
    if 1 <= len(name) <= 255 and name.isprintable():
        return ""
    return "should have 1 to 255 characters, none of them a control character"


DAY, WEEK, HOUR = 86_400, 604_800, 3_600


def alarm_period(period: int) -> str:
    """An alarm looks every 10, 20 or 30 s, or every n minutes (API_PutMetricAlarm.html, Period). Metrics have shorter
    periods; alarms on them have not."""
    return (
        "" if period in (10, 20, 30) or period % 60 == 0 else f"CloudWatch takes 10, 20, 30 or n times 60, not {period}"
    )


def alarm_length(period: int, datapoints: int) -> str:
    """`period` times `datapoints`: at most a day, or a week for periods of an hour and more (API_PutMetricAlarm.html,
    EvaluationPeriods)."""
    most = WEEK if period >= HOUR else DAY
    if period * datapoints <= most:
        return ""
    return f"{datapoints} periods of {period} s are {period * datapoints:,} s, and CloudWatch looks back {most:,} s"


_TOPIC = re.compile(rf"{_PARTITION}:sns:(?P<region>[a-z0-9-]+):[0-9]{{12}}:\S+")


def alarm_action(arn: str, region: str) -> str:
    """At most 1,024 characters; a topic is in the alarm's own region (API_PutMetricAlarm.html, AlarmActions)."""
    if len(arn) > 1024 or not re.fullmatch(rf"{_PARTITION}:[a-z0-9-]+:\S+", arn):
        return "should be an ARN of at most 1024 characters"
    topic = _TOPIC.fullmatch(arn)
    if topic and topic["region"] != region:
        return f"is a topic in {topic['region']}, and an alarm in {region} notifies only topics there"
    return ""


# ---- names of other things


STACK = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""A stack's name (pulumi/pulumi: pkg/backend, ValidateStackName)."""


def stack_name(text: str) -> str:
    """The name of a stack of this project."""
    return "" if STACK.fullmatch(text) else "should be the name of a stack of this project, as in Pulumi.<name>.yaml"


def path_below(text: str) -> str:
    """A file below the build context, by a path without `..`."""
    parts = text.split("/")
    if text and text[0] != "/" and ".." not in parts and text.isprintable():
        return ""
    return "should be a path below app.folder, without .. in it, like Dockerfile or docker/Dockerfile"


def relative_folder(text: str) -> str:
    """A folder, relative to the checkout; that it is in the repository is seen by git."""
    if text and text[0] not in "/:" and text.isprintable():
        return ""
    return "should be a folder relative to the checkout, like app or . (all of it)"


REPOSITORY = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
LONGEST_REPOSITORY = 128
"""ECR takes 2 to 256 characters (AWS/AmazonECR/latest/APIReference/API_CreateRepository.html), but with host and
digest ECS takes IMAGE for the image."""


def repository(name: str) -> str:
    """A repository's name in ECR."""
    if 2 <= len(name) <= LONGEST_REPOSITORY and REPOSITORY.fullmatch(name):
        return ""
    return (
        f"should have 2 to {LONGEST_REPOSITORY} characters: lower-case letters and digits, between them single "
        "hyphens, underscores, full stops or slashes"
    )


def region(text: str) -> str:
    """A region's code (AWS/general/latest/gr/rande.html)."""
    return "" if re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-[0-9]{1,2}", text) else "should be a region, like eu-central-1"


# ---- the machine


PROGRAM = 131_072
"""Bytes of one environment variable with its name, on Linux (man 2 execve, MAX_ARG_STRLEN): the engine hands the
program its whole configuration in one."""


def configuration(config: Mapping[str, Any], given: Collection[str] = ()) -> str:
    """Is a stack's configuration too large to be handed to the program? `given` are values by -c."""
    as_text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    size = len(json.dumps(as_text)) + sum(map(len, given)) + len("PULUMI_CONFIG=") + 1
    if size <= PROGRAM:
        return ""
    largest = max(as_text, key=lambda key: len(as_text[key]))
    return (
        f"it has {size:,} bytes, and a program can be given {PROGRAM:,} (on Linux); {largest} alone has "
        f"{len(as_text[largest]):,}"
    )
