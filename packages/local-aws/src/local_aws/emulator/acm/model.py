"""What ACM knows, as values: certificates that were requested or imported, with keys and PEM where they are issued."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

VALIDATED_WITHIN = 72 * 3600.0  # seconds that a request waits for its records
REQUESTED, IMPORTED = "AMAZON_ISSUED", "IMPORTED"
Status = Literal["PENDING_VALIDATION", "VALIDATION_TIMED_OUT", "ISSUED", "EXPIRED"]


@dataclass(frozen=True, kw_only=True)
class Material:
    """PEM. `chain`: the certificates above it, nearest first; "" for a self-signed one. `key` is not encrypted."""

    certificate: str
    chain: str
    key: str

    @property
    def pem(self) -> str:
        """All of it in one file, as HAProxy reads it."""
        return "".join(f"{part.strip()}\n" for part in (self.certificate, self.chain, self.key) if part.strip())


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a certificate says. Times are seconds since the epoch; `names` are its DNS names."""

    subject: str
    issuer: str
    serial: str
    names: tuple[str, ...]
    not_before: float
    not_after: float
    key_algorithm: str  # RSA_2048, EC_prime256v1, …
    signature_algorithm: str


@dataclass(frozen=True, kw_only=True)
class Issued:
    material: Material
    facts: Facts
    at: float


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """`domain` and `names` are what was asked for; of an imported one, what it says. `token`: for idempotency."""

    arn: str
    kind: str
    domain: str
    names: tuple[str, ...]
    key_algorithm: str
    created: float
    issued: Issued | None = None
    token: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def status(self, now: float) -> Status:
        if self.issued is None:
            return "VALIDATION_TIMED_OUT" if now > self.created + VALIDATED_WITHIN else "PENDING_VALIDATION"
        return "EXPIRED" if now > self.issued.facts.not_after else "ISSUED"


@dataclass(frozen=True)
class State:
    """By arn, in order of creation."""

    certificates: Mapping[str, Certificate] = field(default_factory=dict)
