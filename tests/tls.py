"""An authority of a test's own, and certificates by it: good, expired, or for another name. Made by openssl."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(frozen=True)
class Authority:
    """`bundle`: its own certificate, which a client has to trust."""

    folder: Path
    kept: TemporaryDirectory[str]
    """Removed with this process."""

    @property
    def bundle(self) -> Path:
        return self.folder / "ca.pem"

    def made(self, name: str, days: int = 1) -> tuple[Path, Path]:
        """Certificate and key of this name; expired where `days` is below 0."""
        at = self.folder / f"{name}{days}"
        pem, key, request = (at.with_suffix(f"{at.suffix}.{end}") for end in ("pem", "key", "csr"))
        if not pem.exists():
            names = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
            openssl("req", *EC, "-keyout", key, "-out", request, *names)
            by = ("-CA", self.bundle, "-CAkey", self.folder / "ca.key", "-CAcreateserial")
            openssl("x509", "-req", "-in", request, *by, "-days", str(days), "-copy_extensions", "copy", "-out", pem)
        return pem, key

    def serving(self, name: str, days: int = 1) -> ssl.SSLContext:
        """For a server that shows such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.made(name, days))
        return context


@cache
def authority() -> Authority:
    """One for all tests of this process."""
    folder = TemporaryDirectory(prefix="authority-")
    made = Authority(Path(folder.name), folder)
    openssl("req", "-x509", *EC, "-keyout", made.folder / "ca.key", "-out", made.bundle, "-days", "2", "-subj", "/CN=A")
    return made
