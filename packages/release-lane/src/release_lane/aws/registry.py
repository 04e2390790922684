"""The account's own registry: a login for tools other than the SDK, and what it found in an image.

Sources: ECR API, GetAuthorizationToken, DescribeImageScanFindings, ImageScanStatus, EnhancedImageScanFinding.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from release_lane.aws.cloud import MANIFESTS
from release_lane.aws.session import client
from release_lane.errors import UsageError
from release_lane.operate.scanning import NOT_FOUND, Finding, Scan, merged
from release_lane.record.names import Access


@dataclass(frozen=True, kw_only=True)
class Registry:
    """`name` is its host in image references; `host` is where it answers, which differs on the local cloud."""

    name: str
    host: str
    tls: bool = True
    login: str = field(default="", repr=False)
    """User and password in base64, valid for some hours."""

    def answers_for(self, host: str) -> bool:
        """Is an image reference with this host one of this registry?"""
        return host in (self.name, self.host)


def registry_of(access: Access) -> Registry:
    """Ask for a login. AWS_ENDPOINT_URL names another endpoint, such as the local cloud."""
    (data,) = client(access, "ecr").get_authorization_token()["authorizationData"]
    name = urlsplit(data["proxyEndpoint"]).netloc
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    host, scheme = (endpoint.netloc, endpoint.scheme) if endpoint.netloc else (name, "https")
    return Registry(name=name, host=host, tls=scheme != "http", login=data["authorizationToken"])


def scan_of(access: Access, repository: str, digest: str) -> Scan:
    """The scan of an image as it is now; of an index, those of its platforms. UsageError for an unknown image."""
    ecr = client(access, "ecr")
    try:
        return merged([_scan_of(ecr, repository, each) for each in _scanned(ecr, repository, digest)])
    except (ecr.exceptions.ImageNotFoundException, ecr.exceptions.RepositoryNotFoundException) as error:
        raise UsageError(
            f"There is no image {digest} in the repository {repository}.",
            next_step="name one that was built or adopted.",
        ) from error


def _scanned(ecr: Any, repository: str, digest: str) -> list[str]:
    """What is scanned of an image: itself, or the platforms of an index. Attestations are no platforms."""
    wanted, kinds = [{"imageDigest": digest}], list(MANIFESTS)
    got = ecr.batch_get_image(repositoryName=repository, imageIds=wanted, acceptedMediaTypes=kinds)["images"]
    parts = json.loads(got[0]["imageManifest"]).get("manifests") or () if got else ()
    platforms = [part["digest"] for part in parts if (part.get("platform") or {}).get("os") != "unknown"]
    return platforms or [digest]


def _scan_of(ecr: Any, repository: str, digest: str) -> Scan:
    pages = ecr.get_paginator("describe_image_scan_findings")
    try:
        found = list(pages.paginate(repositoryName=repository, imageId={"imageDigest": digest}))
    except ecr.exceptions.ScanNotFoundException:
        return Scan(status=NOT_FOUND)
    status = found[0].get("imageScanStatus") or {}
    return Scan(
        status=str(status.get("status") or NOT_FOUND),
        description=str(status.get("description") or ""),
        findings=tuple(each for page in found for each in findings_in(page.get("imageScanFindings") or {})),
    )


def findings_in(page: Mapping[str, Any]) -> list[Finding]:
    """Those of a basic scan (`findings`) and of an enhanced one (`enhancedFindings`)."""
    return [
        *(_basic(each) for each in page.get("findings") or ()),
        *(_enhanced(each) for each in page.get("enhancedFindings") or ()),
    ]


def _basic(found: Mapping[str, Any]) -> Finding:
    said = {each["key"]: each.get("value", "") for each in found.get("attributes") or ()}
    package = f"{said.get('package_name', '')} {said.get('package_version', '')}".strip()
    return Finding(name=str(found.get("name") or "?"), severity=_severity(found), package=package)


def _enhanced(found: Mapping[str, Any]) -> Finding:
    about = found.get("packageVulnerabilityDetails") or {}
    packages = [f"{each.get('name', '')} {each.get('version', '')}" for each in about.get("vulnerablePackages") or ()]
    name = about.get("vulnerabilityId") or found.get("title") or "?"
    return Finding(name=str(name), severity=_severity(found), package=", ".join(dict.fromkeys(packages)).strip())


def _severity(found: Mapping[str, Any]) -> str:
    """In lower case; Inspector's UNTRIAGED is ECR's UNDEFINED."""
    severity = str(found.get("severity") or "undefined").lower()
    return "undefined" if severity == "untriaged" else severity
