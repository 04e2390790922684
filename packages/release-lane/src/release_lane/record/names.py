"""Where an environment lives in AWS: region, role, account, and the names its resources have there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.record.placement import Colour

_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
"""Of regions, by how their names begin; all others are in `aws`."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """Which AWS account and region to talk to, and as whom.

    `role` is an ARN to assume, with `external_id` and `session_name`; `profile` one of this machine's AWS
    configuration; "" for none of them.
    """

    region: str
    account: str
    role: str = ""
    profile: str = ""
    external_id: str = ""
    session_name: str = ""

    @property
    def partition(self) -> str:
        """What ARNs of the region begin with after `arn:`."""
        return next((part for prefix, part in _PARTITIONS.items() if self.region.startswith(prefix)), "aws")

    def as_dict(self) -> dict[str, str]:
        """Plain JSON value, as gates and functions get it; the inverse is `from_dict`."""
        more = {"profile": self.profile, "externalId": self.external_id, "sessionName": self.session_name}
        given = {key: value for key, value in more.items() if value}
        return {"region": self.region, "account": self.account, "role": self.role, **given}

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Access:
        """Read what `as_dict` wrote, also as part of something larger."""
        return Access(
            region=value["region"],
            account=value["account"],
            role=str(value.get("role") or ""),
            profile=str(value.get("profile") or ""),
            external_id=str(value.get("externalId") or ""),
            session_name=str(value.get("sessionName") or ""),
        )


def other_projects(keys: Iterable[str], project: str) -> tuple[str, ...]:
    """Whose settings these keys are, if not this project's: Pulumi.yaml may have got another name."""
    every = [str(key).partition(":") for key in keys]
    theirs = {owner for owner, _, key in every if key in ("account", "role")}
    return tuple(sorted(theirs - {project, "aws"}))


HTTP_PORT, HTTPS_PORT = 80, 443


@dataclass(frozen=True, kw_only=True)
class Names:
    """One environment's names. They are fixed by project and stack, so they are known before anything exists.

    `domain` is the public name that users come by, "" where they are served by plain HTTP. The production listener is
    on `users_port`.
    """

    access: Access
    cluster: str
    load_balancer: str
    services: Mapping[Colour, str]
    target_groups: Mapping[Colour, str]
    test_ports: Mapping[Colour, int]
    users_port: int
    container: str
    log_group: str
    repository: str
    domain: str = ""

    @staticmethod
    def of(prefix: str, *, access: Access, users_port: int, log_group: str, repository: str, domain: str = "") -> Names:
        """Names of the environment whose resources begin with `prefix` (`<project>-<stack>`)."""
        return Names(
            access=access,
            cluster=prefix,
            load_balancer=prefix,
            services={colour: f"{prefix}-{colour}" for colour in Colour},
            target_groups={colour: f"{prefix}-{colour}" for colour in Colour},
            test_ports={Colour.BLUE: 9001, Colour.GREEN: 9002},
            users_port=users_port,
            container="app",
            log_group=log_group,
            repository=repository,
            domain=domain,
        )

    @property
    def store(self) -> str:
        """Database and cache: RDS and ElastiCache keep names in lower case."""
        return self.cluster.lower()

    @property
    def migration(self) -> str:
        """The family of task definitions that migrations run by."""
        return f"{self.cluster}-migration"

    @staticmethod
    def of_stack(project: str, stack: str, *, access: Access, repository: str = "", domain: str = "") -> Names:
        """Names of an environment by the project and the stack it is; `repository` is needed for images only."""
        return Names.of(
            f"{project}-{stack}",
            access=access,
            users_port=HTTPS_PORT if domain else HTTP_PORT,
            log_group=f"/{project}/{stack}",
            repository=repository,
            domain=domain,
        )

    @property
    def flags(self) -> str:
        """The SSM parameter with this environment's flags."""
        return f"{self.log_group}/flags"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value: the `environment` input of every gate."""
        return {
            **self.access.as_dict(),
            "cluster": self.cluster,
            "loadBalancer": self.load_balancer,
            "services": {str(c): n for c, n in self.services.items()},
            "targetGroups": {str(c): n for c, n in self.target_groups.items()},
            "testPorts": {str(c): n for c, n in self.test_ports.items()},
            "usersPort": self.users_port,
            "container": self.container,
            "logGroup": self.log_group,
            "repository": self.repository,
            **({"domain": self.domain} if self.domain else {}),
        }

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Names:
        """Read what `as_dict` wrote."""
        return Names(
            access=Access.from_dict(value),
            cluster=value["cluster"],
            load_balancer=value["loadBalancer"],
            services={Colour(c): n for c, n in value["services"].items()},
            target_groups={Colour(c): n for c, n in value["targetGroups"].items()},
            test_ports={Colour(c): int(n) for c, n in value["testPorts"].items()},
            users_port=int(value["usersPort"]),
            container=value["container"],
            log_group=value["logGroup"],
            repository=value["repository"],
            domain=str(value.get("domain") or ""),
        )
