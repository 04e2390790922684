"""A proxy is set that leads nowhere: the local cloud comes up, and a release goes to its users, all by loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_aws import cloud
from local_aws.places import Places
from local_aws.toolchain.cache import cache_folder
from tests.command.checkout import ROOT, Checkout, Ended

from tests.proxies import DEAD, without

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(900)]


def local(verb: str, runtime: Path) -> Ended:
    """`make up`, `make down` of a cloud in this folder, behind that proxy."""
    environ = {**without(os.environ), **DEAD, "LOCAL_RUNTIME": str(runtime)}
    done = subprocess.run(
        [sys.executable, "-m", "local_aws", verb], cwd=ROOT, env=environ, capture_output=True, text=True
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr).ok()


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Checkout]:
    runtime = tmp_path / "cloud/.local"
    local("up", runtime)
    try:
        up = cloud.current(Places(root=ROOT, runtime=runtime, cache=cache_folder()))
        assert up
        # What builds inside of a container does go through the proxy, and this one leads nowhere.
        arguments = {key: value for key, value in json.loads(up.build_args).items() if "proxy" not in key.lower()}
        environ = {**without(up.environment), **DEAD, "LOCAL_AWS_BUILD_ARGS": json.dumps(arguments)}
        checkout = Checkout(tmp_path / "checkout", environ)
        try:
            yield checkout
        finally:
            checkout.close()
    finally:
        local("down", runtime)


def test_a_release_by_the_command_and_one_by_bare_pulumi(lane: Checkout) -> None:
    digest = lane.release("build").ok().out.strip()
    up = ("pulumi", "up", "--stack", "staging", "--yes", "--skip-preview", "--non-interactive")
    first = lane.run(*up, "--config", f"{lane.project}:imageDigest={digest}").ok()
    assert "Traceback" not in first.out + first.err
    lane.git("restore", "Pulumi.staging.yaml")
    assert lane.release("deploy", "staging", "--digest", digest, "--json").ok().data["decision"] == "keep"
    assert "smoke checks passed" in lane.release("smoke", "staging").ok().out
    assert lane.release("probe", "staging", "--for", "1s", "--wait-ready", "--json").ok().data["total"]["ok"]
