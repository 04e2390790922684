"""The AWS resource types are loaded a file at a time. In processes of their own: in this one, all is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from release_lane.program.lean import USED, file_of

pytestmark = pytest.mark.program

ROOT = Path(__file__).resolve().parents[4]

FILES = """
def files():
    return sorted(name.removeprefix("pulumi_aws.") for name in sys.modules if name.count(".") == 2
                  and name.startswith("pulumi_aws."))
"""


def in_a_fresh_process(code: str) -> object:
    """What `code` prints as JSON."""
    text = f"import json, sys\nfrom release_lane.program import lean\n{FILES}\n{code}"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_a_name_loads_its_own_file_and_not_the_services_others() -> None:
    loaded = in_a_fresh_process("lean.install()\nfrom pulumi_aws import ec2\nec2.Vpc\nprint(json.dumps(files()))")
    assert loaded == ["ec2.vpc"]


def test_a_name_without_a_file_of_its_own_is_found_in_the_whole_service() -> None:
    code = (
        "lean.install()\nfrom pulumi_aws import ec2\nprint(json.dumps([ec2.InstanceType.T3_MICRO.value, len(files())]))"
    )
    value, number = in_a_fresh_process(code)  # type: ignore[misc]
    assert value == "t3.micro"
    assert number > 100


def test_a_name_that_is_not_in_the_file_it_is_looked_for_in_is_found_in_the_whole_service() -> None:
    code = "lean.install()\nfrom pulumi_aws import ec2\nprint(json.dumps(ec2.RouteTableArgs.__module__))"
    assert in_a_fresh_process(code) == "pulumi_aws.ec2.route_table"


def test_a_name_that_does_not_exist_is_an_error_as_before() -> None:
    code = "lean.install()\nimport pulumi_aws\nprint(json.dumps(hasattr(pulumi_aws.ec2, 'NoSuchThing')))"
    assert in_a_fresh_process(code) is False


def test_all_names_mean_the_same_as_without_it() -> None:
    """Every public name of a service that is loaded lean first, and whole afterwards."""
    code = """
lean.install()
lean.load()
import importlib
import pulumi_aws
names = [(service, name) for service in lean.USED for name in lean.USED[service]]
early = {(service, name): getattr(getattr(pulumi_aws, service), name) for service, name in names}
for service in lean.USED:
    hasattr(getattr(pulumi_aws, service), "NoSuchThing")
same = [getattr(getattr(pulumi_aws, service), name) is value for (service, name), value in early.items()]
print(json.dumps([len(same), all(same)]))
"""
    number, same = in_a_fresh_process(code)  # type: ignore[misc]
    assert (number, same) == (sum(map(len, USED.values())), True)


def test_a_module_that_took_the_service_before_gets_it_lean_too() -> None:
    code = "from pulumi_aws import ec2\nlean.install()\nec2.Vpc\nprint(json.dumps(files()))"
    assert in_a_fresh_process(code) == ["ec2.vpc"]


def test_a_service_that_was_used_already_is_left_alone() -> None:
    code = (
        "from pulumi_aws import iam\niam.Role\nbefore = iam.Role\nlean.install()\nprint(json.dumps(iam.Role is before))"
    )
    assert in_a_fresh_process(code) is True


def test_whatever_an_environment_registers_is_loaded_while_the_cloud_is_asked() -> None:
    """Else it would be loaded later, while nothing else goes on; add its name to `USED`."""
    code = """
from tests.infra.mocks import ARTIFACTS, FIRST, World, observed, run
lean.install()
lean.load()
before = files()
run(World(outputs=ARTIFACTS, observed=observed(image=FIRST)), {"release-lane:imageDigest": FIRST})
print(json.dumps(sorted(set(files()) - set(before))))
"""
    assert in_a_fresh_process(code) == []


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Vpc", "vpc"),
        ("RouteTableAssociation", "route_table_association"),
        ("RouteTableRouteArgs", "_inputs"),
        ("SecurityGroupIngressRule", "security_group_ingress_rule"),
        ("outputs", "outputs"),
        ("get_vpc", "get_vpc"),
    ],
)
def test_names_and_their_files(name: str, file: str) -> None:
    assert file_of(name) == file
