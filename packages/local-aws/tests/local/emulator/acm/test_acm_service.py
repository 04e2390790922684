"""ACM's service: what is kept over a restart, who hears of a certificate, and the wire."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from local_aws.emulator.acm.api import answer
from local_aws.emulator.acm.service import Service
from local_aws.emulator.query import Scope
from local_aws.emulator.wire import ServiceError, Unreadable
from tests.local.emulator.acm.requests import blob

pytestmark = pytest.mark.provider  # writes keys and a state file

SCOPE = ("000000000000", "us-east-1")


class Servers:
    """Load balancers that have every certificate, if any. `heard`: those that they were to serve with anew."""

    def __init__(self, *balancers: str) -> None:
        self.balancers = balancers
        self.heard: list[str] = []

    def users(self, _certificate: str) -> tuple[str, ...]:
        return self.balancers

    def renewed(self, certificate: str) -> None:
        self.heard.append(certificate)


def service(folder: Path, *, validated: bool = True) -> Service:
    return Service(folder, exists=lambda _record, _account, _region: validated)


def requested(one: Service) -> str:
    wanted = {"DomainName": "shop.test", "ValidationMethod": "DNS", "KeyAlgorithm": "EC_prime256v1"}
    return str(one.perform("RequestCertificate", wanted, *SCOPE)["CertificateArn"])


def imported(one: Service, arn: str = "") -> str:
    """A certificate that was issued here serves as one from elsewhere."""
    found = one.material(requested(one)) or one.material(issued(one))
    assert found
    given = {"Certificate": found.certificate, "CertificateChain": found.chain, "PrivateKey": found.key}
    again = {"CertificateArn": arn} if arn else {}
    members = {name: blob(value) for name, value in given.items()} | again
    return str(one.perform("ImportCertificate", members, *SCOPE)["CertificateArn"])


def issued(one: Service) -> str:
    arn = requested(one)
    assert one.find(arn, *SCOPE)
    return arn


def test_a_look_issues_and_what_was_issued_is_kept_with_its_key(tmp_path: Path) -> None:
    first = service(tmp_path)
    arn = requested(first)
    assert first.material(arn) is None
    found = first.find(arn, *SCOPE)
    assert found
    again = service(tmp_path, validated=False)
    assert again.material(arn) is not None
    assert again.material(arn) == first.material(arn)
    assert stat.S_IMODE((tmp_path / "acm.json").stat().st_mode) == 0o600


def test_a_certificate_is_found_only_in_its_own_region(tmp_path: Path) -> None:
    one = service(tmp_path)
    assert one.find(requested(one), SCOPE[0], "eu-west-1") is None


def test_load_balancers_hear_of_an_import_and_of_nothing_else(tmp_path: Path) -> None:
    one, servers = service(tmp_path), Servers()
    one.attach(servers)
    arn = imported(one)
    assert imported(one, arn) == arn
    assert servers.heard == [arn, arn]


def test_what_load_balancers_use_stays(tmp_path: Path) -> None:
    one = service(tmp_path)
    arn = issued(one)
    one.attach(Servers("arn:lb"))
    with pytest.raises(ServiceError, match="is in use"):
        one.perform("DeleteCertificate", {"CertificateArn": arn}, *SCOPE)
    one.attach(None)
    one.perform("DeleteCertificate", {"CertificateArn": arn}, *SCOPE)
    assert one.material(arn) is None


def test_a_file_that_is_no_state_is_not_written_over(tmp_path: Path) -> None:
    service(tmp_path)
    (tmp_path / "acm.json").write_text('{"version": 99}')
    with pytest.raises(Unreadable, match="remove it"):
        service(tmp_path)


def said(one: Service, action: str, body: bytes) -> tuple[int, Any]:
    status, _, text = answer(one, action, body, Scope(*SCOPE))
    return status, json.loads(text)


def test_errors_go_out_as_the_protocol_has_them(tmp_path: Path) -> None:
    one = service(tmp_path)
    assert said(one, "ListCertificates", b"{}") == (200, {"CertificateSummaryList": []})
    assert said(one, "RenewCertificate", b"{}")[1]["__type"] == "UnknownOperationException"
    assert said(one, "ListCertificates", b"{")[1]["__type"] == "SerializationException"
    assert said(one, "DescribeCertificate", b'{"CertificateArn": "x"}')[1]["__type"] == "InvalidArnException"
