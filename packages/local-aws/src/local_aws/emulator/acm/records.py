"""The DNS records by which ACM sees that a domain is its requester's, and whether they exist.

One for a domain and account, the same for each of its certificates, so a renewal needs no new one; a wildcard shares
its parent's: https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """A CNAME; both names end with a dot."""

    name: str
    value: str


def record_of(account: str, domain: str) -> Record:
    parent = domain.removeprefix("*.")
    digest = hashlib.sha256(f"{account}/{parent.lower()}".encode()).hexdigest()
    zone = "".join(chr(ord("a") + int(digit, 16)) for digit in digest[54:])
    return Record(f"_{digest[:32]}.{parent}.", f"_{digest[22:54]}.{zone}.acm-validations.aws.")


def exists(record: Record, account: str, region: str) -> bool:
    """In a public hosted zone of this account. Compared as DNS does: without case, with or without a last dot."""
    from ministack.core.responses import request_scope
    from ministack.services import route53

    with request_scope(account, region), route53._lock:
        public = [id for id, zone in route53._zones.items() if not zone.get("private")]
        found = [each for id in public for each in route53._records.get(id, [])]
    return any(
        each["Type"] == "CNAME"
        and _same(each["Name"], record.name)
        and any(_same(value, record.value) for value in each.get("ResourceRecords", ()))
        for each in found
    )


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()
