"""ECS's ARNs, in the long format, and what can be read out of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """Whose resources: every ARN begins with it."""

    account: str
    region: str

    def arn(self, kind: str, *path: str) -> str:
        return f"arn:aws:ecs:{self.region}:{self.account}:{kind}/{'/'.join(path)}"


def scope_of(arn: str) -> Scope:
    parts = arn.split(":")
    return Scope(account=parts[4], region=parts[3])


def name_of(arn: str) -> str:
    """The last part of an ARN's path, or a bare name as it is."""
    return arn.rsplit("/", 1)[-1]


def new_task_id() -> str:
    return secrets.token_hex(16)


def new_deployment_id() -> str:
    """`ecs-svc/` and 19 digits."""
    return f"ecs-svc/{secrets.randbelow(9 * 10**18) + 10**18}"
