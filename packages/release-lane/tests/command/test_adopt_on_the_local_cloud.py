"""Images that another CI built: adopted, released, refused. Real engine, registry and skopeo. One story, in order.

Tests here build on each other: each begins where the one before left the environments.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping

import pytest
import requests
from release_lane.record.adoption import COMMIT_UNKNOWN
from tests.command.checkout import Checkout, Ended, on_the_local_cloud

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.long,
    pytest.mark.skipif(not shutil.which("skopeo"), reason="skopeo is not installed (./bootstrap as root installs it)"),
]

REVISION, SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


class Shop:
    """The team's own CI: it builds with plain docker and pushes to a repository of its own."""

    def __init__(self, lane: Checkout) -> None:
        self.lane = lane
        self.host = lane.variables["AWS_ENDPOINT_URL"].removeprefix("http://")
        self.repository = f"{lane.project}-ci/shop"
        lane.aws("ecr").create_repository(repositoryName=self.repository)
        self.good = lane.release("build").ok().out.strip()
        self.first = lane.git("rev-parse", "HEAD")
        self.middle = lane.commit("The one in between")
        self.last = lane.commit("The last one")

    def push(self, tag: str, labels: Mapping[str, str], commit: str = "", repository: str = "") -> str:
        """An image that runs; its name with its digest."""
        name = f"{self.host}/{repository or self.repository}"
        recipe = [f"FROM {self.host}/{self.lane.project}/app@{self.good}"]
        recipe += [f'LABEL {key}="{value}"' for key, value in labels.items()]
        recipe += [f"ENV COMMIT={commit}"] if commit else []
        built = self.lane.run_with("docker", "build", "-q", "-t", f"{name}:{tag}", "-", given="\n".join(recipe)).ok()
        assert built.out
        pushed = self.lane.run("docker", "push", f"{name}:{tag}").ok().out
        return f"{name}@{pushed.rsplit('digest: ', 1)[1].split()[0]}"

    def push_for(self, architecture: str) -> str:
        """An image of no layers for another architecture."""
        config = json.dumps({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": []}})
        described = {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": []})
        url = f"http://{self.host}/v2/{self.repository}"
        blob = requests.post(f"{url}/blobs/uploads/", params={"digest": sha256(config)}, data=config, timeout=10)
        blob.raise_for_status()
        put = requests.put(
            f"{url}/manifests/{architecture}", data=manifest, headers={"Content-Type": MANIFEST}, timeout=10
        )
        put.raise_for_status()
        return f"{self.host}/{self.repository}@{sha256(manifest)}"

    def push_index(self, tag: str, *images: str) -> str:
        """An index of these images, which are of several platforms."""
        url = f"http://{self.host}/v2/{self.repository}/manifests"
        parts = []
        for image, architecture in zip(images, ("amd64", "arm64"), strict=True):
            got = requests.get(f"{url}/{digest_of(image)}", headers={"Accept": f"{MANIFEST}, {DOCKER}"}, timeout=10)
            got.raise_for_status()
            described = {"mediaType": got.headers["Content-Type"], "digest": digest_of(image), "size": len(got.content)}
            parts.append({**described, "platform": {"os": "linux", "architecture": architecture}})
        text = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": parts})
        put = requests.put(f"{url}/{tag}", data=text, headers={"Content-Type": INDEX}, timeout=10)
        put.raise_for_status()
        return f"{self.host}/{self.repository}@{sha256(text)}"

    def tags(self, digest: str) -> set[str]:
        """By which our own registry knows the image."""
        wanted = [{"imageDigest": digest}]
        found = self.lane.aws("ecr").describe_images(repositoryName=f"{self.lane.project}/app", imageIds=wanted)
        return set(found["imageDetails"][0].get("imageTags") or ())

    def adopt(self, *arguments: str) -> Ended:
        return self.lane.release("adopt", *arguments)


def sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def digest_of(image: str) -> str:
    return image.rsplit("@", 1)[1]


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    with on_the_local_cloud(tmp_path_factory.mktemp("adopt") / "checkout") as checkout:
        yield checkout


@pytest.fixture(scope="module")
def shop(lane: Checkout) -> Iterator[Shop]:
    made = Shop(lane)
    yield made
    lane.aws("ecr").delete_repository(repositoryName=made.repository, force=True)


def test_an_adopted_index_keeps_digest_platforms_labels_and_signatures_and_is_what_is_released_next(
    lane: Checkout, shop: Shop
) -> None:
    labels = {REVISION: shop.first, SOURCE: "https://robot:planted@example.test/shop"}
    image = shop.push_index("ci-7", shop.push("ci-7-amd64", labels, shop.first), shop.push_for("arm64"))
    signature = digest_of(image).replace(":", "-") + ".sig"
    shop.push(signature, {"kind": "signature"})
    adopted = shop.adopt(image, "--json").ok()
    assert adopted.data["imageDigest"] == digest_of(image)
    assert adopted.data["source"] == "https://example.test/shop"
    assert (adopted.data["commit"], adopted.data["commitBy"]) == (shop.first, "label")
    copied = lane.aws("ecr").describe_images(repositoryName=f"{lane.project}/app", imageIds=[{"imageTag": signature}])
    assert copied["imageDetails"]
    ids = [{"imageDigest": digest_of(image)}]
    kept = lane.aws("ecr").batch_get_image(
        repositoryName=f"{lane.project}/app", imageIds=ids, acceptedMediaTypes=[INDEX]
    )["images"]
    assert len(json.loads(kept[0]["imageManifest"])["manifests"]) == 2
    assert "planted" not in (lane.folder / f".local/state/.pulumi/stacks/{lane.project}/artifacts.json").read_text()
    assert lane.release("deploy", "staging", "--json").ok().data["digest"] == digest_of(image)
    promoted = lane.release("promote", "production", "--yes", "--json").ok().data
    assert (promoted["digest"], promoted["commit"]) == (digest_of(image), shop.first)
    assert any("built elsewhere" in sentence for sentence in lane.status("production")["unchecked"])


def test_adopting_it_again_changes_nothing_and_says_the_same(shop: Shop, lane: Checkout) -> None:
    digest = lane.status("staging")["digest"]
    before = shop.tags(digest)
    assert shop.adopt(f"{shop.host}/{shop.repository}:ci-7@{digest}").ok().out == f"{digest}\n"
    assert shop.tags(digest) == before


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        (":ci-7", 2, "names no digest"),
        ("@sha256:" + "0" * 64, 4, "is not in that registry"),
        ("s390x", 4, "is for linux/s390x"),
    ],
    ids=["a tag", "a digest that is not there", "another platform"],
)
def test_what_cannot_be_adopted_is_refused_before_anything_changes(
    shop: Shop, lane: Checkout, version: str, code: int, words: str
) -> None:
    before = lane.run("pulumi", "stack", "output", "--json", "--stack", "artifacts").ok().out
    image = shop.push_for(version) if version == "s390x" else f"{shop.host}/{shop.repository}{version}"
    refused = shop.adopt(image)
    assert (refused.code, refused.out) == (code, "")
    assert words in refused.err
    assert lane.run("pulumi", "stack", "output", "--json", "--stack", "artifacts").ok().out == before


def test_a_commit_that_contradicts_the_label_is_refused(shop: Shop, lane: Checkout) -> None:
    image = f"{shop.host}/{shop.repository}@{lane.status('staging')['digest']}"
    refused = shop.adopt(image, "--commit", shop.last)
    assert refused.code == 4
    assert f"is labelled as commit {shop.first[:12]}, not {shop.last[:12]}" in refused.err


def test_an_older_commit_that_comes_last_is_refused_and_taken_where_it_is_meant(shop: Shop, lane: Checkout) -> None:
    newest = lane.release("build").ok().out.strip()
    lane.release("deploy", "staging").ok()
    older = shop.adopt(shop.push("ci-8", {REVISION: shop.middle}, shop.middle)).ok().out.strip()
    late = lane.release("deploy", "staging", "--digest", older)
    assert late.code == 4
    assert f"{shop.last[:12]} (live) contains {shop.middle[:12]}" in late.err
    assert lane.release("review", "staging", "--digest", older).code == 4
    assert lane.status("staging")["digest"] == newest
    review = lane.release("review", "staging", "--digest", older, "--allow-older").ok().out
    assert "a new image of an older commit, as allowOlder says" in review
    taken = lane.release("deploy", "staging", "--digest", older, "--allow-older", "--json").ok().data
    assert (taken["digest"], taken["replaced"]) == (older, newest)
    assert (
        f"an older commit than {shop.last[:12]}, which it replaces (allowOlder)" in lane.status("staging")["unchecked"]
    )


def test_an_image_that_was_pushed_into_our_own_repository_is_only_referenced(shop: Shop, lane: Checkout) -> None:
    """By plain docker, under a tag that is no commit, and without a label: its content is unknown."""
    image = shop.push("v7", {REVISION: "", "edition": "7"}, repository=f"{lane.project}/app")
    digest = digest_of(image)
    adopted = shop.adopt(image)
    assert adopted.ok().out == f"{digest}\n"
    assert COMMIT_UNKNOWN in adopted.err
    assert shop.tags(digest) == {"v7", f"adopted-{digest[7:19]}"}
    lane.release("deploy", "staging").ok()
    assert COMMIT_UNKNOWN in lane.status("staging")["unchecked"]
    assert f"**Not checked there:** {COMMIT_UNKNOWN}" in lane.release("review", "production").ok().out


def test_what_a_person_says_of_the_commit_is_said_to_be_that(shop: Shop, lane: Checkout) -> None:
    digest = lane.status("staging")["digest"]
    named = shop.adopt(f"{shop.host}/{lane.project}/app@{digest}", "--commit", shop.last, "--json").ok().data
    assert (named["commit"], named["commitBy"]) == (shop.last, "person")
    assert f"that it is commit {shop.last[:12]} is what the person who adopted it says" in "".join(named["unchecked"])


def test_without_a_release_command_the_program_adopts_just_the_same(shop: Shop, lane: Checkout) -> None:
    shutil.copy(lane.folder / "Pulumi.artifacts.yaml", lane.folder / ".local/once.yaml")
    image = f"{shop.host}/{shop.repository}@{shop.push('ci-9', {REVISION: shop.last}).rsplit('@', 1)[1]}"
    lane.run(
        "pulumi", "up", "--yes", "--skip-preview", "--stack", "artifacts", "--config-file", ".local/once.yaml",
        "-c", f"adopt={image}",
    ).ok()  # fmt: skip
    assert json.loads(lane.run("pulumi", "stack", "output", "--json", "--stack", "artifacts").ok().out)[
        "imageDigest"
    ] == digest_of(image)
    assert lane.git("status", "--porcelain", "--", "*.yaml") == ""
