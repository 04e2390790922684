"""The certificate that the stack file names, looked at before it is given to a listener that serves users.

Source: AWS/acm/latest/APIReference/API_DescribeCertificate.html.
"""

from __future__ import annotations

from release_lane.aws.session import client
from release_lane.record.certificate import Certificate
from release_lane.record.names import Access


def certificate_in(access: Access, arn: str) -> Certificate:
    """As ACM has it; without a status where it does not exist in this account and region."""
    acm = client(access, "acm")
    try:
        found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    except acm.exceptions.ResourceNotFoundException:
        return Certificate()
    ends = found.get("NotAfter")
    names = (found.get("DomainName"), *(found.get("SubjectAlternativeNames") or ()))
    return Certificate(
        status=str(found.get("Status") or ""),
        names=tuple(dict.fromkeys(str(name) for name in names if name)),
        ends=ends.timestamp() if ends else 0.0,
    )
