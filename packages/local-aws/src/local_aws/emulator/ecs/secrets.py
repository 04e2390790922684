"""Values that a container gets from Parameter Store or Secrets Manager, by `valueFrom`."""

from __future__ import annotations

import json
from typing import Protocol

from local_aws.emulator import inprocess
from local_aws.emulator.ecs.arns import Scope
from local_aws.emulator.wire import ServiceError


class Unreadable(Exception):
    """The message is what follows `execution resource retrieval failed: ` in a task's stoppedReason."""


class SecretReader(Protocol):
    def read(self, value_from: str, scope: Scope) -> str: ...


class SecretStores:
    """ministack's Parameter Store and Secrets Manager, in this process."""

    def read(self, value_from: str, scope: Scope) -> str:
        """The secret's text. `value_from`: a parameter's name or ARN, or a secret's ARN with, after colons,
        a JSON key, a version stage and a version id. Raises Unreadable."""
        if ":secretsmanager:" in value_from:
            return self._secret(value_from, scope)
        return self._parameter(value_from, scope)

    def _parameter(self, value_from: str, scope: Scope) -> str:
        name = value_from.partition(":parameter")[2] if value_from.startswith("arn:") else value_from
        try:
            found = inprocess.call(
                "ssm", "GetParameters", {"Names": [name], "WithDecryption": True}, scope.account, scope.region
            )
        except ServiceError as error:
            raise Unreadable(f"unable to retrieve secrets from ssm: {error.code}: {error}") from error
        if not found.get("Parameters"):
            raise Unreadable(
                "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
                f"invalid parameters: {value_from}"
            )
        return str(found["Parameters"][0]["Value"])

    def _secret(self, value_from: str, scope: Scope) -> str:
        parts = value_from.split(":")
        key, stage, version = [*parts[7:], "", "", ""][:3]
        payload = {"SecretId": ":".join(parts[:7])}
        payload |= {k: v for k, v in (("VersionStage", stage), ("VersionId", version)) if v}
        try:
            found = inprocess.call("secretsmanager", "GetSecretValue", payload, scope.account, scope.region)
        except ServiceError as error:
            raise Unreadable(f"unable to retrieve secret from asm: {error.code}: {error}") from error
        return _member(str(found.get("SecretString", "")), key)


def _member(text: str, key: str) -> str:
    if not key:
        return text
    try:
        return str(json.loads(text)[key])
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"retrieved secret from Secrets Manager did not contain json key {key}") from error
