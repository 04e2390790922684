"""ministack's Route 53, with a public hosted zone that is there from the start, so that a stack file can name it.

Its name is reserved for tests (RFC 6761) and exists nowhere on the internet. No resolver serves it: ACM looks at its
records, and programs find it in their account.
"""

from __future__ import annotations

ZONE, NAME = "Z0000000000LOCAL", "test."
ACCOUNT, REGION = "000000000000", "us-east-1"


def install() -> None:
    """Before ministack reads its state, which then says what is in the zone."""
    from ministack.core.responses import request_scope
    from ministack.services import route53

    zone = {"id": ZONE, "name": NAME, "caller_reference": "local-aws", "comment": "", "private": False, "vpcs": []}
    with request_scope(ACCOUNT, REGION), route53._lock:
        route53._zones[ZONE] = zone
        route53._records[ZONE] = route53._default_records(NAME)
