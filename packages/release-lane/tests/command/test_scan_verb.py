"""`release scan`: it waits for the registry, and refuses what has findings or was not scanned."""

from __future__ import annotations

import pytest
from release_lane.command.adapters.cloud import FakeCloud
from release_lane.command.adapters.engine import FakeEngine
from release_lane.engine.state import StackState
from release_lane.operate.scanning import NOT_FOUND, Finding, Scan
from tests.command.words import A, B, Stage, states

pytestmark = pytest.mark.cli

BAD = Scan(status="COMPLETE", findings=(Finding(name="CVE-1", severity="critical", package="openssl 3.0.1"),))
CLEAN, WAITS, NONE = Scan(status="COMPLETE"), Scan(status="IN_PROGRESS"), Scan(status=NOT_FOUND)
UNSUPPORTED = Scan(status="UNSUPPORTED_IMAGE", description="the operating system is not known")


def stage(*scans: Scan) -> Stage:
    return Stage(engine=FakeEngine(states=states()), cloud=FakeCloud(scans=list(scans)))


def test_the_image_that_was_built_last_is_asked_about_or_the_one_that_is_named() -> None:
    on = stage(CLEAN)
    assert on.run("scan") == 0
    assert on.run("scan", A.digest) == 0
    assert on.cloud.scanned == [("release-lane/app", B.digest), ("release-lane/app", A.digest)]
    assert on.engine.calls == []


def test_findings_are_refused_by_name_with_what_to_do() -> None:
    on = stage(BAD)
    assert on.run("scan") == 1
    assert "| critical | CVE-1 | openssl 3.0.1 | |" in on.out.replace("  ", " ")
    assert "1 finding stops a release of sha256:bbbbbbbbbbbb (--fail-on critical): CVE-1 (openssl 3.0.1)." in on.err
    assert "--accept" in on.err
    assert on.run("scan", "--accept", "CVE-1") == 0
    assert on.run("scan", "--accept", "unscanned") == 1


def test_the_severity_that_stops_is_chosen() -> None:
    on = stage(Scan(status="COMPLETE", findings=(Finding(name="CVE-2", severity="high"),)))
    assert on.run("scan") == 0
    assert on.run("scan", "--fail-on", "high") == 1


def test_a_scan_that_is_under_way_is_waited_for() -> None:
    on = stage(NONE, WAITS, WAITS, BAD)
    assert on.run("scan") == 1
    assert len(on.cloud.scanned) == 4
    assert on.err.count("Waiting for the registry's scan") == 1


@pytest.mark.parametrize(("scan", "waited"), [(WAITS, 300.0), (NONE, 60.0), (UNSUPPORTED, 0.0)])
def test_an_image_that_was_not_scanned_is_refused_in_these_words_after_a_limit(scan: Scan, waited: float) -> None:
    on = stage(scan)
    assert on.run("scan") == 1
    assert "sha256:bbbbbbbbbbbb was not scanned." in on.err
    assert on.machine.time == waited


def test_that_an_image_cannot_be_scanned_has_to_be_said() -> None:
    on = stage(UNSUPPORTED)
    assert on.run("scan", "--accept", "unscanned", "--json") == 0
    assert (on.data["scanned"], on.data["letThrough"]) == (False, "that it is not scanned is accepted")


@pytest.mark.parametrize("scan", [BAD, UNSUPPORTED])
def test_a_hotfix_is_not_stopped_and_what_was_found_is_shown_with_its_reason(scan: Scan) -> None:
    on = stage(scan)
    assert on.run("scan", "--hotfix", "prices are wrong") == 0
    assert "Not stopped: hotfix: prices are wrong." in on.out
    assert on.run("scan", "--hotfix", "") == 1


def test_without_an_image_nothing_is_asked() -> None:
    on = stage(CLEAN)
    on.engine.states["artifacts"] = StackState(outputs={})
    assert on.run("scan") == 2
    assert "release build" in on.err
    assert on.run("scan", "latest") == 2
    assert on.cloud.scanned == []
