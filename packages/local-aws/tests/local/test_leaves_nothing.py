"""`make down` leaves no process, container, network, mount or rule of the kernel's: all is as it was before `make up`.

The cloud runs in namespaces of its own, so that nothing else on this machine can come or go between the two looks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
from tests.local.repository import ROOT

pytestmark = [
    pytest.mark.cloud,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces, and start dockerd in them"),
    pytest.mark.skipif(not shutil.which("dockerd"), reason="dockerd is not installed"),
]


@pytest.fixture(scope="module", params=["Docker is started", "Docker is there"])
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Everything that there was before, during and after."""
    alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]
    program = [sys.executable, "-m", "tests.local.in_a_namespace", str(tmp_path_factory.mktemp("alone"))]
    there = ["there"] if request.param == "Docker is there" else []
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("LOCAL_", "AWS_", "DOCKER_"))
    }
    done = subprocess.run([*alone, *program, *there], cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["code"] == 0, found["said"]
    return found | {"started": not there}


@pytest.mark.parametrize("kind", ["processes", "containers", "networks", "mounts", "links", "rules", "ports", "routes"])
def test_what_came_with_up_goes_with_down(life: dict[str, Any], kind: str) -> None:
    assert set(life["during"][kind]) - set(life["before"][kind]), "nothing came, so nothing is shown"
    assert life["after"][kind] == life["before"][kind]


@pytest.mark.parametrize("kind", ["volumes", "forwarding"])
def test_what_never_changes_does_not_change(life: dict[str, Any], kind: str) -> None:
    assert life["after"][kind] == life["before"][kind]


def test_dockerd_goes_exactly_if_the_cloud_started_it(life: dict[str, Any]) -> None:
    assert any("dockerd" in line for line in life["during"]["processes"])
    assert any("dockerd" in line for line in life["after"]["processes"]) is not life["started"]
    assert ("dockerd" in life["said"]) is life["started"]
