"""Amazon ECR: images, tags, digests."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request

import pytest
from release_lane.aws.cloud import MANIFESTS
from tests.contract.aws import Aws
from tests.contract.contracts import contract
from tests.contract.serving import Serving
from tests.contract.stage import Stage

pytestmark = pytest.mark.cloud

GUIDE = "https://docs.aws.amazon.com/AmazonECR/latest/userguide"
API = "https://docs.aws.amazon.com/AmazonECR/latest/APIReference"
DOOR, ARTIFACTS, IMAGE = "release_lane/aws/cloud.py", "release_lane/program/artifacts.py", "release_lane/gates/image.py"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"


@contract(
    says="With immutable tags a tag keeps the image that it was first given: another push is refused "
    "(ImageTagAlreadyExistsException).",
    source=f"{GUIDE}/image-tag-mutability.html",
    otherwise="a commit's tag could be moved to another image than the one that was proven",
    used_by=(ARTIFACTS,),
)
def test_an_immutable_tag_keeps_its_image(stage: Stage, aws: Aws) -> None:
    ecr, kept = aws.client("ecr"), stage.image
    assert stage.other_image.digest != kept.digest
    name = stage.images.build("another", kept.tag)
    with pytest.raises(RuntimeError, match="immutable"):
        stage.images.docker("push", "--quiet", name)
    manifest = manifest_of(stage, aws, stage.other_image.digest)
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        ecr.put_image(repositoryName=kept.repository, imageTag=kept.tag, imageManifest=manifest)
    shown = ecr.describe_images(repositoryName=kept.repository, imageIds=[{"imageTag": kept.tag}])["imageDetails"]
    assert [each["imageDigest"] for each in shown] == [kept.digest]


def manifest_of(stage: Stage, aws: Aws, digest: str) -> str:
    wanted = [{"imageDigest": digest}]
    found = aws.client("ecr").batch_get_image(
        repositoryName=stage.image.repository, imageIds=wanted, acceptedMediaTypes=list(MANIFESTS)
    )["images"]
    return str(found[0]["imageManifest"])


@contract(
    says="An image's digest is the SHA-256 of its manifest: the one that Docker got at the push, and by which "
    "DescribeImages and BatchGetImage find it, with its tags.",
    source=f"{API}/API_ImageDetail.html",
    otherwise="the digest that is carried from environment to environment would name nothing, or something else",
    used_by=(DOOR, ARTIFACTS, IMAGE),
)
def test_a_digest_names_one_manifest(stage: Stage, aws: Aws) -> None:
    image = stage.image
    wanted = [{"imageDigest": image.digest}]
    (shown,) = aws.client("ecr").describe_images(repositoryName=image.repository, imageIds=wanted)["imageDetails"]
    assert (shown["imageDigest"], shown["imageTags"]) == (image.digest, [image.tag])
    manifest = manifest_of(stage, aws, image.digest)
    assert f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}" == image.digest


@contract(
    says="When an image was deleted, its tag can be given to another image, also where tags are immutable.",
    source=f"{API}/API_BatchDeleteImage.html",
    otherwise="a commit whose image somebody deleted could never be built again",
    used_by=(ARTIFACTS,),
    note="the page says that the image is deleted with its last tag; no page says that the tag is free then",
)
def test_the_tag_of_a_deleted_image_is_free(stage: Stage, aws: Aws) -> None:
    ecr, gone = aws.client("ecr"), stage.images.push("to-be-built-again")
    ecr.batch_delete_image(repositoryName=gone.repository, imageIds=[{"imageTag": gone.tag}])
    stage.images.docker("push", "--quiet", stage.images.build("built-again", gone.tag))
    wanted = [{"imageTag": gone.tag}]
    (shown,) = ecr.describe_images(repositoryName=gone.repository, imageIds=wanted)["imageDetails"]
    assert shown["imageDigest"] not in ("", gone.digest)


@contract(
    says="An image that is pushed again under another tag keeps its digest, and has both tags.",
    source=f"{GUIDE}/image-retag.html",
    otherwise="an adopted image that is in the repository under a tag of its own could not be given its commit's",
    used_by=("release_lane/gates/adopt.py",),
)
def test_a_further_tag_leaves_the_image_what_it_is(stage: Stage, aws: Aws) -> None:
    ecr, image = aws.client("ecr"), stage.images.push("once")
    ecr.put_image(
        repositoryName=image.repository, imageTag="twice", imageManifest=manifest_of(stage, aws, image.digest)
    )
    wanted = [{"imageDigest": image.digest}]
    (shown,) = ecr.describe_images(repositoryName=image.repository, imageIds=wanted)["imageDetails"]
    assert (shown["imageDigest"], sorted(shown["imageTags"])) == (image.digest, sorted([image.tag, "twice"]))


@contract(
    says="What the registry does not have is ImageNotFoundException, a repository that does not exist "
    "RepositoryNotFoundException; also for an image that was deleted.",
    source=f"{API}/API_DescribeImages.html",
    otherwise="a digest that does not exist would be found out by tasks that cannot start, not before anything changes",
    used_by=(DOOR, IMAGE, "release_lane/aws/observe.py"),
)
def test_what_is_not_in_the_registry_has_a_named_error(stage: Stage, aws: Aws) -> None:
    ecr, repository = aws.client("ecr"), stage.image.repository
    for missing in ({"imageTag": "never"}, {"imageDigest": "sha256:" + "0" * 64}):
        with pytest.raises(ecr.exceptions.ImageNotFoundException):
            ecr.describe_images(repositoryName=repository, imageIds=[missing])
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_images(repositoryName=aws.named("nothing"), imageIds=[{"imageTag": "x"}])
    gone = stage.images.push("short-lived").digest
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageDigest": gone}])
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": gone}])


@contract(
    says="An image that was never scanned, in a repository that does not scan on push, has no scan "
    "(ScanNotFoundException); of an image that does not exist it is ImageNotFoundException.",
    source=f"{API}/API_DescribeImageScanFindings.html",
    otherwise="an image that was never scanned would be taken for one without findings",
    used_by=("release_lane/aws/registry.py",),
    note="where the registry scans every image (its scanning configuration), this image has a scan",
)
def test_an_image_that_was_not_scanned_has_no_scan(stage: Stage, aws: Aws) -> None:
    ecr, image = aws.client("ecr"), stage.image
    with pytest.raises(ecr.exceptions.ScanNotFoundException):
        ecr.describe_image_scan_findings(repositoryName=image.repository, imageId={"imageDigest": image.digest})
    gone = {"imageDigest": "sha256:" + "0" * 64}
    with pytest.raises(ecr.exceptions.ImageNotFoundException):
        ecr.describe_image_scan_findings(repositoryName=image.repository, imageId=gone)


@contract(
    says="An index (a manifest list) is an image with a digest of its own; BatchGetImage gives the index itself, if "
    "its media type is accepted, and the index names the manifests of its platforms.",
    source=f"{API}/API_BatchGetImage.html",
    otherwise="a task that runs a platform's manifest would be taken for one that runs another image",
    used_by=(DOOR, "release_lane/aws/observe.py"),
    note="the page lists no media type of an index among the accepted ones; that ECR keeps them: "
    "docker-push-multi-architecture-image.html of its user guide",
)
def test_an_index_names_its_platforms(stage: Stage, aws: Aws) -> None:
    digest = push_index(stage, aws)
    document = json.loads(manifest_of(stage, aws, digest))
    assert [each["digest"] for each in document["manifests"]] == [stage.image.digest]
    wanted = [{"imageDigest": digest}]
    (shown,) = aws.client("ecr").describe_images(repositoryName=stage.image.repository, imageIds=wanted)["imageDetails"]
    assert shown["imageDigest"] == digest


@contract(
    says="GetDownloadUrlForLayer gives a URL for the configuration of an image as well, by the digest in its manifest; "
    "what is there has that digest, and holds the image's labels. What the repository does not have is "
    "LayersNotFoundException.",
    source=f"{API}/API_GetDownloadUrlForLayer.html",
    otherwise="what an image declares by its labels could not be compared with the stack file",
    used_by=("release_lane/aws/labels.py", "release_lane/decide/contract.py"),
    note="the page speaks of layers; that a configuration is kept as one is how docker pull gets it",
)
def test_an_images_configuration_is_downloaded_by_its_digest(stage: Stage, aws: Aws) -> None:
    ecr, image = aws.client("ecr"), stage.image
    config = json.loads(manifest_of(stage, aws, image.digest))["config"]["digest"]
    url = ecr.get_download_url_for_layer(repositoryName=image.repository, layerDigest=config)["downloadUrl"]
    with urllib.request.urlopen(url) as answer:
        content = answer.read()
    assert f"sha256:{hashlib.sha256(content).hexdigest()}" == config
    assert "config" in json.loads(content)
    with pytest.raises(ecr.exceptions.LayersNotFoundException):
        ecr.get_download_url_for_layer(repositoryName=image.repository, layerDigest="sha256:" + "0" * 64)


def push_index(stage: Stage, aws: Aws) -> str:
    """An index of the actor's one platform, put by its text; its digest."""
    manifest = manifest_of(stage, aws, stage.image.digest)
    architecture = {"X86_64": "amd64", "ARM64": "arm64"}[stage.images.architecture(stage.image)]
    part = {
        "mediaType": json.loads(manifest)["mediaType"],
        "digest": stage.image.digest,
        "size": len(manifest),
        "platform": {"architecture": architecture, "os": "linux"},
    }
    text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [part]})
    aws.client("ecr").put_image(
        repositoryName=stage.image.repository, imageManifest=text, imageManifestMediaType=INDEX, imageTag="index"
    )
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@contract(
    says="A task that was started from an index says in `imageDigest` either the index or the manifest of its "
    "platform.",
    source="https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Container.html",
    otherwise="the rollout gate would refuse every image that was built for several platforms",
    used_by=(DOOR, "release_lane/watch/rollout.py", "release_lane/aws/observe.py"),
    note="the page says 'the container image manifest digest', not which of the two; the gates take both",
    minutes=1.5,
)
def test_a_task_from_an_index_says_index_or_platform(stage: Stage, aws: Aws, ecs: Serving) -> None:
    digests = [stage.image.digest]
    ecr = aws.client("ecr")
    tagged = ecr.describe_images(repositoryName=stage.image.repository, imageIds=[{"imageTag": "index"}])
    digests.append(tagged["imageDetails"][0]["imageDigest"])
    task = ecs.run(ecs.define(image=f"{stage.repository['repositoryUri']}@{digests[1]}"))
    assert ecs.until(task, "RUNNING")["containers"][0]["imageDigest"] in digests


@contract(
    says="A lifecycle policy for untagged images is kept as it was given, and such a rule never expires a tagged one.",
    source=f"{GUIDE}/LifecyclePolicies.html",
    otherwise="images that are live somewhere would vanish from the registry, and could not be started again",
    used_by=(ARTIFACTS,),
    note="images expire within a day; only the policy is looked at, not its work",
)
def test_a_lifecycle_policy_is_kept_as_given(stage: Stage, aws: Aws) -> None:
    rule = {
        "rulePriority": 1,
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": 14,
        },
        "action": {"type": "expire"},
    }
    ecr, text = aws.client("ecr"), json.dumps({"rules": [rule]})
    ecr.put_lifecycle_policy(repositoryName=stage.image.repository, lifecyclePolicyText=text)
    shown = ecr.get_lifecycle_policy(repositoryName=stage.image.repository)["lifecyclePolicyText"]
    assert json.loads(shown)["rules"][0].items() >= rule.items()


@contract(
    says="A repository that has images is not deleted, unless that is forced (RepositoryNotEmptyException).",
    source=f"{API}/API_DeleteRepository.html",
    otherwise="another `repository` in the settings of the artifacts stack, or its destroy, would delete the images of "
    "live tasks",
    used_by=(ARTIFACTS, "release_lane/decide/registry.py"),
)
def test_a_repository_with_images_is_not_deleted(stage: Stage, aws: Aws) -> None:
    ecr, kept = aws.client("ecr"), stage.image
    with pytest.raises(ecr.exceptions.RepositoryNotEmptyException):
        ecr.delete_repository(repositoryName=kept.repository)
    (shown,) = ecr.describe_images(repositoryName=kept.repository, imageIds=[{"imageTag": kept.tag}])["imageDetails"]
    assert shown["imageDigest"] == kept.digest


@contract(
    says="GetAuthorizationToken gives `AWS:<password>` in base64, and the registry that it is for.",
    source=f"{API}/API_GetAuthorizationToken.html",
    otherwise="the artifacts stack could not push, and no image could be adopted",
    used_by=(ARTIFACTS, "release_lane/aws/registry.py"),
)
def test_an_authorization_token_is_user_and_password(stage: Stage, aws: Aws) -> None:
    assert stage.repository
    (data,) = aws.client("ecr").get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
    assert (user, bool(password)) == ("AWS", True)
    assert data["proxyEndpoint"].startswith("http")
