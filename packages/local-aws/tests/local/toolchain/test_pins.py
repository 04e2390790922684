"""Versions and names: text in, values out."""

import pytest
from local_aws.toolchain.pins import (
    Version,
    act_go_mod,
    checksum_of,
    download_names,
    engine_go_mod,
    parse_version,
    will_do,
)

pytestmark = pytest.mark.pure

V = Version(3, 259, 0)


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.259.0", V), ("v3.259.0-dev+dirty\n", V), ("warning: …\n3.260.1\n", Version(3, 260, 1)), ("none", None)],
)
def test_what_the_command_prints_is_understood(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("installed", "good"),
    [
        (V, True),
        (Version(3, 259, 1), True),
        (Version(3, 1000, 0), True),
        (Version(3, 258, 9), False),
        (Version(4, 0, 0), False),
        (Version(2, 300, 0), False),
        (None, False),
    ],
)
def test_an_engine_will_do_if_it_is_not_older_and_of_the_same_major(installed: Version | None, good: bool) -> None:
    assert will_do(installed, V) is good


def test_the_generated_go_mods_name_the_pinned_versions_and_nothing_else() -> None:
    required = [line.strip() for line in engine_go_mod(V).splitlines() if line.startswith("\t")]
    assert required == ["github.com/pulumi/pulumi/pkg/v3 v3.259.0", "github.com/pulumi/pulumi/sdk/v3 v3.259.0"]
    assert "require github.com/nektos/act v0.2.89" in act_go_mod()


@pytest.mark.parametrize(
    ("system", "machine", "archive"),
    [
        ("Linux", "x86_64", "pulumi-v3.259.0-linux-x64.tar.gz"),
        ("Linux", "aarch64", "pulumi-v3.259.0-linux-arm64.tar.gz"),
        ("Darwin", "arm64", "pulumi-v3.259.0-darwin-arm64.tar.gz"),
    ],
)
def test_the_official_archive_is_named_for_this_machine(system: str, machine: str, archive: str) -> None:
    names = download_names(V, system, machine)
    assert names is not None
    assert (names.archive, names.checksums) == (archive, "pulumi-3.259.0-checksums.txt")


@pytest.mark.parametrize(("system", "machine"), [("Linux", "riscv64"), ("FreeBSD", "amd64")])
def test_nothing_is_named_where_nothing_is_published(system: str, machine: str) -> None:
    assert download_names(V, system, machine) is None


def test_a_checksum_is_taken_only_for_the_very_file() -> None:
    listing = f"{'a' * 64}  x.tar.gz\n{'b' * 64} *y.tar.gz\nnot-hex  z.tar.gz\n\n"
    assert checksum_of(listing, "x.tar.gz") == "a" * 64
    assert checksum_of(listing, "y.tar.gz") == "b" * 64
    assert checksum_of(listing, "z.tar.gz") is None
    assert checksum_of(listing, "x.tar") is None
