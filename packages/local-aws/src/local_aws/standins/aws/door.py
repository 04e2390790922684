"""The one way to the AWS APIs of the local cloud; closed to every other address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from provider_kit import Props, UserError

from local_aws.standins.aws.identity import CallerIdentity
from local_aws.standins.loopback import is_loopback

TAKEN = frozenset(
    {
        "region",
        "defaultTags",
        "allowedAccountIds",
        "forbiddenAccountIds",
        "accessKey",
        "secretKey",
        "token",
        "version",
        "s3UsePathStyle",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }
)
"""Provider configuration that is honoured, or (skip…, s3UsePathStyle) makes no difference here."""

CONNECT = 2.0  # seconds to wait for the local cloud to take a connection

ClientFactory = Callable[[str, str, Mapping[str, str]], Any]
"""(service, region, {endpoint, key, secret, token}) -> a botocore client."""


def loopback_endpoint(environment: Mapping[str, str]) -> str:
    """The local cloud's address from AWS_ENDPOINT_URL; UserError unless it is on this machine."""
    endpoint = environment.get("AWS_ENDPOINT_URL", "")
    advice = "This is the local cloud's stand-in for pulumi-aws. For a real account use the official plugin."
    if not endpoint:
        raise UserError(f"AWS_ENDPOINT_URL is not set: run `. .local/env` first. {advice}")
    if not is_loopback(urlsplit(endpoint).hostname or ""):
        raise UserError(f"AWS_ENDPOINT_URL={endpoint} is not an address of this machine. {advice}")
    return endpoint


def answers(endpoint: str) -> bool:
    """Whether something listens at `endpoint`."""
    address = urlsplit(endpoint)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=CONNECT).close()
    except OSError:
        return False
    return True


def botocore_client(service: str, region: str, access: Mapping[str, str]) -> Any:
    """A client, made late: importing botocore and reading a service's model cost more than all the rest."""
    import botocore.session
    from botocore.config import Config

    return botocore.session.Session().create_client(
        service,
        region_name=region,
        endpoint_url=access["endpoint"],
        aws_access_key_id=access["key"],
        aws_secret_access_key=access["secret"],
        aws_session_token=access["token"] or None,
        # proxies: never let a proxy of the environment carry these calls off this machine
        config=Config(proxies={}, retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=20),
    )


def light_client(service: str, region: str, access: Mapping[str, str]) -> Any:
    """A client like `botocore_client`'s; STS, of which only the caller's identity is asked, without botocore."""
    if service == "sts":
        return CallerIdentity(region, access, lambda: botocore_client(service, region, access))
    return botocore_client(service, region, access)


class Door:
    """Clients by service and region, for the account and region that the provider is configured with."""

    def __init__(
        self,
        environment: Mapping[str, str],
        make_client: ClientFactory = light_client,
        answers: Callable[[str], bool] = answers,
    ) -> None:
        self._environment = environment
        self._answers = answers
        self._make_client = make_client
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._access: dict[str, str] = {}
        self._account = ""
        self.region = ""
        self.default_tags: dict[str, str] = {}

    def configure(self, config: Props) -> None:
        """Take the provider's configuration; UserError where the stand-in cannot honour it."""
        unknown = sorted(config.keys() - TAKEN)
        if unknown:
            raise UserError(f"aws:{', aws:'.join(unknown)}: not served by the local cloud's stand-in for pulumi-aws")
        environment = self._environment
        self.region = (
            config.get("region")
            or environment.get("AWS_REGION")
            or environment.get("AWS_DEFAULT_REGION")
            or "us-east-1"
        )
        self.default_tags = dict((config.get("defaultTags") or {}).get("tags") or {})
        self._access = {
            "endpoint": loopback_endpoint(environment),
            "key": config.get("accessKey") or environment.get("AWS_ACCESS_KEY_ID", "test"),
            "secret": config.get("secretKey") or environment.get("AWS_SECRET_ACCESS_KEY", "test"),
            "token": config.get("token") or environment.get("AWS_SESSION_TOKEN", ""),
        }
        if not self._answers(self._access["endpoint"]):
            raise UserError(f"nothing answers at {self._access['endpoint']}: start the local cloud (`local-aws up`)")
        self._check_account(config)

    def _check_account(self, config: Props) -> None:
        allowed, forbidden = config.get("allowedAccountIds"), config.get("forbiddenAccountIds") or ()
        if not allowed and not forbidden:
            return
        account = self.account()
        if (allowed and account not in allowed) or account in forbidden:
            raise UserError(f"AWS account {account} is not one that the aws: configuration allows")

    def client(self, service: str, region: str | None = None) -> Any:
        """The client of a service in `region`, or in the provider's own."""
        key = (service, region or self.region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make_client(*key, self._access)
            return self._clients[key]

    def account(self) -> str:
        """The id of the account that the credentials belong to."""
        if not self._account:
            self._account = str(self.client("sts").get_caller_identity()["Account"])
        return self._account


def error_code(error: Exception) -> str:
    """`ServiceNotFoundException`, or an empty string for an error that is not AWS's."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def is_gone(error: Exception) -> bool:
    """Whether AWS says that the thing does not exist."""
    code = error_code(error)
    return "NotFound" in code or code.startswith("NoSuch") or code == "ClusterNotFoundException"


def unless_gone(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer of `call`, or None when AWS says that the thing does not exist."""
    try:
        return call(**arguments)
    except Exception as error:
        if is_gone(error):
            return None
        raise
