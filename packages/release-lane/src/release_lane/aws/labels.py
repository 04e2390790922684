"""An image's labels, by its digest: its manifest, the configuration that it names, and the labels in that.

Sources: ECR API, BatchGetImage, GetDownloadUrlForLayer; OCI image specification, image index, manifest, configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from release_lane.aws import patience
from release_lane.aws.cloud import MANIFESTS, Cloud
from release_lane.errors import CloudError
from release_lane.record.adoption import PLATFORM
from release_lane.record.contract import Labels

LABELS_WITHIN = 15.0
"""Seconds that one call for an image's labels is repeated: a way back does not wait for them for long."""

LARGEST = 4 * 1024 * 1024
"""Bytes of a configuration that are read; the registry specification asks registries for as many of a manifest."""
CHUNK = 65_536


def labels_of(cloud: Cloud, digest: str, within: float = LABELS_WITHIN) -> Labels:
    """What an image of the environment's own repository declares; of an index, the image that tasks run. Each call is
    repeated for so many seconds.

    Raises nothing for what cannot be read: what follows from that is a decision.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        with patience.at_most(within):
            return Labels.of(_labels(cloud, digest))
    except (BotoCoreError, ClientError, CloudError, OSError, ValueError) as error:
        why = error.what_and_why if isinstance(error, CloudError) else str(error)
        return Labels(unread=" ".join(why.split()).rstrip("."))


def _labels(cloud: Cloud, digest: str) -> Mapping[str, str]:
    manifest = _manifest(cloud, digest)
    if "manifests" in manifest:
        manifest = _manifest(cloud, platform_in(manifest["manifests"]))
    config = str((manifest.get("config") or {}).get("digest") or "")
    if not config:
        raise ValueError("its manifest names no configuration")
    found = cloud.ecr.get_download_url_for_layer(repositoryName=cloud.names.repository, layerDigest=config)
    content = _downloaded(str(found["downloadUrl"]))
    if config != f"sha256:{hashlib.sha256(content).hexdigest()}":
        raise ValueError("what the registry's storage handed out is not its configuration")
    labels = (json.loads(content).get("config") or {}).get("Labels") or {}
    return {str(key): str(text) for key, text in labels.items()}


def _manifest(cloud: Cloud, digest: str) -> Any:
    wanted: Any = [{"imageDigest": digest}]
    repository, kinds = cloud.names.repository, list(MANIFESTS)
    got = cloud.ecr.batch_get_image(repositoryName=repository, imageIds=wanted, acceptedMediaTypes=kinds)["images"]
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
