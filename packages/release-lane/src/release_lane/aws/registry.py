"""The account's own registry: a login for tools other than the SDK, what it found in an image, and an image's labels.

Sources: ECR API, GetAuthorizationToken, DescribeImageScanFindings, ImageScanStatus, EnhancedImageScanFinding,
BatchGetImage, GetDownloadUrlForLayer; OCI image specification, image index, manifest and configuration.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from release_lane.aws import patience
from release_lane.aws.cloud import MANIFESTS
from release_lane.aws.session import client
from release_lane.errors import CloudError, UsageError
from release_lane.operate.scanning import NOT_FOUND, Finding, Scan, merged
from release_lane.record.adoption import PLATFORM
from release_lane.record.contract import Labels
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


LABELS_WITHIN = 15.0
"""Seconds that one call for an image's labels is repeated: a way back does not wait for them for long."""

LARGEST = 4 * 1024 * 1024
"""Bytes of a configuration that are read; the registry specification asks registries for as many of a manifest."""
CHUNK = 65_536


def labels_of(ecr: Any, repository: str, digest: str) -> Labels:
    """What the image declares, by a client of ECR. Of an index: the image for the platform that tasks run on.

    Raises nothing for what cannot be read: what follows from that is a decision.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with patience.at_most(LABELS_WITHIN):
            return Labels.of(_labels(ecr, repository, digest))
    except (BotoCoreError, ClientError, CloudError, OSError, ValueError) as error:
        why = error.what_and_why if isinstance(error, CloudError) else str(error)
        return Labels(unread=" ".join(why.split()).rstrip("."))


def _labels(ecr: Any, repository: str, digest: str) -> Mapping[str, str]:
    manifest = _manifest(ecr, repository, digest)
    if "manifests" in manifest:
        manifest = _manifest(ecr, repository, platform_in(manifest["manifests"]))
    config = str((manifest.get("config") or {}).get("digest") or "")
    if not config:
        raise ValueError("its manifest names no configuration")
    found = ecr.get_download_url_for_layer(repositoryName=repository, layerDigest=config)
    content = _downloaded(str(found["downloadUrl"]))
    if config != f"sha256:{hashlib.sha256(content).hexdigest()}":
        raise ValueError("what the registry's storage handed out is not its configuration")
    labels = (json.loads(content).get("config") or {}).get("Labels") or {}
    return {str(key): str(text) for key, text in labels.items()}


def _manifest(ecr: Any, repository: str, digest: str) -> Any:
    wanted, kinds = [{"imageDigest": digest}], list(MANIFESTS)
    got = ecr.batch_get_image(repositoryName=repository, imageIds=wanted, acceptedMediaTypes=kinds)["images"]
    if not got:
        raise ValueError(f"the registry does not have {digest}")
    return json.loads(got[0]["imageManifest"])


def platform_in(manifests: Sequence[Mapping[str, Any]]) -> str:
    """The digest of the image that tasks run; where an index has one platform only, that one.

    Attestations are no platforms. ValueError where the choice is not clear.
    """
    platforms = {
        (str(each.get("os")), str(each.get("architecture"))): str(part["digest"])
        for part in reversed(manifests)
        if (each := part.get("platform") or {}).get("os") != "unknown"
    }
    if PLATFORM in platforms:
        return platforms[PLATFORM]
    if len(platforms) != 1:
        raise ValueError(f"the index has no image for {'/'.join(PLATFORM)}")
    return next(iter(platforms.values()))


def _downloaded(url: str) -> bytes:
    """What the registry's storage has at a URL that it signed; the URL is in no error, since it is a key."""
    import requests  # here, since few calls need it

    connect, answer = patience.current().timeouts
    try:
        with requests.get(url, timeout=(connect, answer), stream=True) as response:
            response.raise_for_status()
            content = bytearray()
            for chunk in response.iter_content(CHUNK):
                content += chunk
                if len(content) > LARGEST:
                    raise OSError(f"its configuration has more than {LARGEST:,} bytes")
            return bytes(content)
    except requests.RequestException as error:
        status = error.response.status_code if error.response is not None else ""
        raise OSError(
            f"the registry's storage did not answer ({type(error).__name__}{status and f' {status}'})"
        ) from None
