"""The certificate of the name that users come by: one that exists (`https.certificateArn`), or one that ACM issues once
a record in the zone shows that the name is yours. A new one is given to the listeners before the old one goes."""

from __future__ import annotations

import pulumi
from pulumi_aws import acm, route53
from release_lane.program import Lane


def certificate(lane: Lane) -> pulumi.Input[str]:
    """Its ARN, once it is issued."""
    https, name = lane.settings.https, lane.names.cluster
    if https.certificate_arn:
        return https.certificate_arn
    requested = acm.Certificate(name, domain_name=https.domain, validation_method="DNS", tags={"Name": name})
    proof = requested.domain_validation_options[0]
    record = route53.Record(
        f"{name}-certificate",
        zone_id=https.hosted_zone,
        name=proof.resource_record_name,
        type=proof.resource_record_type,
        records=[proof.resource_record_value],
        ttl=300,
        allow_overwrite=True,  # the same name's proof may be there, for a certificate before this one
        # and other certificates of the name are renewed by it
        opts=pulumi.ResourceOptions(retain_on_delete=True),
    )
    validated = acm.CertificateValidation(name, certificate_arn=requested.arn, validation_record_fqdns=[record.fqdn])
    arn: pulumi.Output[str] = validated.certificate_arn
    return arn
