"""Which base image is chosen, and that a failure leaves nothing behind."""

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from local_aws.base_image import (
    CA_BUNDLE,
    OFFICIAL,
    DockerCli,
    Recipe,
    arguments,
    ca_bundle,
    choose,
    ensure_base_image,
    make_tar,
    mmdebstrap_command,
    not_made,
    tar_of,
    this_machine,
)
from local_aws.errors import LocalError
from local_aws.trust import write_bundle

RECIPE = Recipe(ca_bundle=b"certificates", machine="x86_64")


class FakeImages:
    """Docker with some images, and a registry that has some or is out of reach."""

    def __init__(self, here: Sequence[str] = (), pullable: Sequence[str] = ()) -> None:
        self.here = set(here)
        self.pullable = set(pullable)
        self.pulls: list[str] = []

    def has(self, reference: str) -> bool:
        return reference in self.here

    def pull(self, reference: str) -> bool:
        self.pulls.append(reference)
        self.here |= self.pullable & {reference}
        return reference in self.here

    def load(self, tar: Path, reference: str) -> None:
        assert tar.read_text() == "a file system"
        self.here.add(reference)


class FakeMmdebstrap:
    """Makes a tar, or fails half way."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.runs = 0

    def __call__(self, recipe: Recipe, tar: Path, say: Callable[[str], None]) -> None:
        self.runs += 1
        say(f"making {recipe.id}")
        tar.write_text("half" if self.fails else "a file system")
        if self.fails:
            raise LocalError("no mirror")


def nobody(_: str) -> None: ...


@pytest.mark.pure
def test_the_official_image_is_taken_when_it_is_here(tmp_path: Path) -> None:
    images, make = FakeImages(here=[OFFICIAL, RECIPE.reference]), FakeMmdebstrap()
    assert choose(RECIPE, tmp_path, images, make, nobody) == OFFICIAL
    assert (images.pulls, make.runs) == ([], 0)


@pytest.mark.pure
def test_the_official_image_is_pulled_when_it_can_be(tmp_path: Path) -> None:
    images, make = FakeImages(pullable=[OFFICIAL]), FakeMmdebstrap()
    assert choose(RECIPE, tmp_path, images, make, nobody) == OFFICIAL
    assert make.runs == 0


@pytest.mark.pure
def test_without_a_registry_it_is_made_from_packages(tmp_path: Path) -> None:
    images, make = FakeImages(), FakeMmdebstrap()
    assert choose(RECIPE, tmp_path, images, make, nobody) == RECIPE.reference
    assert images.has(RECIPE.reference)


@pytest.mark.pure
def test_the_second_time_nothing_is_pulled_or_made(tmp_path: Path) -> None:
    images, make = FakeImages(), FakeMmdebstrap()
    choose(RECIPE, tmp_path, images, make, nobody)
    choose(RECIPE, tmp_path, images, make, nobody)
    assert (len(images.pulls), make.runs) == (1, 1)


@pytest.mark.pure
def test_a_new_docker_gets_it_from_the_cache(tmp_path: Path) -> None:
    make, new_docker = FakeMmdebstrap(), FakeImages()
    choose(RECIPE, tmp_path, FakeImages(), make, nobody)
    assert choose(RECIPE, tmp_path, new_docker, make, nobody) == RECIPE.reference
    assert (new_docker.pulls, make.runs) == ([], 1)


@pytest.mark.pure
def test_what_was_not_used_for_a_month_is_forgotten_when_another_one_is(tmp_path: Path) -> None:
    first, second = replace(RECIPE, mirror="http://one.example"), replace(RECIPE, mirror="http://two.example")
    for recipe in (first, second):
        choose(recipe, tmp_path, FakeImages(), FakeMmdebstrap(), nobody)
        os.utime(tar_of(recipe, tmp_path), times=(0, 0))
    choose(second, tmp_path, FakeImages(), FakeMmdebstrap(), nobody)
    assert [path.name for path in (tmp_path / "base").glob("*.tar")] == [f"{second.id}.tar"], "it was used just now"


@pytest.mark.pure
def test_a_failure_leaves_no_half_tar_and_the_next_run_makes_it(tmp_path: Path) -> None:
    images = FakeImages()
    with pytest.raises(LocalError, match="no mirror"):
        choose(RECIPE, tmp_path, images, FakeMmdebstrap(fails=True), nobody)
    assert [path.suffix for path in (tmp_path / "base").iterdir()] == [".lock"]
    assert choose(RECIPE, tmp_path, images, FakeMmdebstrap(), nobody) == RECIPE.reference


@pytest.mark.pure
@pytest.mark.parametrize(
    "other",
    [
        replace(RECIPE, ca_bundle=b"other certificates"),
        replace(RECIPE, machine="aarch64"),
        replace(RECIPE, mirror="http://mirror.example/debian"),
        replace(RECIPE, packages=(*RECIPE.packages, "libpq5")),
        replace(RECIPE, version=2),
    ],
)
def test_everything_that_changes_the_content_changes_the_id(other: Recipe) -> None:
    assert other.id != RECIPE.id
    assert RECIPE.id == replace(RECIPE).id


@pytest.mark.pure
def test_the_machines_certificates_go_into_it() -> None:
    command = mmdebstrap_command(RECIPE, Path("/tmp/ca.crt"), Path("/tmp/base.part"))
    assert f"--customize-hook=upload /tmp/ca.crt {CA_BUNDLE}" in command
    assert command[-2:] == ["bookworm", "/tmp/base.part"]


@pytest.mark.pure
def test_a_mirror_is_named_last() -> None:
    recipe = replace(RECIPE, mirror="http://mirror.example/debian")
    assert mmdebstrap_command(recipe, Path("ca"), Path("tar"))[-1] == "http://mirror.example/debian"


@pytest.mark.pure
def test_build_arguments_are_the_base_pips_index_and_the_proxies() -> None:
    environ = {"HTTPS_PROXY": "http://proxy.example:3128", "HOME": "/root", "no_proxy": ""}
    pip = {"global.index-url": "https://index.example/simple", "global.timeout": "60"}
    assert arguments(OFFICIAL, environ, pip) == {
        "BASE_IMAGE": OFFICIAL,
        "PIP_INDEX_URL": "https://index.example/simple",
        "HTTPS_PROXY": "http://proxy.example:3128",
    }


@pytest.mark.pure
def test_pips_environment_wins_over_its_files() -> None:
    pip = {"global.index-url": "https://file.example", ":env:.index-url": "https://env.example"}
    assert arguments(OFFICIAL, {}, pip)["PIP_INDEX_URL"] == "https://env.example"


@pytest.mark.pure
def test_only_the_made_base_gets_where_its_certificates_are() -> None:
    assert arguments(RECIPE.reference, {}, {})["PIP_CERT"] == CA_BUNDLE
    assert "PIP_CERT" not in arguments(OFFICIAL, {}, {})


@pytest.mark.pure
def test_a_chosen_base_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_AWS_BASE_IMAGE", "ours.example/python:3.11")
    monkeypatch.setenv("PATH", "")
    assert ensure_base_image(tmp_path, nobody) == "ours.example/python:3.11"


@pytest.mark.provider
def test_a_shell_of_a_local_cloud_makes_no_image_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, bundle, authority = tmp_path / "machine.crt", tmp_path / "bundle.pem", tmp_path / "ca.pem"
    machine.write_text("a root of this machine\n")
    authority.write_text("the authority of a local cloud\n")
    write_bundle(authority, bundle, {"SSL_CERT_FILE": str(machine)})
    monkeypatch.setenv("SSL_CERT_FILE", str(machine))
    before = this_machine()
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    assert this_machine() == before
    assert before.ca_bundle == machine.read_bytes()


@pytest.mark.pure
def test_the_named_bundle_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine.crt"
    mine.write_text("mine")
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    assert ca_bundle() == mine


# --- the real adapters, with commands of our own in the PATH


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    def put(name: str, script: str) -> None:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return put


@pytest.mark.provider
def test_a_registry_that_does_not_begin_to_answer_is_given_up(command: Callable[[str, str], None]) -> None:
    command("docker", "exec sleep 600")
    assert DockerCli(registry_patience=0.05).pull(OFFICIAL) is False


@pytest.mark.provider
def test_a_pull_that_has_begun_may_take_longer(command: Callable[[str, str], None]) -> None:
    command("docker", "echo 3.11-slim-bookworm: Pulling from library/python; sleep 1.3")
    assert DockerCli(registry_patience=1.0).pull(OFFICIAL) is True


@pytest.mark.provider
def test_a_pull_that_fails_is_a_no(command: Callable[[str, str], None]) -> None:
    command("docker", "echo no such host >&2; exit 1")
    assert DockerCli().pull(OFFICIAL) is False


@pytest.mark.provider
def test_dockers_own_words_are_shown_when_it_takes_no_image(
    command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("docker", "echo archive is damaged >&2; exit 1")
    with pytest.raises(LocalError, match="archive is damaged"):
        DockerCli().load(tmp_path / "base.tar", RECIPE.reference)


@pytest.mark.provider
def test_mmdebstraps_last_words_are_shown_and_no_certificates_stay(
    command: Callable[[str, str], None], tmp_path: Path
) -> None:
    command("mmdebstrap", "echo 'I: running apt-get update...' >&2; echo 'E: no mirror answers' >&2; exit 25")
    said: list[str] = []
    with pytest.raises(LocalError, match="E: no mirror answers"):
        make_tar(RECIPE, tmp_path / "base.part", said.append)
    assert said == ["running apt-get update"]
    assert not list(tmp_path.glob("*.crt"))


@pytest.mark.pure
def test_a_user_who_may_not_make_file_systems_learns_the_package_that_lets_him() -> None:
    error = not_made(25, ["E: unable to pick chroot mode automatically (use --mode for manual selection)"])
    assert "sudo apt-get install uidmap" in error.next_step
    unknown = ["W: GPG error: http://deb.debian.org/debian bookworm InRelease: … NO_PUBKEY 6ED0E7B82643E131"]
    assert "sudo apt-get install debian-archive-keyring" in not_made(25, unknown).next_step
    assert "LOCAL_AWS_DEBIAN_MIRROR" in not_made(25, ["E: no mirror answers"]).next_step


@pytest.mark.provider
def test_without_mmdebstrap_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="apt-get install --no-install-recommends mmdebstrap"):
        make_tar(RECIPE, tmp_path / "base.part", nobody)


@pytest.mark.provider
def test_without_docker_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalError, match="`docker` is not installed"):
        DockerCli().has(OFFICIAL)
