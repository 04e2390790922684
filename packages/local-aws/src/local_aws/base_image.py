"""A Python base image for image builds, even where no registry can be reached: the build argument BASE_IMAGE.

The official `python:3.11-slim-bookworm` is taken where it is present or can be pulled. Otherwise a Debian of the same
release with the same Python is made from Debian's own packages (mmdebstrap), kept as a tar in the cache until Docker
has not taken it for 30 days, and imported as `local-aws/base:<id of its recipe>`. This machine's CA certificates go
into it, so that pip inside a build reaches the same index as this machine.

    python -m local_aws.base_image                the reference, on stdout (progress on stderr)
    python -m local_aws.base_image --build-args   the build arguments that fit, as one JSON object
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import select
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Protocol

from provider_kit.streams import outliving

from local_aws import docker_fit
from local_aws.errors import LocalError
from local_aws.toolchain.cache import Say, cache_folder, forget_unused, only_one
from local_aws.trust import without_ours

OFFICIAL = "python:3.11-slim-bookworm"
REPOSITORY = "local-aws/base"
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
"""Debian's signatures are checked with it. Ubuntu has it in a package of its own."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Recipe:
    """All that decides what is in the base; `ca_bundle` is the text of the certificates."""

    ca_bundle: bytes
    machine: str
    mirror: str = ""
    suite: str = "bookworm"
    # usr-is-merged: without it the one-time converter usrmerge brings 50 MB of perl along.
    packages: tuple[str, ...] = ("usr-is-merged", "python3", "python3-venv", "ca-certificates")
    left_out: tuple[str, ...] = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")
    version: int = 1  # count up when `mmdebstrap_command` or `DockerCli.load` changes what comes out

    @property
    def id(self) -> str:
        """12 hex digits, another one for any other content."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        return f"{REPOSITORY}:{self.id}"


class Images(Protocol):
    """What is needed of Docker."""

    def has(self, reference: str) -> bool: ...
    def pull(self, reference: str) -> bool:
        """True when it is here now; False, soon, when no registry answers."""
        ...

    def load(self, tar: Path, reference: str) -> None:
        """Make an image of one layer from a file system."""
        ...


Make = Callable[[Recipe, Path, Say], None]


def ensure_base_image(cache: Path, say: Say) -> str:
    """The reference to give as BASE_IMAGE; it is present in Docker. LocalError when it cannot be had.

    LOCAL_AWS_BASE_IMAGE, when set, is taken as it is.
    """
    return chosen() or choose(this_machine(), cache, DockerCli(), make_tar, say)


def chosen() -> str:
    """The image that a person has chosen, "" if none was."""
    return os.environ.get("LOCAL_AWS_BASE_IMAGE", "")


def tar_of(recipe: Recipe, cache: Path) -> Path:
    """Where its file system is kept."""
    return cache / "base" / f"{recipe.id}.tar"


def choose(
    recipe: Recipe,
    cache: Path,
    images: Images,
    make: Make,
    say: Say,
    official: str = OFFICIAL,
    repository: str = REPOSITORY,
) -> str:
    """The first that can be had: what is here, what the cache holds, a pull of `official`, a new one."""
    made = f"{repository}:{recipe.id}"
    for reference in (official, made):
        if images.has(reference):
            return reference
    tar = tar_of(recipe, cache)
    with only_one(tar.with_suffix(".lock"), say):
        if not tar.exists():
            say(f"trying to pull {official}")
            if images.pull(official):
                return official
            fill(recipe, tar, make, say)
        os.utime(tar)
        forget_unused(tar.parent.glob("*.tar"))
        images.load(tar, made)
    say(made)
    return made


def fill(recipe: Recipe, tar: Path, make: Make, say: Say) -> None:
    """Make the tar next to its place, then rename it into place."""
    began, unfinished = time.monotonic(), tar.with_suffix(".part")
    try:
        make(recipe, unfinished, say)
        unfinished.replace(tar)
    finally:
        unfinished.unlink(missing_ok=True)
    say(f"made in {time.monotonic() - began:.0f} s, {tar.stat().st_size / 1e6:.0f} MB")


def build_args(base: str) -> dict[str, str]:
    """The build arguments for this machine: the base, pip's index, proxies."""
    return arguments(base, os.environ, pip_settings())


def arguments(base: str, environ: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """`pip`: settings as `pip config list` names them (`global.index-url`, `:env:.index-url`)."""
    found = {"BASE_IMAGE": base}
    for option in ("index-url", "trusted-host"):
        if value := pip.get(f":env:.{option}") or pip.get(f"global.{option}"):
            found[f"PIP_{option.replace('-', '_').upper()}"] = value
    if base.startswith(f"{REPOSITORY}:"):
        found["PIP_CERT"] = CA_BUNDLE
    return found | {name: environ[name] for name in PROXIES if environ.get(name)}


# --- this machine


def this_machine() -> Recipe:
    mirror = os.environ.get("LOCAL_AWS_DEBIAN_MIRROR", "")
    trusted = without_ours(ca_bundle().read_text(errors="surrogateescape")).encode(errors="surrogateescape")
    return Recipe(ca_bundle=trusted, machine=platform.machine(), mirror=mirror)


def ca_bundle() -> Path:
    """The file of certificates that this machine trusts, private additions included."""
    usual = (os.environ.get("SSL_CERT_FILE"), CA_BUNDLE, ssl.get_default_verify_paths().cafile)
    for name in usual:
        if name and Path(name).is_file():
            return Path(name).resolve()
    raise LocalError(
        "This machine's CA certificates were not found.",
        why=f"neither SSL_CERT_FILE nor {CA_BUNDLE} names a file",
        next_step="install the package ca-certificates, or set SSL_CERT_FILE",
    )


def lacking() -> list[str]:
    """Packages without which Debian's packages make no base image on this machine."""
    wanted = {"mmdebstrap": "mmdebstrap", KEYRING: "debian-archive-keyring"}
    wanted |= {} if os.geteuid() == 0 else {"newuidmap": "uidmap"}
    return [package for needed, package in wanted.items() if not (shutil.which(needed) or Path(needed).is_file())]


def pip_settings() -> dict[str, str]:
    """pip's settings on this machine, from files and environment; empty when there is no pip."""
    listing = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True)
    pairs = (line.partition("=") for line in listing.stdout.splitlines())
    return {name: value.strip("'\"") for name, _, value in pairs}


def mmdebstrap_command(recipe: Recipe, ca_file: Path, tar: Path) -> list[str]:
    """`tar` may have any suffix."""
    return [
        "mmdebstrap",
        "--variant=apt",
        "--format=tar",
        f"--include={','.join(recipe.packages)}",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.left_out),
        "--dpkgopt=force-unsafe-io",
        "--aptopt=Acquire::Languages none",
        *([f"--keyring={KEYRING}"] if Path(KEYRING).is_file() else []),
        # After ca-certificates is configured, which writes the same file.
        f"--customize-hook=upload {ca_file} {CA_BUNDLE}",
        recipe.suite,
        str(tar),
        *([recipe.mirror] if recipe.mirror else []),
    ]


def make_tar(recipe: Recipe, tar: Path, say: Say) -> None:
    """Run mmdebstrap; its own steps are the progress."""
    ca_file = tar.with_suffix(".crt")
    ca_file.write_bytes(recipe.ca_bundle)
    command = mmdebstrap_command(recipe, ca_file, tar)
    # With a fixed time for all files the same packages give the same layer.
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
    try:
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            lines = [_heard(line.strip(), say) for line in process.stderr]
    except FileNotFoundError as error:
        raise LocalError(
            f"There is no image with {', '.join(recipe.packages[1:])}.",
            why="the official one can neither be found nor pulled, and mmdebstrap is not installed",
            next_step="sudo apt-get install --no-install-recommends mmdebstrap; or set LOCAL_AWS_BASE_IMAGE to an image"
            " with Python 3.11, LOCAL_AWS_DATABASE_IMAGE to one with PostgreSQL 17, LOCAL_AWS_CACHE_IMAGE to one with"
            " Valkey 8.1",
        ) from error
    finally:
        ca_file.unlink()
    if process.returncode:
        raise not_made(process.returncode, lines)


def not_made(code: int, lines: list[str]) -> LocalError:
    """What the end of mmdebstrap's output means."""
    step = "is Debian's mirror in reach? LOCAL_AWS_DEBIAN_MIRROR names another one"
    if any("chroot mode" in line or "newuidmap" in line or "unshare" in line for line in lines):
        step = "sudo apt-get install uidmap; or as root: python -m local_aws.base_image"
    if any("NO_PUBKEY" in line for line in lines):
        step = "sudo apt-get install debian-archive-keyring, with which Debian's signatures are checked"
    return LocalError(
        "Debian's packages did not make an image.",
        why=f"mmdebstrap ended with code {code}:\n" + "\n".join(lines[-10:]),
        next_step=step,
    )


def _heard(line: str, say: Say) -> str:
    if line.startswith("I: ") and line.endswith("..."):
        say(f"{line.removeprefix('I: ').removesuffix('...')}")
    return line


@dataclass(frozen=True)
class DockerCli:
    """`Images` by the docker command."""

    registry_patience: float = 5.0  # seconds until the registry must have begun to answer
    pull_patience: float = 300.0  # seconds for the whole pull once it has

    def has(self, reference: str) -> bool:
        return self._run("image", "inspect", "--format", "{{.Id}}", reference).returncode == 0

    def pull(self, reference: str) -> bool:
        command = ["docker", "pull", reference]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            # The first line comes as soon as the registry has named the layers, and end-of-file on an error.
            answered, _, _ = select.select([process.stdout], [], [], self.registry_patience)
            try:
                process.communicate(timeout=self.pull_patience if answered else 0)
            except subprocess.TimeoutExpired:
                process.kill()
        return process.returncode == 0

    def load(self, tar: Path, reference: str) -> None:
        changes = ["--change", "ENV LANG=C.UTF-8", "--change", 'CMD ["python3"]']
        done = self._run("import", *changes, str(tar), reference)
        if done.returncode:
            raise LocalError(
                f"Docker did not take the base image {reference}.",
                why=done.stderr.strip(),
                next_step=f"does `docker info` work? If {tar} is damaged, delete it",
            )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(["docker", *arguments], capture_output=True, text=True)
        except FileNotFoundError as error:
            raise docker_fit.missing("docker") from error


def main(argv: list[str]) -> int:
    try:
        base = ensure_base_image(cache_folder(), lambda text: print(f"base image: {text}", file=sys.stderr, flush=True))
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(build_args(base)) if "--build-args" in argv else base)
    return 0


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
