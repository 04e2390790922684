"""What `.local/env` exports, and that it works in the shells that people use."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws.errors import LocalError
from local_aws.places import BIN, Places, environment, exports, read_generated, render_generated, search_path

ENGINE = Path("/cache/it's/bin")


def places(tmp_path: Path) -> Places:
    return Places(root=tmp_path, runtime=tmp_path / ".local", cache=tmp_path / "cache")


@pytest.mark.pure
def test_what_is_written_can_be_read_back() -> None:
    here = places(Path("/a checkout/with 'quotes'"))
    exported = exports(here, '{"BASE_IMAGE": "x y"}', {"MINE": "it's mine"})
    assert read_generated(render_generated(exported, ENGINE)) == (exported, ENGINE)
    assert exported["MINE"] == "it's mine"


@pytest.mark.pure
def test_a_real_accounts_settings_do_not_reach_a_child() -> None:
    inherited = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "t", "PATH": "/bin", "HOME": "/root"}
    child = environment(exports(places(Path("/x"))), ENGINE, inherited)
    assert "AWS_PROFILE" not in child
    assert "AWS_SESSION_TOKEN" not in child
    assert child["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert child["PATH"] == f"{BIN}:{ENGINE}:/bin"


@pytest.mark.pure
def test_the_path_holds_each_folder_once() -> None:
    once = search_path(ENGINE, "/bin:/usr/bin")
    assert search_path(ENGINE, once) == once


@pytest.mark.pure
def test_two_projects_mark_what_they_start_differently() -> None:
    assert places(Path("/a")).cloud_id != places(Path("/b")).cloud_id
    assert places(Path("/a")).cloud_id == places(Path("/a")).cloud_id


@pytest.mark.pure
def test_a_second_cloud_is_chosen_by_the_environment() -> None:
    here = Places.read({"LOCAL_RUNTIME": "/nowhere/r", "HOME": "/nowhere"})
    assert here.runtime == Path("/nowhere/r")
    assert (here.slot, here.endpoint, here.balancers) == (0, "http://127.0.0.1:4566", "127.0.10")


@pytest.mark.provider
def test_the_project_is_the_nearest_one_at_or_above_the_working_directory(tmp_path: Path) -> None:
    inner = tmp_path / "outer/inner/deep"
    inner.mkdir(parents=True)
    (tmp_path / "outer/Pulumi.yaml").write_text("name: outer\n")
    assert Places.read({"LOCAL_AWS_CACHE": "/c"}, inner).runtime == tmp_path / "outer/.local"
    (tmp_path / "outer/inner/pyproject.toml").write_text("[tool.local-aws]\n")
    assert Places.read({"LOCAL_AWS_CACHE": "/c"}, inner).root == tmp_path / "outer/inner"


@pytest.mark.provider
def test_outside_of_a_project_it_says_where_to_go(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(LocalError, match="no Pulumi project in"):
        Places.read({}, tmp_path)


@pytest.mark.provider
def test_the_slot_noted_in_the_folder_says_the_addresses(tmp_path: Path) -> None:
    (tmp_path / "slot").write_text("3\n")
    here = Places.read({"LOCAL_RUNTIME": str(tmp_path)})
    assert (here.slot, here.endpoint, here.balancers) == (3, "http://127.0.0.1:4569", "127.0.13")
    assert exports(here)["AWS_ENDPOINT_URL"] == here.endpoint


# --- .local/env, in real shells

SHELLS = [shell for shell in ("bash", "zsh", "dash") if shutil.which(shell)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    (folder / ".local").mkdir(parents=True)
    (folder / "inside").mkdir()
    return folder


def source(shell: str, checkout: Path, cwd: Path, then: str) -> subprocess.CompletedProcess[str]:
    command = [shell, "-c", f'. "{checkout}/.local/env"; {then}']
    return subprocess.run(command, cwd=cwd, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)


@pytest.mark.provider
@pytest.mark.parametrize("shell", SHELLS)
def test_with_a_cloud_everything_is_exported_and_nothing_said(shell: str, checkout: Path) -> None:
    here = places(checkout)
    here.generated.write_text(render_generated(exports(here, '{"A": "b c"}'), ENGINE))
    inside = checkout / "inside"
    twice = f'. "{checkout}/.local/env"; '
    done = source(shell, checkout, inside, twice + 'echo "$PATH"; echo "$LOCAL_AWS_BUILD_ARGS"; env')
    path, build_args, *rest = done.stdout.splitlines()
    assert done.stderr == ""
    assert path.startswith(f"{BIN}:{ENGINE}:")
    assert path.count(str(ENGINE)) == 1
    assert build_args == '{"A": "b c"}'
    assert set(rest) >= {f"{name}={value}" for name, value in exports(here, '{"A": "b c"}').items()}


@pytest.mark.provider
@pytest.mark.parametrize("shell", SHELLS)
def test_a_cdpath_leads_nowhere_else(shell: str, checkout: Path) -> None:
    """With it `cd` says where it went, and goes to a namesake if there is one."""
    here = places(checkout)
    here.generated.write_text(render_generated(exports(here), ENGINE))
    (checkout / "elsewhere/.local").mkdir(parents=True)
    then = f'export CDPATH="{checkout}/elsewhere:."; . ./.local/env; . .local/env; echo "$PATH"'
    done = subprocess.run(
        [shell, "-c", then], cwd=checkout, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert (done.stdout.startswith(f"{BIN}:{ENGINE}:"), done.stderr) == (True, "")


@pytest.mark.provider
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_uses_the_cloud_whose_env_it_read_last(shell: str, checkout: Path) -> None:
    """Two checkouts next to each other, each in a slot of its own."""
    other = checkout.with_name("another checkout")
    shutil.copytree(checkout, other)
    for slot, folder in enumerate((checkout, other)):
        here = replace(places(folder), slot=slot)
        here.generated.write_text(render_generated(exports(here), ENGINE))
    ask = 'echo "$AWS_ENDPOINT_URL $LOCAL_AWS_HOME ${PATH%%:*} $PULUMI_BACKEND_URL"'
    then = f'{ask}; cd "{other}"; . "{other}/.local/env"; {ask}; cd "{checkout}"; . "{checkout}/.local/env"; {ask}'
    said = source(shell, checkout, checkout, then).stdout.splitlines()
    one = f"http://127.0.0.1:4566 {checkout} {BIN} file://{checkout}/.local/state?metadata=skip"
    two = f"http://127.0.0.1:4567 {other} {BIN} file://{other}/.local/state?metadata=skip"
    assert said == [one, two, one]


@pytest.mark.provider
@pytest.mark.parametrize("shell", [shell for shell in SHELLS if shell != "dash"])
def test_it_can_be_sourced_from_anywhere(shell: str, checkout: Path, tmp_path: Path) -> None:
    here = places(checkout)
    here.generated.write_text(render_generated(exports(here), ENGINE))
    done = source(shell, checkout, tmp_path, 'echo "$LOCAL_AWS_HOME"')
    assert (done.stdout, done.stderr) == (f"{checkout}\n", "")
