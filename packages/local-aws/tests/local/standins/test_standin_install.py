"""The stand-ins lie where the engine looks, in the versions that it asks for, and they start."""

from __future__ import annotations

import os
import signal
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest
from local_aws.standins.install import install
from local_aws.standins.versions import plugin_version
from tests.kit.serving import Client, plain

pytestmark = pytest.mark.provider


def launchers(home: Path) -> dict[str, Path]:
    return {path.parent.name: path for path in sorted(home.glob("plugins/*/*"))}


def test_each_plugin_is_an_executable_in_a_folder_of_its_version(tmp_path: Path) -> None:
    install(tmp_path)
    found = launchers(tmp_path)
    assert {folder: path.name for folder, path in found.items()} == {
        f"resource-aws-v{version('pulumi-aws')}": "pulumi-resource-aws",
        f"resource-docker-v{version('pulumi-docker')}": "pulumi-resource-docker",
    }
    assert all(os.access(path, os.X_OK) for path in found.values())


def test_installing_again_writes_nothing_and_repairs_what_is_damaged(tmp_path: Path) -> None:
    install(tmp_path)
    aws, docker = launchers(tmp_path).values()
    good, before = aws.read_text(), docker.stat().st_mtime_ns
    aws.write_text("damaged")
    docker.chmod(0o755)
    install(tmp_path)
    assert aws.read_text() == good
    assert docker.stat().st_mtime_ns == before
    assert len(launchers(tmp_path)) == 2


def test_without_an_sdk_package_there_is_no_stand_in_for_it(tmp_path: Path) -> None:
    install(tmp_path, {"aws": "pulumi_aws", "nothing": "pulumi_nothing"})
    assert [path.name for path in launchers(tmp_path).values()] == ["pulumi-resource-aws"]


def test_a_real_plugin_is_started_where_it_lies_and_the_stand_in_comes_back_when_it_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    real = folder / "pulumi-resource-aws"
    real.write_text('#!/bin/sh\necho "$0 $1"\n')
    real.chmod(0o755)
    install(tmp_path, real={"aws": folder})
    launcher, docker = launchers(tmp_path).values()
    said = subprocess.run([launcher, "127.0.0.1:1"], capture_output=True, text=True, check=True).stdout
    assert said == f"{real} 127.0.0.1:1\n"
    assert "local_aws.standins.docker" in docker.read_text()
    install(tmp_path)
    assert "local_aws.standins.aws" in launcher.read_text()


@pytest.mark.parametrize("name", ["aws", "docker"])
def test_an_installed_plugin_starts_from_anywhere_and_serves(name: str, tmp_path: Path) -> None:
    install(tmp_path)
    (launcher,) = tmp_path.glob(f"plugins/resource-{name}-*/pulumi-resource-{name}")
    environment = {name: value for name, value in os.environ.items() if name != "LOCAL_AWS_PYTHON"}
    process = subprocess.Popen(
        [launcher, ""], cwd="/", env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert process.stdout is not None
        client = Client.to(int(process.stdout.readline()))
        news = {"region": "x"}
        assert plain(client.call("CheckConfig", "CheckRequest", urn="u", news=news).inputs) == news
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate(timeout=60)


def test_the_docker_plugin_refuses_configuration_that_it_would_ignore() -> None:
    from local_aws.standins.docker.__main__ import configure
    from provider_kit import UserError

    configure({"version": "5"})
    with pytest.raises(UserError, match="docker:host: not served"):
        configure({"version": "5", "host": "ssh://me@elsewhere"})


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="pulumi_nothing is not installed"):
        plugin_version("pulumi_nothing")
