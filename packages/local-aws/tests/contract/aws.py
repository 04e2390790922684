"""Where the suite runs: the local cloud, or a real account. Tests see no difference but patience."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from local_aws.project import ACCOUNT, REGION

from tests.patience import PATIENCE

T = TypeVar("T")
PREFIX = "rlc-"
"""All names begin with it, then 8 hex digits for the run, then what it is."""

TAG = "release-lane:contract"
RUN = "RELEASE_LANE_CONTRACT_RUN"
"""Environment variable that `make aws-check` gives to the suite: a JSON object, the fields of `Where`."""


def new_mark() -> str:
    """8 hex digits that are in all names of one run."""
    return secrets.token_hex(4)


@dataclass(frozen=True, kw_only=True)
class Where:
    """`endpoint` is "" for AWS itself. `time_scale` multiplies what AWS counts in seconds.

    `visitors`: the addresses that may reach the run's load balancer.
    """

    account: str
    region: str
    mark: str
    endpoint: str = ""
    time_scale: float = 1.0
    visitors: str = "0.0.0.0/0"

    @property
    def real(self) -> bool:
        """Is it AWS?"""
        return not self.endpoint

    @staticmethod
    def of_the_local_cloud(endpoint: str, time_scale: float) -> Where:
        """A new run on the local cloud."""
        return Where(account=ACCOUNT, region=REGION, mark=new_mark(), endpoint=endpoint, time_scale=time_scale)

    def as_text(self) -> str:
        """The value of RUN."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_text(text: str) -> Where:
        """Read what `as_text` wrote."""
        return Where(**json.loads(text))


@dataclass(frozen=True)
class Aws:
    """Clients, names and waiting. With `checks` botocore refuses by itself what it knows to be wrong."""

    where: Where
    checks: bool = True
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, init=False)

    def client(self, service: str) -> Any:
        """A client of this service, made once."""
        if service not in self._clients:
            config = Config(parameter_validation=self.checks, retries={"mode": "standard", "max_attempts": 8})
            self._clients[service] = boto3.client(  # type: ignore[call-overload]
                service, region_name=self.where.region, config=config, **self._access()
            )
        return self._clients[service]

    def _access(self) -> dict[str, str]:
        if self.where.real:
            return {}  # whatever the person's shell gives; its account was checked
        return {"endpoint_url": self.where.endpoint, "aws_access_key_id": "test", "aws_secret_access_key": "test"}

    def named(self, part: str) -> str:
        """A name that only this run has."""
        return f"{PREFIX}{self.where.mark}-{part}"

    def tags(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """What everything is tagged with that can be; services differ in how they spell it."""
        return [{key: TAG, value: self.where.mark}]

    def seconds(self, aws_seconds: float) -> float:
        """As long as AWS would count so many seconds here."""
        return aws_seconds * self.where.time_scale

    def eventually(self, look: Callable[[], T], what: str) -> T:
        """The first truthy answer of `look`; an AssertionError when it is long overdue."""
        patience, pause = (1800.0, 2.0) if self.where.real else (PATIENCE, 0.05)
        until = time.monotonic() + patience
        while not (found := look()):
            assert time.monotonic() < until, f"{what} did not come true within {patience:.0f} s"
            time.sleep(pause)
        return found


def tags_of(listed: list[Mapping[str, str]]) -> dict[str, str]:
    """Tags as a mapping, however the service spells them."""
    return {tag.get("Key") or tag["key"]: tag.get("Value") or tag.get("value", "") for tag in listed}
