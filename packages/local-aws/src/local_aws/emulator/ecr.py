"""ministack's ECR and registry, corrected where they depart from AWS in what the release lane relies on.

- Layers are files, so that they survive the emulator's end, and its state stays small enough to be written often.
- A deleted image or repository is also gone from the registry: its manifest is no longer served by digest.
- DescribeImages of an image that is not there is ImageNotFoundException, not an empty answer.
- A repository's name is one that AWS takes.
- An image that was put by its manifest (PutImage: an index, or another tag) can also be pulled by its digest.
- GetDownloadUrlForLayer gives a URL at which this registry hands the layer out, and knows which layers there are.
- DescribeImageScanFindings answers, where the repository scans on push. There is no scanner here: the findings are
  those that the image's label FINDINGS names, and the answer says so.

Another image under an immutable tag, and the deletion of a repository with images, are refused by ministack itself;
tests hold it to that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local_aws.emulator.wire import Response, ServiceError, json_error, json_response
from local_aws.toolchain.cache import forget_unused


class KnownLayers:
    """Big layers that a registry of this machine had lately, by their digests, in the cache that clouds share.

    Docker asks a registry for a layer before it compresses it, which takes seconds for a base image: in a new cloud
    whose registry says that it has it, a first push is as quick as the next. A cache that cannot be used costs that
    time and nothing else.
    """

    BIG = 8 << 20  # bytes; an application's own code is less, and goes with its cloud

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        forget_unused(folder.glob("*"))

    def remember(self, file: Path) -> None:
        if file.stat().st_size >= self.BIG:
            with suppress(OSError):
                self._take(file, self._folder / file.name)

    def give(self, file: Path) -> bool:
        """Whether `file`, named by its digest, is there now."""
        with suppress(OSError):
            self._take(self._folder / file.name, file)
        return file.exists()

    @staticmethod
    def _take(source: Path, target: Path) -> None:
        os.utime(source)
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.{os.getpid()}.new")
        draft.unlink(missing_ok=True)
        try:
            os.link(source, draft)
        except OSError:  # another file system
            shutil.copyfile(source, draft)
        draft.replace(target)


class LayerFiles(MutableMapping[str, bytes]):
    """One repository's layers: digest -> content, a file each."""

    def __init__(self, folder: Path, known: KnownLayers) -> None:
        self._folder, self._known = folder, known

    def _file(self, digest: str) -> Path:
        return self._folder / quote(digest, safe="")

    def __getitem__(self, digest: str) -> bytes:
        if digest not in self:
            raise KeyError(digest)
        return self._file(digest).read_bytes()

    def __contains__(self, digest: object) -> bool:
        file = self._file(str(digest))
        return file.exists() or self._known.give(file)

    def __setitem__(self, digest: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._file(f"{digest}.{os.getpid()}.new")
        draft.write_bytes(content)
        draft.replace(self._file(digest))
        self._known.remember(self._file(digest))

    def __delitem__(self, digest: str) -> None:
        try:
            self._file(digest).unlink()
        except FileNotFoundError:
            raise KeyError(digest) from None

    def __iter__(self) -> Iterator[str]:
        names = (path.name for path in self._folder.glob("*") if path.suffix != ".new")
        return iter([name.replace("%3A", ":") for name in names])

    def __len__(self) -> int:
        return len(list(iter(self)))


class Layers:
    """What ministack keeps all layers in: repository -> layers, for the account and region of the request."""

    def __init__(self, folder: Path, known: KnownLayers) -> None:
        self._folder, self._known = folder, known

    def __deepcopy__(self, _memo: object) -> dict[str, Any]:
        return {}  # ministack copies its state to store it as JSON; the files need no storing

    def setdefault(self, repository: str, _default: object) -> LayerFiles:
        return self.get(repository)

    def get(self, repository: str, _default: object = None) -> LayerFiles:
        from ministack.core.responses import get_account_id, get_region

        return LayerFiles(self._folder / get_account_id() / get_region() / quote(repository, safe=""), self._known)

    def clear(self) -> None:
        for path in self._folder.glob("*/*/*/*"):
            path.unlink()


def install(folder: Path, cache: Path) -> None:
    """Put layers under `folder` and our handler before ministack's. `cache`: what outlives this cloud."""
    from ministack import app
    from ministack.services import ecr

    ecr._layer_blobs = Layers(folder, KnownLayers(cache / "layers"))
    app.SERVICE_HANDLERS["ecr"] = handle_request


async def handle_request(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Any]
) -> Response:
    from ministack.services import ecr

    action = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        if action == "DescribeImages":
            _check_images(json.loads(body or b"{}"))
        if action == "GetDownloadUrlForLayer":
            host = {key.lower(): value for key, value in headers.items()}.get("host", "")
            return json_response(_layer_url(json.loads(body or b"{}"), host))
        if action == "DescribeImageScanFindings":
            return json_response(_scan(json.loads(body or b"{}")))
        if action == "CreateRepository":
            check_name(str(json.loads(body or b"{}").get("repositoryName", "")))
    except ServiceError as error:
        return json_error(error)
    response: Response = await ecr.handle_request(method, path, headers, body, query)
    if action == "PutImage" and response[0] == 200:
        _serve_manifest(json.loads(body), json.loads(response[2]))
    if action in ("BatchDeleteImage", "DeleteRepository") and response[0] == 200:
        _forget_manifests()
    return response


NAME = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")


def check_name(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html"""
    if not 2 <= len(name) <= 256 or not NAME.fullmatch(name):
        words = f"must satisfy regular expression '{NAME.pattern}'"
        raise ServiceError(
            "InvalidParameterException",
            f"Invalid parameter at 'repositoryName' failed to satisfy constraint: '{words}'",
        )


def _check_images(request: Mapping[str, Any]) -> None:
    from ministack.core.responses import get_account_id
    from ministack.services import ecr

    name = request.get("repositoryName", "")
    if name not in ecr._repositories:
        return
    for wanted in request.get("imageIds") or ():
        if ecr._find_image(name, wanted) is None:
            tag, digest = wanted.get("imageTag", "null"), wanted.get("imageDigest", "null")
            raise ServiceError(
                "ImageNotFoundException",
                f"The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the "
                f"repository with name '{name}' in the registry with id '{get_account_id()}'",
            )


def _layer_url(request: Mapping[str, Any], host: str) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetDownloadUrlForLayer.html; `ns` says to the
    registry, which knows no signature, whose repository is meant."""
    from ministack.core.responses import get_account_id, get_region
    from ministack.services import ecr

    name, digest = str(request.get("repositoryName", "")), str(request.get("layerDigest", ""))
    if name not in ecr._repositories:
        raise ServiceError("RepositoryNotFoundException", f"The repository with name '{name}' does not exist")
    if digest not in ecr._layer_blobs.get(name, {}):
        raise ServiceError(
            "LayersNotFoundException",
            f"The layer with digest '{digest}' does not exist within the repository with name '{name}'",
        )
    registry = f"{get_account_id()}.dkr.ecr.{get_region()}.amazonaws.com"
    return {"downloadUrl": f"http://{host}/v2/{name}/blobs/{digest}?ns={registry}", "layerDigest": digest}


FINDINGS = "local-aws.findings"
"""A label: `SEVERITY NAME PACKAGE VERSION` of each finding, `;` between them; package and version may be left out."""
NO_SCANNER = f"the local cloud scans nothing: these are the findings that the image's label {FINDINGS} names"


def _scan(request: Mapping[str, Any]) -> dict[str, Any]:
    """https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html"""
    from ministack.core.responses import get_account_id
    from ministack.services import ecr

    name, wanted = str(request.get("repositoryName", "")), request.get("imageId") or {}
    if name not in ecr._repositories:
        raise ServiceError("RepositoryNotFoundException", f"The repository with name '{name}' does not exist")
    _check_images({"repositoryName": name, "imageIds": [wanted]})
    digest, account = ecr._find_image(name, wanted)["imageDigest"], get_account_id()
    config = _config(name, digest)
    if not ecr._repositories[name].get("imageScanningConfiguration", {}).get("scanOnPush") or config is None:
        raise ServiceError(
            "ScanNotFoundException",
            f"Image scan does not exist for the image with '{{imageDigest:'{digest}'}}' in the repository with name "
            f"'{name}' in the registry with id '{account}'",
        )
    found = findings_of((config.get("config") or {}).get("Labels") or {})
    return {
        "registryId": account,
        "repositoryName": name,
        "imageId": {"imageDigest": digest},
        "imageScanStatus": {"status": "COMPLETE", "description": NO_SCANNER},
        "imageScanFindings": {"findings": found, "findingSeverityCounts": Counter(each["severity"] for each in found)},
    }


def findings_of(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """The findings that an image's labels name, as a basic scan gives them."""
    found = []
    for words in filter(None, map(str.split, labels.get(FINDINGS, "").split(";"))):
        severity, name, package, version, *_ = [*words, "", "", ""]
        said = {"package_name": package, "package_version": version}
        attributes = [{"key": key, "value": value} for key, value in said.items() if value]
        found.append({"name": name, "severity": severity.upper(), "attributes": attributes})
    return found


def _config(repository: str, digest: str) -> Any:
    """The configuration of an image; None for an index, or where the registry does not have it."""
    from ministack.services import ecr

    _, manifest, _ = ecr._resolve_manifest(repository, digest)
    wanted = json.loads(manifest or b"{}").get("config", {}).get("digest", "")
    content = ecr._layer_blobs.get(repository, {}).get(wanted)
    return json.loads(content) if content else None


def _serve_manifest(request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """What was put by its text is served by its digest."""
    from ministack.services import ecr

    manifests = ecr._manifest_blobs.setdefault(request["repositoryName"], {})
    manifests[answer["image"]["imageId"]["imageDigest"]] = str(request["imageManifest"]).encode()


def _forget_manifests() -> None:
    """Serve only manifests of images that are listed."""
    from ministack.services import ecr

    for name, manifests in list(ecr._manifest_blobs.items()):
        listed = {image["imageDigest"] for image in ecr._images.get(name, [])}
        for digest in set(manifests) - listed:
            del manifests[digest]
