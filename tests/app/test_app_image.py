"""What a reviewer looks for in the image's recipe, and the image itself where Docker runs."""

import ast
import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from local_aws.base_image import build_args, ensure_base_image
from local_aws.toolchain.cache import cache_folder
from release_lane.decide.contract import differences
from release_lane.record.container import OWN
from release_lane.record.contract import Contract
from release_lane.record.placement import Service
from release_lane.settings.service import ServiceSettings

APP = Path(__file__).parents[2] / "app"


@pytest.mark.pure
def test_every_locked_package_has_an_exact_version_and_a_hash() -> None:
    lock = (APP / "requirements.lock").read_text()
    packages = re.split(r"\n(?=\S)", lock.strip())[1:]  # the first is the comment
    assert packages
    for package in packages:
        assert re.match(r"[a-z0-9-]+==\S+( ; .+)? \\\n", package), package
        assert "--hash=sha256:" in package, package
    assert "://" not in lock, "no registry's address belongs into a lock"


@pytest.mark.pure
def test_the_lock_covers_what_is_asked_for() -> None:
    asked = re.findall(r"^([a-z0-9-]+)", (APP / "requirements.in").read_text(), re.MULTILINE)
    locked = re.findall(r"^([a-z0-9-]+)==", (APP / "requirements.lock").read_text(), re.MULTILINE)
    assert set(asked) <= set(locked)


def labels_of(dockerfile: Path) -> dict[str, str]:
    """Those of a Dockerfile, as they are written; a line may go on below."""
    text = dockerfile.read_text().replace("\\\n", "")
    return dict(re.findall(r' ([a-z.-]+)="([^"]*)"', "\n".join(re.findall(r"^LABEL.*$", text, re.MULTILINE))))


def labels() -> dict[str, str]:
    return labels_of(APP / "Dockerfile")


@pytest.mark.pure
def test_the_image_declares_every_variable_that_the_service_reads() -> None:
    """But for those that the image and the lane set."""
    tree = ast.parse((APP / "settings.py").read_text())
    asked = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "env.get"]
    read = {str(ast.literal_eval(node.args[0])) for node in asked}
    contract = Contract.of(labels(), "the sample")
    assert contract.env
    assert contract.env.names == read - OWN - {"COMMIT"}
    assert contract.unchecked == ()


@pytest.mark.pure
def test_the_image_declares_what_the_settings_of_this_repository_are() -> None:
    contract = Contract.of(labels(), "the sample")
    for name in ("staging", "production"):
        config = yaml.safe_load((APP.parent / f"Pulumi.{name}.yaml").read_text())["config"]
        service = ServiceSettings.model_validate(config["release-lane:service"])
        assert differences(contract, Service(**service.model_dump(), env=config["release-lane:env"])) == ()


def docker(*arguments: str) -> str:
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}  # what builds there builds everywhere
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"docker {arguments[0]}: {done.stderr}\n{done.stdout[-2000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    tag = f"release-lane-test:{uuid.uuid4().hex[:12]}"
    given = build_args(ensure_base_image(cache_folder(), print)) | {"COMMIT": "c0ffee"}
    arguments = [part for pair in given.items() for part in ("--build-arg", "=".join(pair))]
    docker("build", "-q", "--network", "host", "-t", tag, *arguments, str(APP))
    yield tag
    docker("rmi", "-f", tag)


@pytest.mark.cloud
@pytest.mark.long
def test_the_image_says_what_it_is_and_is_not_root(image: str) -> None:
    config = json.loads(docker("image", "inspect", "-f", "{{json .Config}}", image))
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.revision"] == "c0ffee"
    assert config["Cmd"] == ["/venv/bin/python", "-m", "app"], "no shell between Docker and Python"


@pytest.mark.cloud
@pytest.mark.long
def test_it_starts_with_nothing_to_write_to_and_stops_with_0(image: str) -> None:
    container = docker("run", "-d", "--read-only", "--cap-drop=ALL", "--network=none", image)
    try:
        ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/api/v1/status').read().decode())"
        for _ in range(100):
            tried = subprocess.run(
                ["docker", "exec", container, "/venv/bin/python", "-c", ask], capture_output=True, text=True
            )
            if tried.returncode == 0:
                break
        status = json.loads(tried.stdout)
        assert (status["status"], status["commit"]) == ("ok", "c0ffee")
        docker("stop", container)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", container) == "0"
    finally:
        docker("rm", "-f", container)


@pytest.mark.cloud
@pytest.mark.long
def test_another_commit_costs_no_new_layer(image: str) -> None:
    given = build_args(ensure_base_image(cache_folder(), print)) | {"COMMIT": "facade"}
    arguments = [part for pair in given.items() for part in ("--build-arg", "=".join(pair))]
    other = docker("build", "-q", "--network", "host", *arguments, str(APP)).splitlines()[-1]
    layers = [docker("image", "inspect", "-f", "{{json .RootFS.Layers}}", name) for name in (image, other)]
    docker("rmi", other)
    assert layers[0] == layers[1]
