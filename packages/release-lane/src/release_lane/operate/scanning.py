"""What the registry's scan found in an image, and whether that stops a release. Pure.

An image that was not scanned never counts as one without findings.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from release_lane.record.digest import short

SEVERITIES = ("critical", "high", "medium", "low", "informational", "undefined")
"""From the worst one down. ECR's own names in lower case; any other one comes last."""
LIMITS = SEVERITIES[:3]
"""From which severity on a finding may stop a release."""
UNSCANNED = "unscanned"
"""What is accepted where an image cannot be scanned."""
NAMED = 20
"""So many findings are named in a refusal and in the table; `--json` has all."""

SCANNED = ("COMPLETE", "ACTIVE")
"""ACTIVE: Inspector has scanned it, and goes on to (enhanced scanning)."""
WAITING = ("IN_PROGRESS", "PENDING")
NOT_FOUND = "NOT_FOUND"
"""No scan of this image is known (ScanNotFoundException): it is off for this repository, or about to begin."""


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """`name`: such as CVE-2026-1234. `package`: name and version, where they are known."""

    name: str
    severity: str
    package: str = ""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return SEVERITIES.index(self.severity) if self.severity in SEVERITIES else len(SEVERITIES)

    def words(self) -> str:
        """`CVE-2026-1234 (openssl 3.0.1)`."""
        return f"{self.name} ({self.package})" if self.package else self.name


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The scan of one image. `status`: ECR's own word, or NOT_FOUND; `description`: what ECR says about it."""

    status: str
    description: str = ""
    findings: tuple[Finding, ...] = ()

    @property
    def done(self) -> bool:
        return self.status in SCANNED

    @property
    def waits(self) -> bool:
        """May it still come?"""
        return self.status in WAITING

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each severity, the worst first."""
        order = sorted({each.severity: each for each in self.findings}.values(), key=lambda each: each.rank)
        return {of.severity: sum(each.severity == of.severity for each in self.findings) for of in order}

    @property
    def why(self) -> str:
        """Why there is no result, in words."""
        said = {
            NOT_FOUND: "the registry knows no scan of it; is scanning on push switched on?",
            **dict.fromkeys(WAITING, "its scan has not ended"),
        }.get(self.status, f"the registry says {self.status}")
        return f"{said} ({self.description})" if self.description else said


def merged(scans: Sequence[Scan]) -> Scan:
    """One scan of an index, from those of its platforms: done if all are."""
    worst = min(scans, key=lambda each: (each.done, each.waits))
    found = sorted({finding for each in scans for finding in each.findings})
    return Scan(status=worst.status, description=worst.description, findings=tuple(found))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """`stopping`: findings that stop a release, the worst first. `accepted`: those that would have."""

    scan: Scan
    limit: str
    stopping: tuple[Finding, ...]
    accepted: tuple[Finding, ...]

    def why(self, digest: str) -> str:
        """Why the image is refused; empty where it is not."""
        if not self.scan.done:
            return f"{short(digest)} was not scanned."
        if not self.stopping:
            return ""
        things = "1 finding stops" if len(self.stopping) == 1 else f"{len(self.stopping)} findings stop"
        return f"{things} a release of {short(digest)} (--fail-on {self.limit}): {_named(self.stopping)}."


def judged(scan: Scan, limit: str, accepted: Collection[str]) -> Judged:
    """By the least severity that stops a release, and the names of findings that are accepted."""
    bad = [each for each in sorted(scan.findings, key=_worst_first) if each.rank <= SEVERITIES.index(limit)]
    return Judged(
        scan=scan,
        limit=limit,
        stopping=tuple(each for each in bad if each.name not in accepted),
        accepted=tuple(each for each in bad if each.name in accepted),
    )


def as_text(digest: str, found: Judged, let_through: str) -> str:
    """Markdown: how many findings there are, and those that count."""
    rows = [
        f"| {each.severity} | {each.name} | {each.package} | {'accepted' if each in found.accepted else ''} |"
        for each in (*found.stopping, *found.accepted)[:NAMED]
    ]
    table = ["", "| severity | finding | package | |", "| --- | --- | --- | --- |", *rows] if rows else []
    return "\n".join(
        [said_of(digest, found.scan), *table, *([f"\nNot stopped: {let_through}."] if let_through else [])]
    )


def as_data(digest: str, found: Judged, let_through: str) -> dict[str, Any]:
    """The same for `--json`, with all findings."""
    names = {each.name for each in found.accepted}
    return {
        "digest": digest,
        "scanned": found.scan.done,
        "status": found.scan.status,
        "description": found.scan.description,
        "failOn": found.limit,
        "findings": [
            {"name": each.name, "severity": each.severity, "package": each.package}
            for each in sorted(found.scan.findings, key=_worst_first)
        ],
        "stopping": [each.name for each in found.stopping],
        "accepted": sorted(names),
        "letThrough": let_through,
    }


def said_of(digest: str, scan: Scan) -> str:
    """One sentence of Markdown."""
    if not scan.done:
        return f"`{short(digest)}` was **not scanned**: {scan.why}."
    said = ", ".join(f"{count} {name}" for name, count in scan.counts.items()) or "no findings"
    note = f" ({scan.description})" if scan.description else ""
    return f"Image scan of `{short(digest)}`: {said}{note}."


def _worst_first(finding: Finding) -> tuple[int, Finding]:
    return finding.rank, finding


def _named(findings: Sequence[Finding]) -> str:
    more = f" and {len(findings) - NAMED} more" if len(findings) > NAMED else ""
    return ", ".join(each.words() for each in findings[:NAMED]) + more
