"""An account whose state ACM's actions change, as the service does, without keys."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from local_aws.emulator.acm.actions import ACTIONS, Call, validated
from local_aws.emulator.acm.model import Facts, Issued, Material, State
from local_aws.emulator.acm.records import Record
from local_aws.emulator.wire import ServiceError

YEAR = 365 * 86_400.0


def facts(*names: str, now: float = 0.0, algorithm: str = "EC_prime256v1") -> Facts:
    return Facts(
        subject=f"CN={names[0]}",
        issuer="CN=authority",
        serial="0a:0b",
        names=names,
        not_before=now,
        not_after=now + YEAR,
        key_algorithm=algorithm,
        signature_algorithm="SHA256WITHECDSA",
    )


@dataclass
class Account:
    """`records`: what its hosted zones hold; `users`: certificate -> load balancers. A PEM is its names here."""

    state: State = field(default_factory=State)
    now: float = 1_000_000.0
    region: str = "us-east-1"
    records: set[Record] = field(default_factory=set)
    users: dict[str, Sequence[str]] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def call(self) -> Call:
        return Call(
            region=self.region,
            account="000000000000",
            now=self.now,
            new_id=lambda: str(next(self.ids)),
            issue=self._issue,
            check=self._check,
            exists=lambda record: record in self.records,
            users=lambda arn: self.users.get(arn, ()),
        )

    def _issue(self, names: Sequence[str], algorithm: str) -> Issued:
        material = Material(certificate=",".join(names), chain="chain", key="key")
        return Issued(material=material, facts=facts(*names, now=self.now, algorithm=algorithm), at=self.now)

    def _check(self, material: Material) -> Facts:
        if not material.key.startswith("key"):
            raise ServiceError("ValidationException", "The private key is none.")
        return facts(*material.certificate.split(","), now=self.now)

    def do(self, action: str, **members: Any) -> Any:
        before = validated(self.state, self.call())
        self.state, answer = ACTIONS[action](before, members, self.call())
        return answer

    def request(self, *names: str, **given: Any) -> str:
        more = {"SubjectAlternativeNames": list(names[1:])} if names[1:] else {}
        wanted = {"DomainName": names[0], "ValidationMethod": "DNS", **more, **given}
        return str(self.do("RequestCertificate", **wanted)["CertificateArn"])

    def import_(self, *names: str, key: str = "key", **given: Any) -> str:
        wanted = {"Certificate": blob(",".join(names)), "PrivateKey": blob(key), **given}
        return str(self.do("ImportCertificate", **wanted)["CertificateArn"])

    def shown(self, arn: str) -> Mapping[str, Any]:
        return dict(self.do("DescribeCertificate", CertificateArn=arn)["Certificate"])


def blob(text: str) -> str:
    """As the JSON protocol carries it."""
    return base64.b64encode(text.encode()).decode()
