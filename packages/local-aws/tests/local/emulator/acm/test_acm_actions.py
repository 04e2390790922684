"""What each of ACM's actions changes, answers and refuses: pure, against a state in memory."""

from __future__ import annotations

from typing import Any

import pytest
from local_aws.emulator.acm.model import VALIDATED_WITHIN
from local_aws.emulator.acm.records import Record, record_of
from local_aws.emulator.wire import ServiceError
from tests.local.emulator.acm.requests import YEAR, Account, blob

pytestmark = pytest.mark.pure

ACCOUNT = "000000000000"


@pytest.fixture
def account() -> Account:
    return Account()


def refused(account: Account, code: str, action: str, **members: Any) -> str:
    """The message; and nothing has changed."""
    before = account.state
    with pytest.raises(ServiceError) as caught:
        account.do(action, **members)
    assert caught.value.code == code
    assert account.state is before
    return caught.value.message


def validate(account: Account, *names: str) -> None:
    account.records |= {record_of(ACCOUNT, name) for name in names}


# ---------------------------------------------------------------- requests and their records


def test_a_request_is_pending_and_names_the_record_that_it_waits_for(account: Account) -> None:
    shown = account.shown(account.request("shop.test"))
    (option,) = shown["DomainValidationOptions"]
    assert (shown["Status"], option["ValidationStatus"]) == ("PENDING_VALIDATION", "PENDING_VALIDATION")
    record = option["ResourceRecord"]
    assert (record["Type"], record["Name"].endswith(".shop.test.")) == ("CNAME", True)
    assert record["Value"].endswith(".acm-validations.aws.")
    assert "Serial" not in shown


def test_it_is_issued_once_the_records_of_all_its_names_are_there(account: Account) -> None:
    arn = account.request("shop.test", "www.other.test")
    validate(account, "shop.test")
    assert account.shown(arn)["Status"] == "PENDING_VALIDATION"
    validate(account, "www.other.test")
    shown = account.shown(arn)
    assert (shown["Status"], shown["Type"], shown["IssuedAt"]) == ("ISSUED", "AMAZON_ISSUED", account.now)
    assert {one["ValidationStatus"] for one in shown["DomainValidationOptions"]} == {"SUCCESS"}


def test_a_record_that_goes_later_takes_nothing_away(account: Account) -> None:
    arn = account.request("shop.test")
    validate(account, "shop.test")
    assert account.shown(arn)["Status"] == "ISSUED"
    account.records.clear()
    assert account.shown(arn)["Status"] == "ISSUED"


def test_a_wildcard_shares_the_record_of_its_parent_and_other_accounts_have_others() -> None:
    assert record_of(ACCOUNT, "*.shop.test") == record_of(ACCOUNT, "shop.test")
    assert len({record_of(account, name) for account in (ACCOUNT, "1") for name in ("a.test", "b.test")}) == 4


def test_a_request_without_its_record_times_out(account: Account) -> None:
    arn = account.request("shop.test")
    account.now += VALIDATED_WITHIN + 1
    validate(account, "shop.test")
    shown = account.shown(arn)
    assert (shown["Status"], shown["DomainValidationOptions"][0]["ValidationStatus"]) == (
        "VALIDATION_TIMED_OUT",
        "FAILED",
    )


def test_the_same_request_with_the_same_token_is_one_certificate_for_an_hour(account: Account) -> None:
    first = account.request("shop.test", IdempotencyToken="once")
    assert account.request("shop.test", IdempotencyToken="once") == first
    assert account.request("other.test", IdempotencyToken="once") != first
    account.now += 3600
    assert account.request("shop.test", IdempotencyToken="once") != first


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ({"DomainName": "localhost"}, "ValidationException", "fully qualified"),
        ({"DomainName": "-a.test"}, "ValidationException", "fully qualified"),
        ({"DomainName": "a.*.test"}, "ValidationException", "fully qualified"),
        ({"DomainName": f"{'a' * 60}.test"}, "InvalidDomainValidationOptionsException", "no longer than 64"),
        ({"DomainName": None}, "ValidationException", "null at 'domainName'"),
        ({"ValidationMethod": "EMAIL"}, "ValidationException", "validates by DNS only"),
        ({"KeyAlgorithm": "RSA_1024"}, "ValidationException", "RSA_1024"),
        ({"SubjectAlternativeNames": [f"{one}.test" for one in range(10)]}, "LimitExceededException", "11 domain"),
        ({"CertificateAuthorityArn": "arn:aws:acm-pca:x"}, "ValidationException", "CertificateAuthorityArn"),
        ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidTagException", "cannot begin with 'aws:'"),
    ],
)
def test_what_cannot_be_requested_is_refused(account: Account, given: Any, code: str, said: str) -> None:
    wanted = {"DomainName": "shop.test", "ValidationMethod": "DNS", **given}
    assert said in refused(account, code, "RequestCertificate", **wanted)


def test_names_after_the_first_may_be_longer_than_its_64_characters(account: Account) -> None:
    first, second = f"{'a' * 59}.test", f"{'a' * 63}.{'b' * 60}.test"
    assert account.shown(account.request(first, second))["SubjectAlternativeNames"] == [first, second]


# ---------------------------------------------------------------- imports


def test_an_imported_certificate_is_issued_and_says_its_own_names(account: Account) -> None:
    shown = account.shown(account.import_("shop.test", "www.shop.test"))
    assert (shown["Status"], shown["Type"], shown["DomainName"]) == ("ISSUED", "IMPORTED", "shop.test")
    assert shown["SubjectAlternativeNames"] == ["shop.test", "www.shop.test"]
    assert (shown["ImportedAt"], "IssuedAt" in shown) == (account.now, False)
    assert "DomainValidationOptions" not in shown


def test_a_certificate_is_imported_anew_under_its_arn_and_keeps_its_tags(account: Account) -> None:
    arn = account.import_("shop.test", Tags=[{"Key": "team", "Value": "a"}])
    account.now += 60
    assert account.import_("new.test", CertificateArn=arn) == arn
    assert account.shown(arn)["DomainName"] == "new.test"
    assert account.do("ListTagsForCertificate", CertificateArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]


def test_only_what_was_imported_is_imported_anew(account: Account) -> None:
    arn = account.request("shop.test")
    members = {"Certificate": blob("shop.test"), "PrivateKey": blob("key"), "CertificateArn": arn}
    assert "was not imported" in refused(account, "ValidationException", "ImportCertificate", **members)


def test_what_is_no_certificate_is_not_imported(account: Account) -> None:
    members = {"Certificate": blob("shop.test"), "PrivateKey": blob("none")}
    refused(account, "ValidationException", "ImportCertificate", **members)
    refused(account, "SerializationException", "ImportCertificate", **members | {"PrivateKey": "no base64"})


def test_a_certificate_expires(account: Account) -> None:
    arn = account.import_("shop.test")
    account.now += YEAR + 1
    assert account.shown(arn)["Status"] == "EXPIRED"


# ---------------------------------------------------------------- the rest


def test_certificate_and_chain_are_given_out_and_the_key_never(account: Account) -> None:
    arn = account.request("shop.test")
    refused(account, "RequestInProgressException", "GetCertificate", CertificateArn=arn)
    validate(account, "shop.test")
    assert account.do("GetCertificate", CertificateArn=arn) == {"Certificate": "shop.test", "CertificateChain": "chain"}


def test_what_a_load_balancer_uses_is_not_deleted(account: Account) -> None:
    arn = account.import_("shop.test")
    account.users[arn] = ["arn:lb"]
    assert account.shown(arn)["InUseBy"] == ["arn:lb"]
    message = refused(account, "ResourceInUseException", "DeleteCertificate", CertificateArn=arn)
    assert message == f"Certificate {arn} in account {ACCOUNT} is in use."
    account.users.clear()
    account.do("DeleteCertificate", CertificateArn=arn)
    refused(account, "ResourceNotFoundException", "DescribeCertificate", CertificateArn=arn)


def test_a_list_shows_rsa_only_unless_it_is_asked_for_more(account: Account) -> None:
    rsa, curve = account.request("rsa.test"), account.request("ec.test", KeyAlgorithm="EC_prime256v1")

    def listed(**given: Any) -> list[str]:
        return [one["CertificateArn"] for one in account.do("ListCertificates", **given)["CertificateSummaryList"]]

    assert listed() == [rsa]
    assert listed(Includes={"keyTypes": ["RSA_2048", "EC_prime256v1"]}) == [rsa, curve]
    assert listed(CertificateStatuses=["ISSUED"]) == []


def test_a_list_comes_in_pages(account: Account) -> None:
    arns = [account.request(f"{name}.test") for name in "abc"]
    first = account.do("ListCertificates", MaxItems=2)
    second = account.do("ListCertificates", MaxItems=2, NextToken=first["NextToken"])
    pages = [*first["CertificateSummaryList"], *second["CertificateSummaryList"]]
    assert [one["CertificateArn"] for one in pages] == arns
    assert "NextToken" not in second


def test_tags_are_put_and_taken_away(account: Account) -> None:
    arn = account.request("shop.test", Tags=[{"Key": "a", "Value": "1"}])
    account.do("AddTagsToCertificate", CertificateArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    account.do("RemoveTagsFromCertificate", CertificateArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    assert account.do("ListTagsForCertificate", CertificateArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}]


def test_another_region_has_other_certificates(account: Account) -> None:
    arn = account.request("shop.test")
    account.region = "eu-west-1"
    refused(account, "ResourceNotFoundException", "DescribeCertificate", CertificateArn=arn)
    assert account.do("ListCertificates")["CertificateSummaryList"] == []


def test_what_is_no_arn_of_a_certificate_is_said_to_be_none(account: Account) -> None:
    refused(account, "InvalidArnException", "DescribeCertificate", CertificateArn="shop.test")


def test_the_key_algorithm_is_spelled_as_aws_spells_it(account: Account) -> None:
    assert account.shown(account.request("shop.test"))["KeyAlgorithm"] == "RSA-2048"
    assert account.shown(account.import_("shop.test"))["KeyAlgorithm"] == "EC-prime256v1"


def test_a_record_is_compared_as_a_whole(account: Account) -> None:
    arn = account.request("shop.test")
    right = record_of(ACCOUNT, "shop.test")
    account.records.add(Record(right.name, "_other.acm-validations.aws."))
    assert account.shown(arn)["Status"] == "PENDING_VALIDATION"
