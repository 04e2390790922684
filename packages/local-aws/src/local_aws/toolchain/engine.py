"""The Pulumi engine: the one on the PATH if it is new enough, else the cached one, else downloaded, else built.

`engine/<version>/bin` in the cache is complete: the engine, a language host for Python, and the two scripts that the
SDK ships with it. A downloaded release brings its own language host. An engine that was built gets ours, because the
module of the official one is not published.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from local_aws.errors import LocalError
from local_aws.toolchain import go
from local_aws.toolchain.cache import Say, filling, only_one
from local_aws.toolchain.download import OFFICIAL, NotAvailable, download
from local_aws.toolchain.pins import (
    ENGINE_PACKAGE,
    ENGINE_VERSION_SYMBOL,
    Version,
    download_names,
    engine_go_mod,
    parse_version,
    will_do,
)

HERE = Path(__file__).resolve().parent
HOST = "pulumi-language-python"
OURS = "language_host.py"  # in the same folder as a host that is ours, and only there

Source = Literal["path", "cache", "download", "built"]


@dataclass(frozen=True)
class Engine:
    """A folder with `pulumi` and `pulumi-language-python`, to be put on the PATH."""

    bin: Path
    version: Version
    source: Source


def ensure_engine(cache: Path, say: Say, environ: Mapping[str, str] = os.environ, base_url: str = OFFICIAL) -> Engine:
    """An engine that serves the installed SDK. Raises LocalError when it can be neither found nor made."""
    pinned = installed_sdk()
    home = cache / "engine" / str(pinned)
    found = on_path(pinned, home, environ)
    if found:
        say(f"{found.version}, installed in {found.bin}")
        return found
    engine = Engine(home / "bin", pinned, "cache")
    if not _complete(engine.bin):
        with only_one(cache / "engine" / "lock", say):
            if not _complete(engine.bin):
                engine = _make(home, pinned, say, base_url.format(version=pinned))
    if (engine.bin / OURS).exists():
        _install_host(engine.bin)
    say(f"{engine.version} ({engine.source})")
    return engine


def installed_sdk() -> Version:
    """The one pin of the engine: the version of the Python package `pulumi`."""
    try:
        found = parse_version(metadata.version("pulumi"))
    except metadata.PackageNotFoundError:
        found = None
    if found is None:
        raise LocalError(
            "The Python package pulumi is not installed here.",
            why="its version says which engine the project needs",
            next_step="install local-aws into the project's own virtual environment",
        )
    return found


def on_path(pinned: Version, own: Path, environ: Mapping[str, str]) -> Engine | None:
    """The engine that this machine's owner installed, if it is new enough and has a language host of its own."""
    command = shutil.which("pulumi", path=environ.get("PATH", ""))
    if command is None or Path(command).resolve().is_relative_to(own.resolve()):
        return None
    folder = Path(command).resolve().parent
    if not (folder / HOST).exists() or (folder / OURS).exists():
        return None
    answer = subprocess.run([command, "version"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    found = parse_version(answer.stdout)
    return Engine(folder, found, "path") if found and will_do(found, pinned) else None


def _complete(folder: Path) -> bool:
    return all((folder / name).exists() for name in ("pulumi", HOST))


def _make(home: Path, version: Version, say: Say, base_url: str) -> Engine:
    """Download, or else build; the reason for building is said."""
    names = download_names(version, platform.system(), platform.machine())
    try:
        if names is None:
            raise NotAvailable(f"nothing is published for {platform.system()} {platform.machine()}")
        say(f"looking for the official release of {version}")
        _fill(home, lambda folder: download(base_url, names, folder, say))
        return Engine(home / "bin", version, "download")
    except NotAvailable as reason:
        say(f"no download ({reason}); building {version} from its published modules, about 3 minutes")
    _fill(home, lambda folder: _build(folder, version, say))
    return Engine(home / "bin", version, "built")


def _fill(home: Path, fill: Callable[[Path], None]) -> None:
    with filling(home) as work:
        (work / "bin").mkdir()
        fill(work / "bin")


def _build(folder: Path, version: Version, say: Say) -> None:
    work = folder.parent / "build"
    work.mkdir()
    go.build(engine_recipe(version), work, say).rename(folder / "pulumi")
    sdk = go.module_folder("github.com/pulumi/pulumi/sdk/v3", work) / "python"
    for script in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        _put(folder / Path(script).name, (sdk / script).read_bytes())
    _install_host(folder)
    shutil.rmtree(work)


def engine_recipe(version: Version) -> go.Recipe:
    return go.Recipe(
        package=ENGINE_PACKAGE,
        go_mod=engine_go_mod(version),
        go_sum=(HERE / "engine.sum").read_text(),
        tags="osusergo,grpcnotrace",
        ldflags=f"-w -s -X {ENGINE_VERSION_SYMBOL}={version}",
    )


def _install_host(folder: Path) -> None:
    """Our language host and its launcher, as they are in this package now."""
    for name in (OURS, "run_program.py"):
        _put(folder / name, (HERE / name).read_bytes())
    _put(folder / HOST, (HERE / "launch_language_host.sh").read_bytes())


def _put(path: Path, content: bytes) -> None:
    """Write an executable. A reader sees the old one or the new one, never a part."""
    if path.exists() and path.read_bytes() == content:
        return
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_bytes(content)
    new.chmod(0o755)
    new.rename(path)
