"""One action at a time: it says what the state would be, that is kept, and the servers follow."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from local_aws.emulator import inprocess
from local_aws.emulator.query import Given, Scope
from local_aws.emulator.rds.actions import ACTIONS, Answer, Call, after_deletion
from local_aws.emulator.rds.model import Instance, State, Status
from local_aws.emulator.servers import Failed, in_a_thread
from local_aws.emulator.subnet_groups import Subnets, subnets_of
from local_aws.emulator.wire import ServiceError, StateFile

log = logging.getLogger("rds")
VERSION = 1


class Databases(Protocol):
    """The databases themselves, by the ids of their instances."""

    def start(self, instance: Instance, password: str) -> str:
        """Make it, or start the one that was made before; returns its version (`17.6`) when it takes connections.
        Raises Failed."""

    def set_password(self, instance: Instance, password: str) -> None:
        """Of its master user. Raises Failed."""

    def remove(self, instance: Instance) -> None:
        """With its data, unless that is to be its last snapshot. Gone is fine."""

    def forget(self, resource_id: str) -> None:
        """The data that a snapshot was. Gone is fine."""


class Passwords(Protocol):
    """Where the passwords of master users are kept."""

    def create(self, user: str, scope: Scope) -> str:
        """A new secret; its ARN."""

    def read(self, arn: str, scope: Scope) -> str:
        """The password in it."""

    def change(self, arn: str, user: str, password: str, scope: Scope) -> None:
        """Another password in it."""

    def delete(self, arn: str, scope: Scope) -> None:
        """Gone is fine."""


class SecretsManager:
    """ministack's, in this process. A secret holds `{"username": …, "password": …}`, as RDS writes it."""

    def create(self, user: str, scope: Scope) -> str:
        payload = {"Name": f"rds!db-{uuid.uuid4()}", "SecretString": _content(user, new_password())}
        return str(inprocess.call("secretsmanager", "CreateSecret", payload, scope.account, scope.region)["ARN"])

    def read(self, arn: str, scope: Scope) -> str:
        found = inprocess.call("secretsmanager", "GetSecretValue", {"SecretId": arn}, scope.account, scope.region)
        return str(json.loads(found["SecretString"])["password"])

    def change(self, arn: str, user: str, password: str, scope: Scope) -> None:
        payload = {"SecretId": arn, "SecretString": _content(user, password)}
        inprocess.call("secretsmanager", "PutSecretValue", payload, scope.account, scope.region)

    def delete(self, arn: str, scope: Scope) -> None:
        payload = {"SecretId": arn, "ForceDeleteWithoutRecovery": True}
        try:
            inprocess.call("secretsmanager", "DeleteSecret", payload, scope.account, scope.region)
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise


def _content(user: str, password: str) -> str:
    return json.dumps({"username": user, "password": password})


def new_password() -> str:
    return secrets.token_urlsafe(24)


class Service:
    """Amazon RDS, thread-safe. Its state lies in `folder`, readable by its owner alone. `begin` runs what a server
    needs, by default in a thread of its own."""

    def __init__(
        self,
        folder: Path,
        databases: Databases,
        passwords: Passwords | None = None,
        subnets: Subnets = subnets_of,
        begin: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._file = StateFile(folder / "rds.json", mode=0o600)
        self._databases = databases
        self._passwords = passwords or SecretsManager()
        self._subnets = subnets
        self._begin = begin or in_a_thread
        self._lock = threading.RLock()
        self._state = self._file.restore(State, VERSION, "RDS's state")

    def perform(self, action: str, given: Given, scope: Scope) -> Answer:
        """One API action; its answer. Raises ServiceError."""
        function = ACTIONS.get(action)
        if function is None:
            raise ServiceError("InvalidAction", f"The local cloud does not carry {action}.")
        with self._lock:
            before = self._state
            after, answer = function(before, given, self._call(scope))
            self._keep(after)
        for arn, instance in after.instances.items():
            if before.instances.get(arn) != instance:
                self._follow(instance)
        for gone in before.snapshots.keys() - after.snapshots.keys():
            self._databases.forget(before.snapshots[gone].instance.resource_id)
        return answer

    def resume(self) -> None:
        """After a restart: go on with what was under way, and have every instance answer again.

        One that failed is tried once more: what was in its way may be gone.
        """
        for instance in self._state.instances.values():
            self._follow(replace(instance, status=_again(instance.status)))

    def _follow(self, instance: Instance) -> None:
        match instance.status:
            case Status.CREATING:
                self._begin(lambda: self._start(instance))
            case Status.DELETING:
                self._begin(lambda: self._remove(instance))
            case Status.RESETTING:
                self._begin(lambda: self._rotate(instance))
            case Status.AVAILABLE | Status.FAILED:
                pass

    def _start(self, instance: Instance) -> None:
        try:
            password = self._passwords.read(instance.secret, _scope_of(instance.arn))
            version = self._databases.start(instance, password)
            if version.partition(".")[0] != instance.version.partition(".")[0]:
                raise Failed(f"the image has PostgreSQL {version or '?'}, not {instance.version}")
        except (Failed, ServiceError) as error:
            log.warning("%s did not start: %s", instance.id, error)
            self._change(instance.arn, status=Status.FAILED, reason=str(error))
        except Exception as error:
            log.exception("%s did not start", instance.id)
            self._change(instance.arn, status=Status.FAILED, reason=repr(error))
        else:
            self._change(instance.arn, status=Status.AVAILABLE, version=version, reason="")

    def _rotate(self, instance: Instance) -> None:
        """The server first: if this process ends in between, its successor does all of it again."""
        scope, password = _scope_of(instance.arn), new_password()
        try:
            self._databases.start(instance, self._passwords.read(instance.secret, scope))
            self._databases.set_password(instance, password)
            self._passwords.change(instance.secret, instance.user, password, scope)
        except Exception as error:
            log.exception("the password of %s was not rotated", instance.id)
            self._change(instance.arn, status=Status.FAILED, reason=f"the password was not rotated: {error}")
        else:
            self._change(instance.arn, status=Status.AVAILABLE, reason="")

    def _remove(self, instance: Instance) -> None:
        self._databases.remove(instance)
        self._passwords.delete(instance.secret, _scope_of(instance.arn))
        with self._lock:
            found = self._state.instances.get(instance.arn)
            if found is None or found.resource_id != instance.resource_id:
                return  # done before, and there may be another one of its name by now
            self._keep(after_deletion(self._state, instance, self._call(_scope_of(instance.arn))))

    def _change(self, arn: str, **changes: object) -> None:
        """Unless it is being deleted, or gone, by now."""
        with self._lock:
            found = self._state.instances.get(arn)
            if found is None or found.status is Status.DELETING:
                return
            after = replace(found, **changes)  # type: ignore[arg-type]
            self._keep(replace(self._state, instances={**self._state.instances, arn: after}))

    def _keep(self, after: State) -> None:
        if after != self._state:
            self._file.keep(after, VERSION)
            self._state = after

    def _call(self, scope: Scope) -> Call:
        return Call(
            region=scope.region,
            account=scope.account,
            now=time.time(),
            new_id=lambda: secrets.token_hex(16),
            subnets=lambda ids: self._subnets(ids, scope),
            secret=lambda user: self._passwords.create(user, scope),
        )


def _again(status: Status) -> Status:
    """What was available is started as if it was new: its data is there."""
    return Status.CREATING if status in (Status.AVAILABLE, Status.FAILED) else status


def _scope_of(arn: str) -> Scope:
    _, _, _, region, account, *_ = arn.split(":")
    return Scope(account, region)
