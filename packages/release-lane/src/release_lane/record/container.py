"""A release as an ECS container definition, and back: what runs says by itself which release it is.

Source: AWS ECS API reference, ContainerDefinition. Pure; the JSON is the same for the same release and colour.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from release_lane.record.adoption import Adopted
from release_lane.record.digest import Digest
from release_lane.record.placement import Colour, Release, Service
from release_lane.record.revisions import LEADS_TO, Revisions
from release_lane.record.schema import schema_of

LABEL = "release-lane.release"
"""Docker label that carries, as JSON, what of a release its container definition does not say."""

SCHEMA = 2
"""The layout of the label. The first carries no number, so that an upgrade starts no task anew. The second names the
variables that are no part of the release; it is written where there are any."""

MIGRATION = "migration"
"""Name of the container of a migration's task, and of its log streams' prefix."""

OWN = frozenset({"PORT", "RELEASE_DIGEST", "RELEASE_COLOUR", "RELEASE_ID"})
"""Variables that the program itself gives to the container; no release has one of that name."""

OF_DATABASE = ("DATABASE_HOST", "DATABASE_NAME", "DATABASE_PORT", "DATABASE_SECRET")
OF_CACHE = ("CACHE_HOST", "CACHE_PORT", "CACHE_TLS")
"""Variables that say where an environment's database and cache are. What they are set to belongs to the environment,
and to no release: it may be known only once these exist."""


NOTHING: Mapping[str, Any] = {}


def container_definition(
    release: Release,
    colour: Colour,
    *,
    repository: str,
    container: str,
    log_group: str,
    region: str,
    given: Mapping[str, Any] = NOTHING,
) -> dict[str, Any]:
    """The one container of a task. `repository` is the registry's URL without tag or digest.

    `given`: variables of the environment, by name. A release that brings one of that name itself keeps its own.
    """
    given = _besides(release, given)
    ours = {
        "PORT": str(release.service.port),
        "RELEASE_DIGEST": release.digest,
        "RELEASE_COLOUR": str(colour),
        "RELEASE_ID": release.id,
    }
    return {
        **_container(
            release, {**given, **ours}, repository=repository, container=container, log_group=log_group, region=region
        ),
        "portMappings": [{"containerPort": release.service.port, "protocol": "tcp"}],
        "dockerLabels": {LABEL: _label(release, given)},
    }


def migration_definition(
    release: Release,
    command: Sequence[str],
    leads_to: str | None,
    *,
    repository: str,
    log_group: str,
    region: str,
    given: Mapping[str, Any] = NOTHING,
) -> dict[str, Any]:
    """The one container of a migration's task: the release's image and configuration, and another command.

    `leads_to`: the revision that it leads to ("" where the image does not say); None for one that this update does not
    run. `given` as of `container_definition`.
    """
    given = _besides(release, given)
    ours = {"RELEASE_DIGEST": release.digest, "RELEASE_ID": release.id}
    led = {} if leads_to is None else {LEADS_TO: leads_to}
    return {
        **_container(
            release, {**given, **ours}, repository=repository, container=MIGRATION, log_group=log_group, region=region
        ),
        "command": list(command),
        "dockerLabels": {LABEL: _label(release, given), **led},
    }


def _container(
    release: Release, ours: Mapping[str, Any], *, repository: str, container: str, log_group: str, region: str
) -> dict[str, Any]:
    """What every container of a release has in common. `ours`: variables that the program gives it."""
    service = release.service
    return {
        "name": container,
        "image": f"{repository}@{release.digest}",
        "essential": True,
        "environment": [{"name": name, "value": value} for name, value in sorted({**service.env, **ours}.items())],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted(service.secrets.items())],
        "readonlyRootFilesystem": True,
        "stopTimeout": 30,
        "linuxParameters": {"initProcessEnabled": True},
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": container,
            },
        },
    }


def release_in(definitions: Iterable[Mapping[str, Any]], container: str) -> Release | None:
    """The release that a task definition's containers were written for; None if they are not ours.

    Labels of earlier versions repeat all variables, which then are the same as the container's.
    """
    ours = next((each for each in definitions if each.get("name") == container), None) or {}
    label = ours.get("dockerLabels", {}).get(LABEL)
    image = str(ours.get("image", ""))
    if not label or "@" not in image:
        return None
    written = json.loads(label)
    schema_of(written, SCHEMA, f"The label {LABEL} of a task definition")
    service = written["service"]
    others = OWN | {*(written.get("given") or ())}
    given = {
        each["name"]: each.get("value", "") for each in ours.get("environment") or () if each["name"] not in others
    }
    secrets = {each["name"]: each["valueFrom"] for each in ours.get("secrets") or ()}
    return Release(
        digest=Digest(image.rsplit("@", 1)[1]),
        commit=str(written.get("commit") or ""),
        adopted=Adopted.from_dict(written["adopted"]) if written.get("adopted") else None,
        revisions=Revisions.from_dict(written.get("revisions")),
        service=Service.from_dict(
            {
                **service,
                "env": {**given, **(service.get("env") or {})},
                "secrets": {**secrets, **(service.get("secrets") or {})},
            }
        ),
    )


def repository_in(definitions: Iterable[Mapping[str, Any]], container: str) -> str:
    """The repository's name in its registry from which a task definition takes its image; "" where none is named."""
    ours = next((each for each in definitions if each.get("name") == container), None) or {}
    return str(ours.get("image", "")).partition("@")[0].partition("/")[2].partition(":")[0]


def secret_resources(services: Iterable[Service]) -> list[str]:
    """ARNs that a role must be allowed to read for these services' secrets, sorted.

    A reference to Secrets Manager may end in `:json-key:version-stage:version-id`; a policy takes the secret's own
    ARN, its first seven parts (AWS: "Pass Secrets Manager secrets through Amazon ECS environment variables"). One to
    a parameter may end in `:version`; its ARN has six.
    """
    references = {reference for service in services for reference in service.secrets.values()}
    return sorted({":".join(reference.split(":")[: 6 if ":ssm:" in reference else 7]) for reference in references})


def unpinned(service: Service) -> tuple[str, ...]:
    """The secrets whose reference may stand for another value tomorrow: it names no version.

    A stage of Secrets Manager and a label of a parameter can be moved; version ids and version numbers cannot.
    """
    return tuple(sorted(name for name, reference in service.secrets.items() if not _pinned(reference)))


def _pinned(reference: str) -> bool:
    parts = reference.split(":")
    if ":ssm:" in reference:
        return len(parts) == PARAMETER_WITH_VERSION and parts[-1].isdecimal()
    return len(parts) == SECRET_WITH_VERSION and bool(parts[-1])


PARAMETER_WITH_VERSION, SECRET_WITH_VERSION = 7, 10
"""Parts of an ARN with a version at its end, between colons."""


def _besides(release: Release, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a release does not bring itself, as one of before the database may: the host of one and the name of another
    are no database, so it is all of a set or nothing of it."""
    own = {*release.service.env, *release.service.secrets}
    own |= {name for names in (OF_DATABASE, OF_CACHE) if own & {*names} for name in names}
    return {name: value for name, value in given.items() if name not in own}


def _label(release: Release, given: Collection[str]) -> str:
    """Without what the definition says anyway: its size is limited. An empty variable may not come back from AWS
    (https://github.com/hashicorp/terraform-provider-aws/issues/39533), so it stands here."""
    empty = {name: "" for name, value in release.service.env.items() if not value}
    service = {**release.service.as_dict(), "env": empty, "secrets": {}}
    known = {"adopted": release.adopted, "revisions": release.revisions}
    more = {key: value.as_dict() for key, value in known.items() if value}
    others = {"given": sorted(given), "schema": SCHEMA} if given else {}
    return json.dumps({"commit": release.commit, "service": service, **more, **others}, sort_keys=True)
