"""The bundle that clients of a local cloud trust."""

from __future__ import annotations

import ssl
import time
from pathlib import Path

import pytest
from local_aws.emulator.acm.authority import Authority
from local_aws.trust import GIVEN, MARK, trusting, write_bundle

pytestmark = pytest.mark.provider  # writes files


def authority(folder: Path) -> Path:
    Authority.ensure(folder, time.time())
    return folder / "ca.pem"


def test_the_bundle_is_the_systems_roots_and_the_authority(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    write_bundle(authority(tmp_path), bundle, {})
    context = ssl.create_default_context(cafile=str(bundle))
    subjects = [dict(pair for (pair,) in one["subject"]) for one in context.get_ca_certs()]  # type: ignore[misc]
    assert len(subjects) > 20
    assert [one.get("organizationName") for one in subjects].count("local-aws") == 1


def test_roots_that_the_environment_names_count_instead_of_the_systems(tmp_path: Path) -> None:
    named, bundle = tmp_path / "company.pem", tmp_path / "bundle.pem"
    named.write_text("# the proxy's\n")
    write_bundle(authority(tmp_path), bundle, dict.fromkeys(GIVEN, str(named)))
    text = bundle.read_text()
    assert text.startswith("# the proxy's\n")
    assert text.count("BEGIN CERTIFICATE") == 1


def test_a_shell_that_uses_a_local_cloud_hands_on_what_it_began_with(tmp_path: Path) -> None:
    named, first, second = (tmp_path / name for name in ("company.pem", "first.pem", "second.pem"))
    named.write_text("# the proxy's\n")
    one, other = authority(tmp_path / "one"), authority(tmp_path / "other")
    write_bundle(one, first, {"SSL_CERT_FILE": str(named)})
    write_bundle(one, first, trusting(first))  # `up` once more, in the shell that read `.local/env`
    write_bundle(other, second, trusting(first))
    assert (first.read_text().count(MARK), second.read_text().count(MARK)) == (1, 1)
    assert second.read_text().startswith("# the proxy's\n")
    assert other.read_text() in second.read_text()
    assert one.read_text() not in second.read_text()


def test_a_bundle_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    write_bundle(authority(tmp_path), bundle, trusting(bundle))
    assert bundle.read_text().count("BEGIN CERTIFICATE") > 20


def test_all_clients_get_the_same_bundle() -> None:
    named = trusting(Path("/x/bundle.pem"))
    assert named.keys() == {"LOCAL_AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    assert set(named.values()) == {"/x/bundle.pem"}
