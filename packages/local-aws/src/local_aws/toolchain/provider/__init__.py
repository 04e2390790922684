"""The real AWS provider: the official plugin if this machine has it, else cached, else downloaded, else built.

`provider/official-<version>` in the cache is what was downloaded, `provider/<identity>` what was built (see `build`).
A binary that was built serves the types in the file next to it (see `types`), so another set of types is another
folder below that, with the same binary in it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local_aws.errors import LocalError
from local_aws.standins.versions import plugin_version
from local_aws.toolchain.cache import Say, filling, only_one
from local_aws.toolchain.download import PLUGINS, NotAvailable, download_plugin
from local_aws.toolchain.provider.build import PLUGIN, build, identity
from local_aws.toolchain.provider.types import served, services

Source = Literal["installed", "downloaded", "built"]
Build = Callable[[Set[str], Path, Say], Path]
TYPES = "types.json"
GENERATED = ("schema.json", "bridge-metadata.json")


@dataclass(frozen=True)
class Provider:
    """`folder` holds the plugin, `pulumi-resource-aws`, which serves pulumi-aws `version` (`7.51.1`)."""

    folder: Path
    version: str
    source: Source

    def __str__(self) -> str:
        what = "built from modules" if self.source == "built" else f"official, {self.source}"
        return f"pulumi-aws {self.version} ({what})"


def ensure_provider(
    cache: Path, say: Say, environ: Mapping[str, str] = os.environ, base: str = PLUGINS, build: Build = build
) -> Provider:
    """A provider of the version that the installed pulumi_aws asks for. Raises LocalError where none can be made."""
    found = ready(cache, environ)
    if found is None:
        with only_one(cache / "provider/lock", say):
            found = ready(cache, environ) or _make(cache, say, base, build)
    say(str(found))
    return found


def ready(cache: Path, environ: Mapping[str, str] = os.environ) -> Provider | None:
    """What `ensure_provider` finds without a download or a build. None where it would take minutes."""
    version = plugin_version("pulumi_aws")
    if folder := _installed(version, environ):
        return Provider(folder, version, "installed")
    if (_official(cache, version) / PLUGIN).exists():
        return Provider(_official(cache, version), version, "downloaded")
    if (folder := _serving(cache)) and _complete(folder):
        return Provider(folder, version, "built")
    return None


def _installed(version: str, environ: Mapping[str, str]) -> Path | None:
    """Where the engine of this machine's owner has the plugin; None if that is not the real one."""
    homes = (environ.get("PULUMI_HOME", ""), str(Path(environ.get("HOME", "/")) / ".pulumi"))
    for home in filter(None, homes):
        folder = Path(home) / f"plugins/resource-aws-v{version}"
        if (folder / PLUGIN).is_file() and not _is_script(folder / PLUGIN):
            return folder
    return None


def _is_script(path: Path) -> bool:
    """A stand-in, or the launcher of a provider in the cache."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def _official(cache: Path, version: str) -> Path:
    return cache / f"provider/official-v{version}"


def _built(cache: Path) -> Path:
    return cache / "provider" / identity(services())


def _serving(cache: Path) -> Path:
    return _built(cache) / hashlib.sha256(served().encode()).hexdigest()[:12]


def _complete(folder: Path) -> bool:
    return all((folder / name).exists() for name in (PLUGIN, TYPES, *GENERATED))


def _make(cache: Path, say: Say, base: str, build: Build) -> Provider:
    """Download, or else build; the reason for building is said."""
    version = plugin_version("pulumi_aws")
    if not (_built(cache) / PLUGIN).exists():
        try:
            archive = _archive(version)
            say(f"looking for the official {PLUGIN} {version}")
            with filling(_official(cache, version)) as work:
                download_plugin(base, archive, PLUGIN, work, say)
            return Provider(_official(cache, version), version, "downloaded")
        except NotAvailable as reason:
            say(f"no download ({reason}); building it from published modules, about 5 minutes on two processors")
        with filling(_built(cache)) as work:
            _build_into(work, build, say)
    with filling(_serving(cache)) as work:
        _generate(_built(cache) / PLUGIN, work, say)
    return Provider(_serving(cache), version, "built")


def _archive(version: str) -> str:
    """Raises NotAvailable where nothing is published."""
    arch = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if arch is None or platform.system() not in ("Linux", "Darwin"):
        raise NotAvailable(f"nothing is published for {platform.system()} {platform.machine()}")
    return f"{PLUGIN}-v{version}-{platform.system().lower()}-{arch}.tar.gz"


def _build_into(folder: Path, build: Build, say: Say) -> None:
    work = folder / "build"
    work.mkdir()
    build(services(), work, say).rename(folder / PLUGIN)
    shutil.rmtree(work)


def _generate(binary: Path, folder: Path, say: Say) -> None:
    """The folder of a set of types: the binary, types.json, and what the binary makes of that."""
    say("writing its schema")
    (folder / PLUGIN).hardlink_to(binary)  # it looks for the files next to the path it was started by
    (folder / TYPES).write_text(served())
    done = subprocess.run(
        [folder / PLUGIN, "schema", "--out", folder], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode or not _complete(folder):
        raise LocalError(
            f"{PLUGIN} cannot write its schema (exit code {done.returncode}).",
            why="\n        ".join((done.stdout + done.stderr).splitlines()[-8:]),
            next_step="correct local_aws/toolchain/provider/types.py: it may name a type that the provider lacks",
        )
