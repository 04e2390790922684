"""ECR and its registry, where ministack was corrected or where the release lane relies on it."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from botocore.exceptions import ClientError
from tests.local.emulator.ecs.conftest import Ecs, Emulator

pytestmark = pytest.mark.cloud
REPOSITORY = "tests/registry"


@pytest.fixture
def ecr(emulator: Emulator) -> Iterator[Any]:
    client = emulator.client("ecr")
    scanning = {"scanOnPush": True}
    client.create_repository(
        repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE", imageScanningConfiguration=scanning
    )
    yield client
    client.delete_repository(repositoryName=REPOSITORY, force=True)


def push(emulator: Emulator, client: docker.DockerClient, image: str, tag: str, label: str, key: str = "which") -> str:
    """Push the tests' image, made another one by a label; what docker printed."""
    name = f"{emulator.registry}/{REPOSITORY}:{tag}"
    source = client.images.get(f"{emulator.registry}/{image.partition('/')[2]}")
    container = client.containers.create(source, command=["true"])
    try:
        container.commit(f"{emulator.registry}/{REPOSITORY}", tag, changes=f'LABEL {key}="{label}"')
        done = subprocess.run(["docker", "push", name], capture_output=True, text=True)
    finally:
        container.remove()
        client.images.remove(name, force=True)
    return done.stdout + done.stderr


def digest_of(ecr: Any, tag: str) -> str:
    found = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])
    return str(found["imageDetails"][0]["imageDigest"])


def test_an_immutable_tag_keeps_its_digest(
    ecr: Any, emulator: Emulator, image: str, docker_client: docker.DockerClient
) -> None:
    push(emulator, docker_client, image, "v1", "first")
    first = digest_of(ecr, "v1")
    assert "immutable" in push(emulator, docker_client, image, "v1", "second")
    manifest = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["images"][0]
    other = manifest["imageManifest"] + " "
    with pytest.raises(ClientError) as refused:
        ecr.put_image(repositoryName=REPOSITORY, imageManifest=other, imageTag="v1")
    assert refused.value.response["Error"]["Code"] == "ImageTagAlreadyExistsException"
    assert digest_of(ecr, "v1") == first


def test_an_image_that_is_not_there_is_not_found(ecr: Any) -> None:
    for missing in ({"imageTag": "never"}, {"imageDigest": "sha256:" + "0" * 64}):
        with pytest.raises(ClientError) as refused:
            ecr.describe_images(repositoryName=REPOSITORY, imageIds=[missing])
        assert refused.value.response["Error"]["Code"] == "ImageNotFoundException"


def test_a_deleted_image_can_no_longer_be_pulled(
    ecr: Any, ecs: Ecs, emulator: Emulator, docker_client: docker.DockerClient
) -> None:
    push(emulator, docker_client, ecs.image, "v1", "short-lived")
    digest = digest_of(ecr, "v1")
    definition = ecs.define(image=f"{emulator.registry}/{REPOSITORY}@{digest}")
    assert ecs.task(ecs.run(definition), "RUNNING")
    ecr.batch_delete_image(repositoryName=REPOSITORY, imageIds=[{"imageDigest": digest}])
    ended = ecs.task(ecs.run(definition), "STOPPED")
    assert ended["stoppedReason"].startswith("CannotPullContainerError: ")


def test_a_repository_with_images_is_deleted_only_by_force(
    ecr: Any, emulator: Emulator, image: str, docker_client: docker.DockerClient
) -> None:
    push(emulator, docker_client, image, "v1", "kept")
    with pytest.raises(ecr.exceptions.RepositoryNotEmptyException):
        ecr.delete_repository(repositoryName=REPOSITORY)
    assert digest_of(ecr, "v1")


def test_a_layer_is_handed_out_at_its_download_url_and_only_if_it_is_there(
    ecr: Any, emulator: Emulator, image: str, docker_client: docker.DockerClient
) -> None:
    push(emulator, docker_client, image, "v1", "labelled")
    (found,) = ecr.batch_get_image(repositoryName=REPOSITORY, imageIds=[{"imageTag": "v1"}])["images"]
    config = json.loads(found["imageManifest"])["config"]["digest"]
    given = ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest=config)
    assert given["layerDigest"] == config
    with urllib.request.urlopen(given["downloadUrl"]) as answer:
        assert json.loads(answer.read())["config"]["Labels"]["which"] == "labelled"
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName=REPOSITORY, layerDigest="sha256:" + "0" * 64)
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.get_download_url_for_layer(repositoryName="tests/nothing", layerDigest=config)


def test_a_scan_has_the_findings_that_the_images_label_names(
    ecr: Any, emulator: Emulator, image: str, docker_client: docker.DockerClient
) -> None:
    label = "critical CVE-1 openssl 3.0.1; LOW CVE-2"
    push(emulator, docker_client, image, "v1", label, key="local-aws.findings")
    push(emulator, docker_client, image, "v2", "without")
    scan = ecr.describe_image_scan_findings(repositoryName=REPOSITORY, imageId={"imageTag": "v1"})
    assert scan["imageScanStatus"]["status"] == "COMPLETE"
    assert "scans nothing" in scan["imageScanStatus"]["description"]
    assert [(each["name"], each["severity"]) for each in scan["imageScanFindings"]["findings"]] == [
        ("CVE-1", "CRITICAL"), ("CVE-2", "LOW")
    ]  # fmt: skip
    assert scan["imageScanFindings"]["findingSeverityCounts"] == {"CRITICAL": 1, "LOW": 1}
    clean = ecr.describe_image_scan_findings(repositoryName=REPOSITORY, imageId={"imageTag": "v2"})
    assert clean["imageScanFindings"]["findings"] == []
