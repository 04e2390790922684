"""`env` and `secrets`: a container's variables, and how many of them ECS and IAM take for a release."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from release_lane.record.adoption import LONGEST_SOURCE, Adopted
from release_lane.record.container import OWN, container_definition, secret_resources
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service
from release_lane.settings.limits import PARTITION
from release_lane.settings.reading import OF_THE_ENGINE
from release_lane.settings.section import sound
from release_lane.settings.wording import shown_name

TASK_DEFINITION = 65_536
"""Bytes of a task definition (AWS/AmazonECS/latest/developerguide/service-quotas.html)."""

ADDED = 4_096
"""Of these, kept for what AWS and the provider add: ARNs of roles, revision, required attributes."""

IMAGE = 255
"""Characters of a container's image; ECS says so when more are given, no page does."""

DIGEST = Digest("sha256:" + "0" * 64)


LONGEST_GIVEN = 300
"""Characters that are kept for the value of a variable of the environment: an ARN, the name of a host."""


def task_definition(service: Service, given: Iterable[str] = ()) -> str:
    """Would its task definition be too large? By the container definition that is really sent."""
    size = definition_size(service, given)
    if size <= TASK_DEFINITION - ADDED:
        return ""
    values = {**service.env, **service.secrets}
    largest = max(values, key=lambda name: len(values[name].encode()))
    return (
        f"with all variables and secrets the task definition would have {size:,} bytes, and ECS takes "
        f"{TASK_DEFINITION - ADDED:,} ({TASK_DEFINITION:,} with what AWS adds). The largest is {largest} "
        f"({len(values[largest].encode()):,} bytes): keep it in the image, in S3 or in a parameter"
    )


def definition_size(service: Service, given: Iterable[str] = ()) -> int:
    """Bytes of a release's container definition, with the longest names there are. `given`: the environment's own
    variables."""
    adopted = Adopted(image="i" * IMAGE, source="s" * LONGEST_SOURCE, commit_by="person")
    release = Release(digest=DIGEST, service=service, commit="0" * 64, adopted=adopted)
    container = container_definition(
        release,
        Colour.GREEN,
        repository="r" * (IMAGE - len(DIGEST) - 1),
        container="app",
        log_group="g" * 64,
        region="r" * 16,
        given=dict.fromkeys(given, "v" * LONGEST_GIVEN),
    )
    return len(json.dumps(container, ensure_ascii=False, separators=(",", ":")).encode())


def variable(value: str) -> str:
    """A process cannot be given a variable with a NUL in it (man 3 exec: variables are NUL-terminated).

    A date without quotes would be given to it as the engine writes a time.
    """
    if OF_THE_ENGINE.fullmatch(value):
        return "is a date without quotes, of which the engine makes another text: put it in quotes"
    return "holds a NUL, which no environment variable can" if "\0" in value else ""


_PARAMETER = re.compile(rf"{PARTITION}:ssm:[a-z0-9-]+:[0-9]{{12}}:parameter/[\w./-]+(:[\w.-]+)?", re.ASCII)

_SECRET = re.compile(
    rf"{PARTITION}:secretsmanager:[a-z0-9-]+:[0-9]{{12}}:secret:[\w/+=.@-]+(:[^:\s]*:[^:\s]*:[^:\s]*)?", re.ASCII
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


def _secret_reference(value: Any) -> str:
    """Of any type, so that no message of the library repeats it."""
    if problem := secret_reference(value):
        raise ValueError(problem)
    return str(value)


def variable_name(text: str) -> str:
    """One that the template gives."""
    if text in OWN:
        return f"{text} is set by the program itself"
    return "" if _NAME.fullmatch(text) else f"{shown_name(text)} is not a name of an environment variable"


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Variable = Annotated[str, sound(variable)]
VariableName = Annotated[str, sound(variable_name)]
SecretReference = Annotated[str, PlainValidator(_secret_reference)]

RESERVED = OWN
"""Variables that the program itself sets in the container."""


def size_problems(service: Service, given: Iterable[str] = ()) -> list[str]:
    """Where a release's variables and secrets do not fit next to those of the environment."""
    problems = [f"env: {problem}"] if (problem := task_definition(service, given)) else []
    return problems + ([f"secrets: {problem}"] if (problem := readable_secrets([service])) else [])


def name_problems(env: Mapping[str, str], secrets: Mapping[str, str], given: Iterable[str] = ()) -> list[str]:
    """Names that are given twice, are taken, or are none. `given`: the environment's own variables."""
    twice = sorted(env.keys() & secrets.keys())
    problems = [f"secrets.{name}: is in env as well; a variable comes from one place" for name in twice]
    for key, names in (("env", env), ("secrets", secrets)):
        problems += [f"{key}.{name}: is set by the program, to where it is" for name in sorted({*names} & {*given})]
    for name in sorted({*env, *secrets}):
        problems += _bad_name(name)
    return problems


def _bad_name(name: str) -> list[str]:
    if name in RESERVED:
        return [f"env.{name}: is set by the program itself"]
    if not _NAME.fullmatch(name):
        return [f"env.{shown_name(name)}: is not a name of an environment variable"]
    return []
