"""An image's labels, read from the registry by its digest; what cannot be read is said, and nothing is raised."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError
from release_lane.aws.cloud import Cloud
from release_lane.aws.labels import LARGEST, labels_of, platform_in
from release_lane.record.contract import PREFIX, Labels
from release_lane.record.names import Access, Names

pytestmark = pytest.mark.pure

LABELS = {f"{PREFIX}port": "8080", "org.opencontainers.image.title": "shop"}
KEPT = Labels(found={f"{PREFIX}port": "8080"})


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def config_of(labels: Mapping[str, str] | None) -> bytes:
    return json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": labels}}).encode()


@dataclass
class Ecr:
    """`images`: digest to manifest; layers are handed out by `storage`. `refuses`: the call that AWS denies."""

    storage: str = ""
    images: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, bytes] = field(default_factory=dict)
    refuses: str = ""
    promised: int = 0
    """Bytes that the storage says it sends, if not as many as there are."""

    def put(self, name: str, config: bytes) -> str:
        """An image with this configuration; its digest."""
        self.layers[digest_of(config)] = config
        self.images[name] = {"config": {"digest": digest_of(config)}, "layers": []}
        return name

    def batch_get_image(self, *, repositoryName: str, imageIds: Any, acceptedMediaTypes: Any) -> Any:
        self._asked("BatchGetImage", repositoryName)
        assert "application/vnd.oci.image.index.v1+json" in acceptedMediaTypes
        found = self.images.get(imageIds[0]["imageDigest"])
        return {"images": [{"imageManifest": json.dumps(found)}] if found else []}

    def get_download_url_for_layer(self, *, repositoryName: str, layerDigest: str) -> Any:
        self._asked("GetDownloadUrlForLayer", repositoryName)
        return {"downloadUrl": f"{self.storage}/{layerDigest}?signature=hunter2"}

    def _asked(self, call: str, repository: str) -> None:
        assert repository == "lane/app"
        if call == self.refuses:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, call)


class Registry(Cloud):
    """An environment of which only the registry is asked."""

    def __init__(self, client: Ecr) -> None:
        access = Access(region="us-east-1", account="1")
        names = Names.of("lane-staging", access=access, users_port=80, log_group="/lane", repository="lane/app")
        super().__init__(names, check=lambda _: None)
        self.client = client

    @property
    def ecr(self) -> Any:
        return self.client


@pytest.fixture
def ecr() -> Iterator[Ecr]:
    registry = Ecr()

    class Storage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = registry.layers.get(self.path.partition("?")[0].lstrip("/"))
            self.send_response(200 if content is not None else 403)
            self.send_header("Content-Length", str(registry.promised or len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Storage)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    registry.storage = f"http://127.0.0.1:{server.server_address[1]}"
    yield registry
    server.shutdown()
    server.server_close()


def read(ecr: Ecr, digest: str) -> Labels:
    return labels_of(Registry(ecr), digest)


def test_the_labels_of_an_image_are_those_of_its_configuration(ecr: Ecr) -> None:
    assert read(ecr, ecr.put("sha256:1", config_of(LABELS))) == KEPT


def test_an_image_without_labels_has_none(ecr: Ecr) -> None:
    for number, config in enumerate((config_of(None), config_of({}), b"{}")):
        assert read(ecr, ecr.put(f"sha256:{number}", config)) == Labels()


def part(digest: str, os: str = "linux", architecture: str = "amd64") -> dict[str, Any]:
    return {"digest": digest, "platform": {"os": os, "architecture": architecture}}


def test_of_an_index_the_labels_are_those_of_the_platform_that_runs(ecr: Ecr) -> None:
    ours, other = ecr.put("sha256:1", config_of(LABELS)), ecr.put("sha256:2", config_of({f"{PREFIX}port": "1"}))
    attested = part("sha256:3", "unknown", "unknown")
    ecr.images["sha256:0"] = {"manifests": [attested, part(other, architecture="arm64"), part(ours)]}
    assert read(ecr, "sha256:0") == KEPT


def test_of_an_index_with_one_platform_it_is_that_one_and_of_others_only_there_is_no_choice() -> None:
    arm = part("sha256:1", architecture="arm64")
    assert platform_in([arm, part("sha256:9", "unknown", "unknown")]) == "sha256:1"
    with pytest.raises(ValueError, match="linux/amd64"):
        platform_in([arm, part("sha256:2", architecture="s390x")])
    with pytest.raises(ValueError, match="linux/amd64"):
        platform_in([])


@pytest.mark.parametrize("call", ["BatchGetImage", "GetDownloadUrlForLayer"])
def test_what_aws_denies_is_said_with_the_call(ecr: Ecr, call: str) -> None:
    digest = ecr.put("sha256:1", config_of(LABELS))
    ecr.refuses = call
    found = read(ecr, digest)
    assert not found.found
    assert "AccessDenied" in found.unread
    assert call in found.unread


def test_what_is_gone_or_something_else_is_said_and_no_signed_address_is(ecr: Ecr) -> None:
    assert "does not have sha256:7" in read(ecr, "sha256:7").unread
    digest = ecr.put("sha256:1", config_of(LABELS))
    (config,) = ecr.layers
    ecr.layers[config] = config_of({f"{PREFIX}port": "1"})
    assert "is not its configuration" in read(ecr, digest).unread, "it was changed on its way"
    ecr.layers.clear()
    assert "did not answer (HTTPError 403)" in read(ecr, digest).unread
    ecr.storage = "http://127.0.0.1:1"
    gone = read(ecr, digest).unread
    assert "did not answer (ConnectionError)" in gone
    assert "hunter2" not in gone
    ecr.images["sha256:2"] = {"layers": []}
    assert "names no configuration" in read(ecr, "sha256:2").unread


def test_a_configuration_without_an_end_is_not_read_to_it(ecr: Ecr) -> None:
    digest = ecr.put("sha256:1", b" " * (LARGEST + 1) + config_of(LABELS))
    assert "more than" in read(ecr, digest).unread


def test_an_answer_that_breaks_off_is_said(ecr: Ecr) -> None:
    digest = ecr.put("sha256:1", config_of(LABELS))
    ecr.promised = 10_000
    assert "did not answer (ChunkedEncodingError" in read(ecr, digest).unread
