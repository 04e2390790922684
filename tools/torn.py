"""An image that cannot be pulled: the registry has it, but its layer is no archive."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import requests

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
TIMEOUT = 10.0  # seconds for an answer of the registry


def push_torn(registry: str, tag: str) -> str:
    """Push it as `tag` to `registry` (`host:port/repository`), by the registry's own HTTP interface; its digest.

    https://distribution.github.io/distribution/spec/api/#pushing-an-image
    """
    host, _, repository = registry.partition("/")
    base = f"http://{host}/v2/{repository}"
    layer = b"this is no archive"
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _pushed(base, config, CONFIG),
            "layers": [_pushed(base, layer, LAYER)],
        }
    ).encode()
    put = requests.put(f"{base}/manifests/{tag}", manifest, headers={"Content-Type": MANIFEST}, timeout=TIMEOUT)
    put.raise_for_status()
    return _digest(manifest)


def _pushed(base: str, content: bytes, kind: str) -> dict[str, Any]:
    begun = requests.post(f"{base}/blobs/uploads/", timeout=TIMEOUT)
    begun.raise_for_status()
    where = requests.compat.urljoin(begun.url, begun.headers["Location"])
    done = requests.put(where, content, params={"digest": _digest(content)}, timeout=TIMEOUT)
    done.raise_for_status()
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
