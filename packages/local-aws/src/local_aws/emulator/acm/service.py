"""One action at a time: it says what the state would be, that is kept, and load balancers hear of it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from local_aws.emulator.acm import authority, records
from local_aws.emulator.acm.actions import ACTIONS, Answer, Body, Call, validated
from local_aws.emulator.acm.authority import LASTS, Authority
from local_aws.emulator.acm.model import Certificate, Issued, Material, State
from local_aws.emulator.wire import ServiceError, StateFile

log = logging.getLogger("acm")
VERSION = 1


class Servers(Protocol):
    """Who serves with certificates: the load balancers."""

    def users(self, certificate: str) -> Sequence[str]:
        """ARNs of those that have it."""

    def renewed(self, certificate: str) -> None:
        """It has another key or text: serve with that from now on."""


class Service:
    """AWS Certificate Manager, thread-safe. State and keys lie in `folder`, readable by their owner alone."""

    def __init__(self, folder: Path, exists: Callable[[records.Record, str, str], bool] = records.exists) -> None:
        self._authority = Authority.ensure(folder / "authority", time.time())
        self._file = StateFile(folder / "acm.json", mode=0o600)
        self._exists = exists
        self._servers: Servers | None = None
        self._lock = threading.RLock()
        self._state = self._file.restore(State, VERSION, "ACM's state")

    def attach(self, servers: Servers | None) -> None:
        self._servers = servers

    def perform(self, action: str, body: Body, account: str, region: str) -> Answer:
        """One API action; its answer. Raises ServiceError."""
        function = ACTIONS.get(action)
        if function is None:
            raise ServiceError("UnknownOperationException", f"The local cloud does not carry {action}.")
        call = self._call(account, region)
        with self._lock:
            before = validated(self._state, call)
            self._keep(before)
            after, answer = function(before, body, call)
            self._keep(after)
        if action == "ImportCertificate" and self._servers is not None:
            self._servers.renewed(str(answer["CertificateArn"]))  # without the lock: it asks for the material
        return answer

    def find(self, arn: str, account: str, region: str) -> Certificate | None:
        """As of now: a request whose records exist is issued by this look."""
        call = self._call(account, region)
        with self._lock:
            self._keep(validated(self._state, call))
            return self._state.certificates.get(arn) if arn.startswith(call.prefix) else None

    def material(self, arn: str) -> Material | None:
        """None while it is not issued, or if there is none."""
        found = self._state.certificates.get(arn)
        return found.issued.material if found and found.issued else None

    def _keep(self, after: State) -> None:
        if after != self._state:
            self._file.keep(after, VERSION)
            self._state = after

    def _call(self, account: str, region: str) -> Call:
        now, servers = time.time(), self._servers
        return Call(
            region=region,
            account=account,
            now=now,
            new_id=lambda: str(uuid.uuid4()),
            issue=lambda names, algorithm: self._issue(names, algorithm, now),
            check=lambda material: authority.check(material, now),
            exists=lambda record: self._exists(record, account, region),
            users=servers.users if servers is not None else lambda _: (),
        )

    def _issue(self, names: Sequence[str], algorithm: str, now: float) -> Issued:
        begin = now - now % 86_400
        material = self._authority.issue(names, algorithm, begin, begin + LASTS)
        return Issued(material=material, facts=authority.facts(material.certificate), at=now)
