"""Which repository the artifacts stack has made, and which one its settings want. Pure.

Environments run images of it, and go back to them. It can be neither renamed nor moved: the engine would make another
one, and delete the one that has the images.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from release_lane.decide.foundations import Moved
from release_lane.decide.refusals import would_move_registry

_HOST = re.compile(r"(?P<account>[0-9]{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.")
"""Of a registry of ECR (AWS/AmazonECR/latest/userguide/Registries.html)."""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """A repository, and where it is. Account and region are empty where its address does not say them."""

    account: str
    region: str
    repository: str

    @staticmethod
    def of_url(url: str) -> Registry:
        """From the output `repositoryUrl`."""
        host, _, repository = url.partition("/")
        at = _HOST.match(host)
        return Registry(account=at["account"] if at else "", region=at["region"] if at else "", repository=repository)


def check_registry(recorded: str, wanted: Registry) -> None:
    """`Refused` where the settings want another repository than the recorded one ("" before there is one)."""
    has = Registry.of_url(recorded)
    pairs = (
        ("account", has.account, wanted.account),
        ("aws:region", has.region, wanted.region),
        ("repository", has.repository, wanted.repository),
    )
    if changes := [Moved(*pair) for pair in pairs if pair[1] and pair[1] != pair[2]]:
        raise would_move_registry(changes)
