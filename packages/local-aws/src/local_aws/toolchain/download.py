"""Official releases, fetched when they can be reached: of the engine, checked by published sha256, and of plugins."""

from __future__ import annotations

import hashlib
import tarfile
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from pathlib import Path

from local_aws.toolchain.cache import Say
from local_aws.toolchain.pins import Download, checksum_of

OFFICIAL = "https://github.com/pulumi/pulumi/releases/download/{version}/"
PLUGINS = "https://get.pulumi.com/releases/plugins/"  # where the engine looks for them; it has no checksums to go by
REACH_WITHIN = 3.0  # seconds to connect; a name that does not resolve may take the resolver longer
GIVE_UP_AFTER = 5.0  # seconds for name, connection and the small list of checksums together
STALLED_AFTER = 20.0  # seconds without one byte of the archive


class NotAvailable(Exception):
    """The download cannot be had; says why. The caller builds instead."""


def download(base: str, names: Download, into: Path, say: Say) -> None:
    """Unpack the archive's executables into `into`. Raises NotAvailable (network, checksum, shape)."""
    wanted = checksum_of(_within(GIVE_UP_AFTER, lambda: _get_text(base + names.checksums)), names.archive)
    if wanted is None:
        raise NotAvailable(f"{names.checksums} does not list {names.archive}")
    archive = into / names.archive
    found = _get_file(base + names.archive, archive, say)
    if found != wanted:
        raise NotAvailable(f"{names.archive} has sha256 {found}, not the published {wanted}")
    _unpack(archive, into, ("pulumi",), "pulumi")
    archive.unlink()


def download_plugin(base: str, archive: str, plugin: str, into: Path, say: Say) -> None:
    """Unpack `plugin` from the `archive` at `base` into the folder `into`. Raises NotAvailable (network, shape)."""
    _within(GIVE_UP_AFTER, lambda: _begins(base + archive))
    file = into / archive
    _get_file(base + archive, file, say)
    _unpack(file, into, (), plugin)
    file.unlink()


def _begins(url: str) -> str:
    """Nothing; raises OSError where `url` does not answer."""
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=REACH_WITHIN):
        return ""


def _get_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=REACH_WITHIN) as answer:
        return str(answer.read().decode())


def _within(seconds: float, job: object) -> str:
    """Name resolution knows no timeout of its own, so it runs aside and is left behind when it takes too long."""
    assert callable(job)
    aside = ThreadPoolExecutor(1)
    try:
        return str(aside.submit(job).result(seconds))
    except TooLate:
        raise NotAvailable(f"no answer within {seconds:.0f} s") from None
    except (OSError, ValueError) as error:
        raise NotAvailable(str(error)) from error
    finally:
        aside.shutdown(wait=False)


def _get_file(url: str, path: Path, say: Say) -> str:
    """Stream `url` to `path`; returns the sha256 in hex."""
    digest, size = hashlib.sha256(), 0
    try:
        with urllib.request.urlopen(url, timeout=STALLED_AFTER) as answer, path.open("wb") as file:
            while block := answer.read(1 << 20):
                digest.update(block)
                size += len(block)
                file.write(block)
                say(f"downloading the official release: {size >> 20} MB")
    except OSError as error:
        raise NotAvailable(str(error)) from error
    return digest.hexdigest()


def _unpack(archive: Path, into: Path, folder: tuple[str, ...], wanted: str) -> None:
    """The archive's `folder` holds executables, `wanted` among them; anything else in it is left out."""
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                path = Path(member.name)
                if member.isfile() and path.parts[:-1] == folder:
                    content = tar.extractfile(member)
                    assert content is not None
                    (into / path.name).write_bytes(content.read())
                    (into / path.name).chmod(0o755)
    except (tarfile.TarError, EOFError) as error:
        raise NotAvailable(f"{archive.name} cannot be unpacked: {error}") from error
    if not (into / wanted).exists():
        raise NotAvailable(f"{archive.name} holds no {'/'.join([*folder, wanted])}")
