"""Certificates of ACM: requested, and waited for until they are issued."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from provider_kit import Context, Props, UserError
from typing_extensions import override

from local_aws.standins.aws.base import REGION, TAGS, AwsResource, rfc3339, tag_list, tag_map, tags_at_creation
from local_aws.standins.aws.door import unless_gone
from local_aws.standins.aws.waiting import until, while_in_use
from local_aws.standins.fields import from_api, to_api
from local_aws.standins.schema import Prop, Table, upstream

RECORDS_WITHIN, ISSUED_WITHIN = 5 * 60.0, 75 * 60.0  # seconds, as in pulumi-aws
RELEASED_WITHIN = 20.0  # seconds for a deleted listener to let go of a certificate
NEVER = "0001-01-01 00:00:00 +0000 UTC"
"""How pulumi-aws spells the time of what has not happened."""

OPTIONS: Table = {
    "certificateTransparencyLoggingPreference": Prop("CertificateTransparencyLoggingPreference", default="ENABLED"),
    "export": Prop("Export", computed=True),
}


class Certificate(AwsResource):
    """Its id is its ARN. Created is not issued: that is what a CertificateValidation waits for."""

    token = "aws:acm/certificate:Certificate"
    service = "acm"
    source = upstream("acm/certificate", "acm/certificate")
    props = (
        {
            "domainName": Prop("DomainName", replace=True, required=True, departs="required: nothing is imported here"),
            "subjectAlternativeNames": Prop(
                "SubjectAlternativeNames",
                replace=True,
                computed=True,
                unordered=True,
                departs="the domain name is not added to what was given",
            ),
            "validationMethod": Prop(
                "ValidationMethod", replace=True, required=True, departs="required: no private authority here"
            ),
            "keyAlgorithm": Prop("KeyAlgorithm", replace=True, computed=True),
            "options": Prop("Options", fields=OPTIONS, computed=True),
        }
        | TAGS
        | REGION
    )
    outputs = frozenset(
        {"arn", "domainValidationOptions", "notAfter", "notBefore", "renewalEligibility", "status", "type"}
    )
    not_given = frozenset({"pendingRenewal", "renewalSummaries", "validationEmails"})

    @override
    def make(self, api: Any, new: Props) -> str:
        return str(api.request_certificate(**to_api(self.props, new), **tags_at_creation(new))["CertificateArn"])

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        def known() -> bool:
            shown = api.describe_certificate(CertificateArn=id)["Certificate"]
            return all(one.get("ResourceRecord") for one in shown.get("DomainValidationOptions") or ())

        until(ctx, f"validation records of {new['domainName']}", RECORDS_WITHIN, known)

    @override
    def change(self, api: Any, id: str, old: Props, new: Props) -> None:
        if new.get("options") and old.get("options") != new["options"]:
            api.update_certificate_options(CertificateArn=id, Options=to_api(OPTIONS, new["options"]))

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        answer = unless_gone(api.describe_certificate, CertificateArn=id)
        if not answer or answer["Certificate"]["Status"] == "VALIDATION_TIMED_OUT":
            return None
        shown = answer["Certificate"]
        options = shown.get("DomainValidationOptions") or []
        return from_api(self.props, shown) | {
            "arn": id,
            "keyAlgorithm": str(shown.get("KeyAlgorithm", "")).replace("-", "_"),
            "subjectAlternativeNames": _alternatives(shown, known),
            "validationMethod": options[0].get("ValidationMethod", "NONE") if options else "NONE",
            "domainValidationOptions": [_option(one) for one in options],
            "notAfter": rfc3339(shown.get("NotAfter")),
            "notBefore": rfc3339(shown.get("NotBefore")),
            "renewalEligibility": shown.get("RenewalEligibility", ""),
            "status": shown["Status"],
            "type": shown.get("Type", ""),
            "tags": tag_map(api.list_tags_for_certificate(CertificateArn=id).get("Tags")),
        }

    @override
    def retag(self, api: Any, id: str, known: Props, put: dict[str, str], drop: list[str]) -> None:
        if put:
            api.add_tags_to_certificate(CertificateArn=id, Tags=tag_list(put))
        if drop:
            api.remove_tags_from_certificate(CertificateArn=id, Tags=[{"Key": key} for key in drop])

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        in_use = ("ResourceInUseException",)
        while_in_use(ctx, RELEASED_WITHIN, in_use, api.delete_certificate, CertificateArn=id)


def _alternatives(shown: Mapping[str, Any], known: Props) -> list[str]:
    """AWS puts the domain name among them, also where it was not asked for."""
    found = list(shown.get("SubjectAlternativeNames") or ())
    asked = known.get("subjectAlternativeNames")
    if isinstance(asked, list) and shown["DomainName"] not in asked:
        found.remove(shown["DomainName"])
    return found


def _option(one: Mapping[str, Any]) -> Props:
    record = one.get("ResourceRecord") or {}
    return {
        "domainName": one["DomainName"],
        "resourceRecordName": record.get("Name", ""),
        "resourceRecordType": record.get("Type", ""),
        "resourceRecordValue": record.get("Value", ""),
    }


class CertificateValidation(AwsResource):
    """Nothing in AWS: it is there once the certificate is issued, and deleting it does nothing."""

    token = "aws:acm/certificateValidation:CertificateValidation"
    service = "acm"
    source = upstream("acm/certificatevalidation", "acm/certificate_validation")
    props = {
        "certificateArn": Prop(replace=True, required=True),
        "validationRecordFqdns": Prop(replace=True, unordered=True, unread=True),
    } | REGION

    @override
    def make(self, api: Any, new: Props) -> str:
        shown = api.describe_certificate(CertificateArn=new["certificateArn"])["Certificate"]
        if shown.get("Type") != "AMAZON_ISSUED":
            raise UserError(f"{new['certificateArn']} has type {shown.get('Type')}: no validation is necessary")
        if new.get("validationRecordFqdns"):
            _check_records(shown.get("DomainValidationOptions") or (), new["validationRecordFqdns"])
        issued = shown.get("IssuedAt")
        return issued.strftime("%Y-%m-%d %H:%M:%S +0000 UTC") if issued else NEVER

    @override
    def ready(self, ctx: Context, api: Any, id: str, new: Props) -> None:
        arn = new["certificateArn"]

        def issued() -> bool:
            status = api.describe_certificate(CertificateArn=arn)["Certificate"]["Status"]
            if status not in ("ISSUED", "PENDING_VALIDATION"):
                raise UserError(f"{arn} is {status}, not ISSUED")
            return bool(status == "ISSUED")

        until(ctx, f"{arn} issued", ISSUED_WITHIN, issued)

    @override
    def find(self, api: Any, id: str, known: Props) -> Props | None:
        if not known.get("certificateArn"):
            raise UserError(f"{self.token} cannot be imported")
        answer = unless_gone(api.describe_certificate, CertificateArn=known["certificateArn"])
        if not answer or answer["Certificate"]["Status"] != "ISSUED":
            return None
        return {"certificateArn": known["certificateArn"]}

    @override
    def remove(self, ctx: Context, api: Any, id: str, known: Props) -> None:
        """Nothing is there."""


def _check_records(options: Iterable[Mapping[str, Any]], given: Iterable[str]) -> None:
    names = {name.rstrip(".") for name in given}
    for one in options:
        wanted = str((one.get("ResourceRecord") or {}).get("Name", "")).rstrip(".")
        if wanted and wanted not in names:
            raise UserError(f"missing {one['DomainName']} DNS validation record: {wanted}")
