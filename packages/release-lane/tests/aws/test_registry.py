"""Findings of ECR's two kinds of scans, as the API reference shows them."""

from __future__ import annotations

import pytest
from release_lane.aws.registry import findings_in
from release_lane.operate.scanning import Finding

pytestmark = pytest.mark.pure


def test_a_finding_of_a_basic_scan_is_read() -> None:
    attributes = [{"key": "package_version", "value": "3.0.1"}, {"key": "package_name", "value": "openssl"}]
    page = {"findings": [{"name": "CVE-1", "severity": "CRITICAL", "uri": "https://x", "attributes": attributes}]}
    assert findings_in(page) == [Finding(name="CVE-1", severity="critical", package="openssl 3.0.1")]
    assert findings_in({"findings": [{}]}) == [Finding(name="?", severity="undefined")]


def test_a_finding_of_an_enhanced_scan_is_read() -> None:
    packages = [{"name": "requests", "version": "2.0"}, {"name": "requests", "version": "2.0"}]
    about = {"vulnerabilityId": "CVE-2", "vulnerablePackages": packages}
    found = {"title": "CVE-2 - requests", "severity": "UNTRIAGED", "packageVulnerabilityDetails": about}
    secret = {"title": "a secret in a layer", "severity": "HIGH"}
    assert findings_in({"enhancedFindings": [found, secret]}) == [
        Finding(name="CVE-2", severity="undefined", package="requests 2.0"),
        Finding(name="a secret in a layer", severity="high"),
    ]
