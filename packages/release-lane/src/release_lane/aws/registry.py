"""The account's own registry, for tools other than the SDK. Source: ECR API, GetAuthorizationToken."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from release_lane.aws.session import client
from release_lane.record.names import Access


@dataclass(frozen=True, kw_only=True)
class Registry:
    """`name` is its host in image references; `host` is where it answers, which differs on the local cloud."""

    name: str
    host: str
    tls: bool = True
    login: str = field(default="", repr=False)
    """User and password in base64, valid for some hours."""

    def answers_for(self, host: str) -> bool:
        """Is an image reference with this host one of this registry?"""
        return host in (self.name, self.host)


def registry_of(access: Access) -> Registry:
    """Ask for a login. AWS_ENDPOINT_URL names another endpoint, such as the local cloud."""
    (data,) = client(access, "ecr").get_authorization_token()["authorizationData"]
    name = urlsplit(data["proxyEndpoint"]).netloc
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    host, scheme = (endpoint.netloc, endpoint.scheme) if endpoint.netloc else (name, "https")
    return Registry(name=name, host=host, tls=scheme != "http", login=data["authorizationToken"])
