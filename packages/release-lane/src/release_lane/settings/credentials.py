"""As whom a stack's settings say that AWS is spoken to: the same for provider, gates and command. Pure.

Keys are those of pulumi-aws (`aws:…`); its source is https://www.pulumi.com/registry/packages/aws/api-docs/provider/.
What gates and command cannot follow is refused, with what all three read instead: an environment variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from release_lane.record.names import Access

VARIABLES: Mapping[str, str] = {
    "accessKey": "AWS_ACCESS_KEY_ID",
    "secretKey": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
    "sharedCredentialsFiles": "AWS_SHARED_CREDENTIALS_FILE",
    "sharedConfigFiles": "AWS_CONFIG_FILE",
    "assumeRoleWithWebIdentity": "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE",
    "endpoints": "AWS_ENDPOINT_URL",
    "customCaBundle": "AWS_CA_BUNDLE",
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "noProxy": "NO_PROXY",
    "ec2MetadataServiceEndpoint": "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "ec2MetadataServiceEndpointMode": "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "useFipsEndpoint": "AWS_USE_FIPS_ENDPOINT",
    "useDualstackEndpoint": "AWS_USE_DUALSTACK_ENDPOINT",
}
"""Keys that say as whom or by which way AWS is spoken to, and that the gates cannot follow: the variables that do."""

HANDED = ("region", "profile", "assumeRoles")
"""Keys of pulumi-aws that gates and command follow."""

ROLE = ("roleArn", "externalId", "sessionName", "duration")
"""What may be said of the role to assume. Gates renew theirs, so for how long it lasts is the provider's matter."""


def access_of(config: Mapping[str, Any], account: str) -> Access:
    """The whole configuration of a stack, by full keys, structured values as such or as JSON."""
    roles = _value(config, "assumeRoles")
    role = roles[0] if isinstance(roles, list) and roles and isinstance(roles[0], Mapping) else {}
    return Access(
        region=str(_value(config, "region") or ""),
        account=account,
        role=str(role.get("roleArn") or ""),
        profile=str(_value(config, "profile") or ""),
        external_id=str(role.get("externalId") or ""),
        session_name=str(role.get("sessionName") or ""),
    )


def problems(config: Mapping[str, Any]) -> list[str]:
    """What provider and gates would understand differently, or what does not belong in a file. No value is shown."""
    found = [
        f"aws:{key}: is followed by the AWS provider alone, not by the gates; leave it out, and set {variable} in the "
        "environment of the update" + _or_role(key)
        for key, variable in VARIABLES.items()
        if _value(config, key) not in (None, "", [], {})
    ]
    if _value(config, "assumeRole"):
        found.append("aws:assumeRole: is not known to this version of the AWS provider; write aws:assumeRoles, a list")
    return found + _of_roles(_value(config, "assumeRoles"))


def _or_role(key: str) -> str:
    return " (or use aws:profile or aws:assumeRoles)" if key in ("accessKey", "secretKey", "token") else ""


def _of_roles(roles: Any) -> list[str]:
    if roles in (None, "", []):
        return []
    if not (isinstance(roles, list) and all(isinstance(each, Mapping) for each in roles)):
        return ["aws:assumeRoles: should be a list with one entry, - roleArn: …"]
    if len(roles) > 1:
        return ["aws:assumeRoles: the gates assume one role, no chain; begin with credentials of the last but one"]
    (role,) = roles
    unknown = [f"aws:assumeRoles.{key}: is not handed to the gates" for key in sorted(role.keys() - set(ROLE))]
    return unknown if role.get("roleArn") else ["aws:assumeRoles: roleArn is missing", *unknown]


def _value(config: Mapping[str, Any], key: str) -> Any:
    value = config.get(f"aws:{key}")
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
