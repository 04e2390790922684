"""Which versions, and what follows from them. Pure: text in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENGINE_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
ENGINE_VERSION_SYMBOL = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
ACT_VERSION = "v0.2.89"
ACT_PACKAGE = "github.com/nektos/act"
ACTIONLINT_VERSION = "v1.7.12"
ACTIONLINT_PACKAGE = "github.com/rhysd/actionlint"
GROOVY = "org.apache.groovy:groovy:4.0.28"
GROOVY_SHA256 = "d77164a44ab994837e61eecead64721bdb1794fa2bc6704ac6fe70cd32ef9dd3"

_VERSION = re.compile(r"v?(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)")


@dataclass(frozen=True, order=True)
class Version:
    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version | None:
    """The first version in `text` (`pulumi version` prints `v3.259.0`), or None."""
    found = _VERSION.search(text)
    return found and Version(*map(int, found.groups()))


def will_do(installed: Version | None, pinned: Version) -> bool:
    """Is this engine new enough? One serves programs whose SDK is not newer than itself, within one major version."""
    return installed is not None and installed.major == pinned.major and installed >= pinned


def engine_go_mod(version: Version) -> str:
    """The go.mod of a consumer that only wants the engine built; every other version follows from these two."""
    return (
        "module local-aws/engine\n\ngo 1.25.0\n\nrequire (\n"
        f"\tgithub.com/pulumi/pulumi/pkg/v3 {version}\n"
        f"\tgithub.com/pulumi/pulumi/sdk/v3 {version}\n)\n"
    )


def act_go_mod() -> str:
    return f"module local-aws/act\n\ngo 1.25.0\n\nrequire {ACT_PACKAGE} {ACT_VERSION}\n"


def actionlint_go_mod() -> str:
    return f"module local-aws/actionlint\n\ngo 1.25.0\n\nrequire {ACTIONLINT_PACKAGE} {ACTIONLINT_VERSION}\n"


@dataclass(frozen=True)
class Download:
    """Names within one official release."""

    archive: str
    checksums: str


def download_names(version: Version, system: str, machine: str) -> Download | None:
    """`system`, `machine` as `platform.system()` and `platform.machine()` say; None where nothing is published."""
    arch = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(machine.lower())
    if arch is None or system not in ("Linux", "Darwin"):
        return None
    number = str(version).removeprefix("v")
    archive = f"pulumi-{version}-{system.lower()}-{arch}.tar.gz"
    return Download(archive=archive, checksums=f"pulumi-{number}-checksums.txt")


def checksum_of(checksums: str, file_name: str) -> str | None:
    """The sha256 (64 hex) that a `sha256sum` listing gives for `file_name`, or None."""
    for line in checksums.splitlines():
        parts = line.split()
        if len(parts) == 2 and parts[1].lstrip("*") == file_name and re.fullmatch(r"[0-9a-f]{64}", parts[0]):
            return parts[0]
    return None
