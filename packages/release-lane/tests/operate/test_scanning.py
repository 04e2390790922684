"""What of an image's scan stops a release, and how it is said."""

from __future__ import annotations

import pytest
from release_lane.operate.scanning import NOT_FOUND, UNSCANNED, Finding, Scan, as_data, as_text, judged, merged

pytestmark = pytest.mark.pure

DIGEST = "sha256:" + "b" * 64
SHORT = DIGEST[:19]
WORST = Finding(name="CVE-1", severity="critical", package="openssl 3.0.1")
BAD = Finding(name="CVE-2", severity="high")
MILD = Finding(name="CVE-3", severity="low")
COMPLETE = Scan(status="COMPLETE", findings=(MILD, BAD, WORST))


@pytest.mark.parametrize(
    ("limit", "names"), [("critical", ["CVE-1"]), ("high", ["CVE-1", "CVE-2"]), ("medium", ["CVE-1", "CVE-2"])]
)
def test_a_finding_of_the_severity_or_a_worse_one_stops_a_release_and_is_named(limit: str, names: list[str]) -> None:
    found = judged(COMPLETE, limit, ())
    assert [each.name for each in found.stopping] == names
    assert all(name in found.why(DIGEST) for name in names)
    assert "CVE-1 (openssl 3.0.1)" in found.why(DIGEST)


def test_an_accepted_finding_stops_nothing_and_is_shown() -> None:
    found = judged(COMPLETE, "high", ("CVE-1", "CVE-2"))
    assert found.why(DIGEST) == ""
    assert "| critical | CVE-1 | openssl 3.0.1 | accepted |" in as_text(DIGEST, found, "")
    assert as_data(DIGEST, found, "")["accepted"] == ["CVE-1", "CVE-2"]


@pytest.mark.parametrize(
    "status",
    [NOT_FOUND, "FAILED", "UNSUPPORTED_IMAGE", "IN_PROGRESS", "PENDING", "LIMIT_EXCEEDED", "FINDINGS_UNAVAILABLE",
     "SCAN_ELIGIBILITY_EXPIRED", "IMAGE_ARCHIVED", "SOMETHING_NEW"],
)  # fmt: skip
def test_an_image_without_a_result_is_said_to_be_not_scanned_and_never_passes(status: str) -> None:
    scan = Scan(status=status, description="distroless")
    found = judged(scan, "critical", (UNSCANNED,))
    assert found.why(DIGEST) == f"{SHORT} was not scanned."
    assert as_text(DIGEST, found, "").startswith(f"`{SHORT}` was **not scanned**: ")
    assert "distroless" in scan.why
    assert as_data(DIGEST, found, "")["scanned"] is False


@pytest.mark.parametrize("status", ["COMPLETE", "ACTIVE"])
def test_a_scan_without_findings_passes(status: str) -> None:
    found = judged(Scan(status=status, description="by the registry"), "critical", ())
    assert found.why(DIGEST) == ""
    assert as_text(DIGEST, found, "") == f"Image scan of `{SHORT}`: no findings (by the registry)."


def test_all_severities_are_counted_the_worst_first_and_one_that_is_not_known_last() -> None:
    odd = Finding(name="CVE-4", severity="new")
    found = judged(Scan(status="COMPLETE", findings=(odd, MILD, BAD, MILD)), "critical", ())
    assert as_text(DIGEST, found, "") == f"Image scan of `{SHORT}`: 1 high, 2 low, 1 new."


def test_many_findings_are_cut_in_text_and_all_there_as_data() -> None:
    many = tuple(Finding(name=f"CVE-{number:03}", severity="critical") for number in range(30))
    found = judged(Scan(status="COMPLETE", findings=many), "critical", ())
    assert found.why(DIGEST).endswith("CVE-019 and 10 more.")
    assert len(as_data(DIGEST, found, "")["findings"]) == 30


@pytest.mark.parametrize(
    ("statuses", "status"),
    [
        (["COMPLETE", "COMPLETE"], "COMPLETE"), (["COMPLETE", "IN_PROGRESS"], "IN_PROGRESS"),
        (["IN_PROGRESS", "UNSUPPORTED_IMAGE"], "UNSUPPORTED_IMAGE"), (["ACTIVE", NOT_FOUND], NOT_FOUND),
    ],
)  # fmt: skip
def test_an_index_is_scanned_when_all_its_platforms_are(statuses: list[str], status: str) -> None:
    found = merged([Scan(status=each, findings=(BAD,)) for each in statuses])
    assert (found.status, found.findings) == (status, (BAD,))
