"""Which colour is live, and which release each colour runs: the values every decision is made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from release_lane.record.adoption import Adopted
from release_lane.record.asking import HEALTH_PATH, STATUS_PATH, Asked, Identify
from release_lane.record.digest import Digest
from release_lane.record.revisions import Revisions


class Colour(StrEnum):
    """Blue or green: one ECS service and one target group each."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Colour:
        """The colour that is idle while this one is live, and the other way round."""
        return Colour.GREEN if self is Colour.BLUE else Colour.BLUE


@dataclass(frozen=True, kw_only=True)
class Service:
    """How the container runs: the part of a release that is configuration.

    `cpu` in CPU units (1024 is one core), `memory` in MiB, `desired_count` in tasks,
    `secrets` maps a variable's name to the ARN (with version) of its value, never to the value.
    `status_path` and `identify` say what its answers report; a rollback brings those of the release it goes back to.
    """

    cpu: int = 256
    memory: int = 512
    desired_count: int = 2
    port: int = 8080
    health_path: str = HEALTH_PATH
    status_path: str = STATUS_PATH
    identify: Identify = Identify.STATUS
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> Asked:
        """How it is asked whether it is well and which release answered."""
        return Asked(health_path=self.health_path, status_path=self.status_path, identify=self.identify)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; the inverse is `from_dict`.

        What is newer than the first records is left out where it is the default, so a release keeps its id.
        """
        newer = {"statusPath": self.status_path, "identify": str(self.identify)}
        plain = Asked().as_dict()
        return {
            **{key: value for key, value in newer.items() if value != plain[key]},
            "cpu": self.cpu,
            "memory": self.memory,
            "desiredCount": self.desired_count,
            "port": self.port,
            "healthPath": self.health_path,
            "env": dict(self.env),
            "secrets": dict(self.secrets),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Service:
        """Read what `as_dict` wrote (numbers may come back from the engine as floats)."""
        return Service(
            cpu=int(value["cpu"]),
            memory=int(value["memory"]),
            desired_count=int(value["desiredCount"]),
            port=int(value["port"]),
            health_path=str(value["healthPath"]),
            status_path=Asked.from_dict(value).status_path,
            identify=Asked.from_dict(value).identify,
            env=dict(value.get("env") or {}),
            secrets=dict(value.get("secrets") or {}),
        )


@dataclass(frozen=True, kw_only=True)
class Release:
    """An image digest together with the configuration it runs with. `commit` is for people ("" if unknown).

    `adopted` is what is known of an image that was built elsewhere, `revisions` what its labels say of the database's
    schema (None: nothing, or an earlier version recorded it).
    """

    digest: Digest
    service: Service
    commit: str = ""
    adopted: Adopted | None = None
    revisions: Revisions | None = None

    @property
    def id(self) -> str:
        """Short hash over digest and configuration (12 hex digits); what is known of the image is no part of it."""
        content = json.dumps([self.digest, self.service.as_dict()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value, as kept in stack outputs."""
        return {
            "digest": self.digest,
            "commit": self.commit,
            "id": self.id,
            "service": self.service.as_dict(),
            **({"adopted": self.adopted.as_dict()} if self.adopted else {}),
            **({"revisions": self.revisions.as_dict()} if self.revisions else {}),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Release:
        """Read what `as_dict` wrote."""
        return Release(
            digest=Digest(value["digest"]),
            commit=str(value.get("commit") or ""),
            service=Service.from_dict(value["service"]),
            adopted=Adopted.from_dict(value["adopted"]) if value.get("adopted") else None,
            revisions=Revisions.from_dict(value.get("revisions")),
        )


Weights = Mapping[Colour, int]
"""Share of users per colour, 0 to 100; the two add up to 100, or are both 0 where no user is served."""


def shared(colour: Colour, percent: int) -> dict[Colour, int]:
    """Weights that send so many percent to this colour, and the rest to the other one."""
    return {colour: percent, colour.other: 100 - percent}


def all_on(colour: Colour) -> dict[Colour, int]:
    """Weights that send all users to one colour."""
    return shared(colour, 100)


def whole(weights: Weights) -> Colour | None:
    """The colour that gets all users, or None while they are divided or none is served."""
    served = [colour for colour, weight in weights.items() if weight > 0]
    return served[0] if len(served) == 1 and weights[served[0]] == 100 else None
