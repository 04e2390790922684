"""Keys and certificates: what the authority makes, and what an import is looked at for."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws.emulator.acm.authority import AUTHORITY_LASTS, Authority, check, facts
from local_aws.emulator.acm.model import Material
from local_aws.emulator.wire import ServiceError

pytestmark = pytest.mark.provider  # writes keys

NOW = 1_800_000_000.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.ensure(tmp_path, NOW)


def issued(authority: Authority, *names: str, algorithm: str = "EC_prime256v1") -> Material:
    return authority.issue(names or ("shop.test",), algorithm, NOW - 60, NOW + 60)


def test_an_authority_stays_the_same_and_its_key_is_its_owners(tmp_path: Path) -> None:
    first, again = Authority.ensure(tmp_path, NOW), Authority.ensure(tmp_path, NOW + 99)
    assert first.certificate == again.certificate
    assert stat.S_IMODE((tmp_path / "ca.key").stat().st_mode) == 0o600
    assert facts((tmp_path / "ca.pem").read_text()).not_after == NOW + AUTHORITY_LASTS


def test_two_authorities_have_different_names(tmp_path: Path) -> None:
    subjects = {Authority.ensure(tmp_path / name, NOW).certificate.subject for name in "ab"}
    assert len(subjects) == 2


@pytest.mark.parametrize("algorithm", ["RSA_2048", "EC_prime256v1", "EC_secp384r1"])
def test_a_certificate_says_what_was_asked_for(authority: Authority, algorithm: str) -> None:
    said = facts(issued(authority, "shop.test", "*.shop.test", algorithm=algorithm).certificate)
    assert said.names == ("shop.test", "*.shop.test")
    assert (said.key_algorithm, said.signature_algorithm) == (algorithm, "SHA256WITHECDSA")
    assert (said.not_before, said.not_after) == (NOW - 60, NOW + 60)
    assert said.issuer == authority.certificate.subject.rfc4514_string()


def test_a_name_that_is_no_common_name_for_its_length_is_one_all_the_same(authority: Authority) -> None:
    name = f"{'a' * 60}.{'b' * 60}.test"
    assert facts(issued(authority, name).certificate).names == (name,)


def test_what_the_authority_made_can_be_imported(authority: Authority) -> None:
    material = issued(authority)
    assert check(material, NOW) == facts(material.certificate)


def refusal(material: Material, now: float = NOW) -> str:
    with pytest.raises(ServiceError) as caught:
        check(material, now)
    assert caught.value.code == "ValidationException"
    return caught.value.message


def test_an_import_that_does_not_fit_together_is_refused(authority: Authority, tmp_path: Path) -> None:
    good, other = issued(authority), issued(Authority.ensure(tmp_path / "other", NOW), "other.test")
    assert "not a certificate in PEM" in refusal(replace(good, certificate="none"))
    assert "more than one" in refusal(replace(good, certificate=good.certificate + good.chain))
    assert "key does not match" in refusal(replace(good, key=other.key))
    assert "not an unencrypted key" in refusal(replace(good, key="none"))
    assert "with the certificate chain" in refusal(replace(good, chain=other.chain))
    assert "chain is not in PEM" in refusal(replace(good, chain="none"))
    assert "not a valid self signed" in refusal(replace(good, chain=""))


@pytest.mark.parametrize("now", [NOW - 61, NOW + 61])
def test_an_import_is_good_only_while_it_is_valid(authority: Authority, now: float) -> None:
    assert "not valid now" in refusal(issued(authority), now)


def test_a_self_signed_certificate_needs_no_chain(tmp_path: Path) -> None:
    Authority.ensure(tmp_path, NOW)
    itself = Material(certificate=(tmp_path / "ca.pem").read_text(), chain="", key=(tmp_path / "ca.key").read_text())
    assert check(itself, NOW).names[0].startswith("local cloud ")


def test_the_file_for_a_load_balancer_holds_certificate_chain_and_key(authority: Authority) -> None:
    material = issued(authority)
    assert material.pem.count("BEGIN CERTIFICATE") == 2
    assert material.pem.index(material.certificate.strip()) < material.pem.index("PRIVATE KEY")
