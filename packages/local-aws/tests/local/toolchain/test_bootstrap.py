"""./bootstrap: what it finds missing, and what it says where it cannot help."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from tests.local.repository import ROOT

pytestmark = pytest.mark.provider

MADE_FROM = (
    "requirements.lock",
    "pyproject.toml",
    *(f"packages/{name}/pyproject.toml" for name in ("provider-kit", "release-lane", "local-aws")),
    "packages/local-aws/src/local_aws/toolchain/uv.txt",
    "packages/release-lane/src/release_lane/direct.pth",
)


def load(script: Path) -> ModuleType:
    loader = SourceFileLoader("bootstrap_under_test", str(script))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """As much of a fresh clone as bootstrap looks at."""
    for name in ("bootstrap", *MADE_FROM):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def bootstrap(checkout: Path) -> ModuleType:
    return load(checkout / "bootstrap")


def test_a_fresh_clone_misses_its_virtual_environment(checkout: Path) -> None:
    done = subprocess.run([sys.executable, "bootstrap", "--check"], cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 1
    assert ".venv" in done.stdout
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("name", MADE_FROM)
def test_the_environment_is_renewed_when_what_it_is_made_from_changes(
    bootstrap: ModuleType, checkout: Path, name: str
) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv/.bootstrap").write_text(bootstrap.wanted_stamp())
    assert bootstrap.venv_is_current()
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    assert not bootstrap.venv_is_current()


def test_commands_that_are_missing_are_named_by_their_package(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bootstrap.missing_packages({"no-such-command": "a-package", "neither": "a-package"}) == ["a-package"]


def test_where_there_is_no_apt_it_says_what_is_needed(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(bootstrap.CannotError, match=r"missing on this machine: haproxy(.|\n)*next: install Docker"):
        bootstrap.install_packages(["haproxy"])


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only commands there are; each writes down how it was called."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("apt-get", "dockerd", "docker", "haproxy", "iptables", "setpriv", "apt-cache"):
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/called\n')
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def only_in(folder: Path) -> Callable[[str], str | None]:
    """A machine whose commands, and other files, are those of the folder."""

    def find(command: str) -> str | None:
        found = folder / Path(command).name
        return str(found) if found.exists() else None

    return find


def test_what_is_optional_is_installed_by_root_and_not_asked_of_a_user(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tools: Path
) -> None:
    monkeypatch.setattr(bootstrap, "find", only_in(tools))
    (tools / "debian-archive-keyring.gpg").touch()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert bootstrap.packages_to_install() == ["mmdebstrap", "rsync", "skopeo", "uidmap"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert bootstrap.packages_to_install() == []


def test_a_user_learns_the_one_command_that_brings_all(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tools: Path
) -> None:
    monkeypatch.setattr(bootstrap, "find", only_in(tools))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (tools / "haproxy").unlink()
    with pytest.raises(
        bootstrap.CannotError,
        match=r"sudo apt-get install .* haproxy debian-archive-keyring mmdebstrap rsync skopeo uidmap",
    ):
        bootstrap.install_packages(bootstrap.packages_to_install())


@pytest.mark.parametrize("is_there", [True, False])
def test_dockers_client_comes_along_where_it_is_a_package_of_its_own(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tools: Path, tmp_path: Path, is_there: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if is_there:
        with (tools / "apt-cache").open("a") as script:
            script.write("echo Package: docker-cli\n")
    bootstrap.install_packages(["docker.io"])
    installed = (tmp_path / "called").read_text().splitlines()[-1]
    assert installed.endswith("docker.io docker-cli" if is_there else "docker.io")


def test_an_old_python_is_refused_in_one_line(bootstrap: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main([], least_python=(99, 0)) == 2
    assert "Python 99.0 or newer is needed" in capsys.readouterr().err


def test_a_step_that_fails_shows_the_end_of_its_output(bootstrap: ModuleType) -> None:
    with pytest.raises(bootstrap.CannotError, match=r"thing: failed(.|\n)*code 3(.|\n)*the reason"):
        bootstrap.step("thing", ["sh", "-c", "echo the reason >&2; exit 3"])


@pytest.mark.parametrize("has_pip", [True, False])
def test_the_environment_gets_its_installer_by_the_machines_pip_or_by_one_of_its_own(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, has_pip: bool
) -> None:
    steps: list[list[str]] = []

    def step(name: str, command: list[str]) -> None:
        steps.append(command)
        if "install" in command:
            raise bootstrap.CannotError(name, "that is far enough", "")

    monkeypatch.setattr(bootstrap, "has_pip", lambda: has_pip)
    monkeypatch.setattr(bootstrap, "step", step)
    with pytest.raises(bootstrap.CannotError, match="installers"):
        bootstrap.make_venv()
    (make, install), own = steps, str(bootstrap.VENV / "bin/python")
    assert ("--without-pip" in make) == has_pip
    assert install[: install.index("install")] == (
        [sys.executable, "-m", "pip", "--python", own] if has_pip else [own, "-m", "pip"]
    )


@pytest.mark.parametrize(("has_pip", "asked_for"), [(True, []), (False, ["python3-venv"])])
def test_debians_part_of_venv_is_asked_for_where_nothing_else_can_bring_pip(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, has_pip: bool, asked_for: list[str]
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(bootstrap, "has_pip", lambda: has_pip)
    monkeypatch.setattr(bootstrap, "can_make_venv", lambda: False)
    monkeypatch.setattr(bootstrap, "packages_to_install", list)
    monkeypatch.setattr(bootstrap, "venv_is_current", lambda: False)
    monkeypatch.setattr(bootstrap, "install_packages", installed.extend)
    monkeypatch.setattr(bootstrap, "make_venv", lambda: None)
    assert bootstrap.prepare() == 0
    assert installed == asked_for


@pytest.mark.parametrize(("authorities", "shown"), [(["a company's"], {"UV_SYSTEM_CERTS": "true"}), ([], {})])
def test_the_installer_trusts_whom_the_machine_trusts(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, authorities: list[str], shown: dict[str, str]
) -> None:
    class Context:
        def get_ca_certs(self) -> list[str]:
            return authorities

    monkeypatch.setattr(bootstrap.ssl, "create_default_context", Context)
    assert bootstrap.authorities() == shown


def test_a_file_is_looked_for_by_its_whole_path(bootstrap: ModuleType, tmp_path: Path) -> None:
    keyring = tmp_path / "keyring.gpg"
    assert bootstrap.find(str(keyring)) is None
    keyring.touch()
    assert bootstrap.find(str(keyring)) == str(keyring)
