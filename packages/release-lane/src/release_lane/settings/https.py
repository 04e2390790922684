"""`https`: the name that users come by and its certificate; and `insecure`, where they come by plain HTTP."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from release_lane.settings.limits import FILL_IN, PARTITION
from release_lane.settings.section import Section, sound

DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])")


def domain(text: str) -> str:
    """One name, in lower case as DNS compares it; no wildcard, since users come by one name (RFC 1035, 2.3.1).

    A name has 253 characters, and so may that of a certificate which ACM has; `requested` is the limit of others.
    """
    if DOMAIN.fullmatch(text):
        return ""
    if text in FILL_IN:
        return (
            "is still to be filled in: the name that users come by, like shop.example.com; for plain HTTP write "
            "insecure: true in place of https"
        )
    return "should be the name that users come by, in lower case, like shop.example.com (no https://, no wildcard)"


LONGEST_REQUESTED = 64
"""Characters of the first name of a certificate that is requested, its common name
(AWS/acm/latest/APIReference/API_RequestCertificate.html, DomainName)."""


def requested(domain: str) -> str:
    """Can a certificate be requested for it?"""
    if len(domain) <= LONGEST_REQUESTED:
        return ""
    return (
        f"has {len(domain)} characters, and ACM takes {LONGEST_REQUESTED} for a certificate that is requested; for a "
        "longer name give certificateArn in place of hostedZone"
    )


_CERTIFICATE = re.compile(rf"{PARTITION}:acm:(?P<region>[a-z0-9-]+):[0-9]{{12}}:certificate/[A-Za-z0-9-]+")


def certificate(arn: str) -> str:
    """A certificate in ACM (AWS/acm/latest/APIReference/API_DescribeCertificate.html); "" for one to be requested."""
    if not arn or _CERTIFICATE.fullmatch(arn):
        return ""
    return "should be the ARN of a certificate in ACM, arn:aws:acm:REGION:ACCOUNT:certificate/ID"


def certificate_region(arn: str, region: str) -> str:
    """A load balancer takes certificates of its own region (AWS/acm/latest/userguide/acm-regions.html)."""
    found = _CERTIFICATE.fullmatch(arn)
    if not found or found["region"] == region:
        return ""
    return f"is in {found['region']}, and a load balancer in {region} takes only certificates of its own region"


def hosted_zone(text: str) -> str:
    """The ID of a hosted zone of Route 53, at most 32 characters (Route53/latest/APIReference/API_GetHostedZone.html);
    "" means that there is none."""
    if not text or re.fullmatch(r"Z[A-Z0-9]{1,31}", text):
        return ""
    if text in FILL_IN:
        return "is still to be filled in: the ID of the domain's zone in Route 53; or give certificateArn in its place"
    return "should be the ID of a hosted zone in Route 53, like Z0123456789ABCDEFGHIJ"


MOST_HSTS = 63_072_000
"""Two years: the longest that browsers' preload lists ask for (https://hstspreload.org)."""

Domain = Annotated[str, sound(domain)]
Certificate = Annotated[str, sound(certificate)]
HostedZone = Annotated[str, sound(hosted_zone)]


class HttpsSettings(Section):
    """`https`: the name that users come by ("": they come by plain HTTP), and its certificate: one of ACM's that exists
    (`certificateArn`), or one that is requested and validated by a record in `hostedZone`.

    `hstsSeconds`: for how long browsers remember to come by HTTPS only; with 0 they forget.
    """

    domain: Domain = ""
    certificate_arn: Certificate = ""
    hosted_zone: HostedZone = ""
    hsts_seconds: int = Field(default=0, ge=0, le=MOST_HSTS)


def https_problems(https: HttpsSettings | None, region: str, *, asked: bool, insecure: bool) -> list[str]:
    """How users come in has to be said, and plain HTTP by name.

    `asked`: there is such a section; None is one that is wrong by itself, or none.
    """
    if not asked:
        missing = "https: is missing: the name that users come by (domain); for plain HTTP write insecure: true"
        return [] if insecure else [missing]
    problems = ["insecure: there is https as well; leave one of them out"] if insecure else []
    if https is None:
        return problems
    if not https.domain:
        problems.append("https.domain: is missing: the name that users come by")
    if not https.certificate_arn and not https.hosted_zone:
        way = "the Route 53 zone in which a certificate of the domain is validated; or give certificateArn"
        problems.append(f"https.hostedZone: is missing: {way}")
    elif https.certificate_arn and https.hosted_zone:
        problems.append("https.hostedZone: is for a certificate that is requested, but certificateArn names one")
    elif problem := requested(https.domain) if https.hosted_zone else "":
        problems.append(f"https.domain: {problem}")
    if problem := certificate_region(https.certificate_arn, region):
        problems.append(f"https.certificateArn: {problem}")
    return problems
