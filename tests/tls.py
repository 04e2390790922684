"""An authority of a test's own, and certificates by it: good, expired, or for another name."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from local_aws.emulator.acm.authority import CERTIFICATE, Authority
from local_aws.emulator.acm.model import Material

DAY = 86_400.0


@dataclass(frozen=True)
class Own:
    """`bundle`: its own certificate, which a client has to trust."""

    folder: Path
    kept: TemporaryDirectory[str]
    """Removed with this process."""

    @property
    def bundle(self) -> Path:
        return self.folder / CERTIFICATE

    def issued(self, name: str, lasts: float = DAY) -> Material:
        """A certificate of this name that lasts so many seconds from now; below 0 it has expired."""
        now = time.time()
        return Authority.ensure(self.folder, now).issue([name], "EC_prime256v1", now - 2 * DAY, now + lasts)

    def serving(self, name: str, lasts: float = DAY) -> ssl.SSLContext:
        """For a server that shows such a certificate."""
        made, file = self.issued(name, lasts), self.folder / "shown.pem"
        file.write_text(made.certificate + made.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


@cache
def authority() -> Own:
    """One for all tests of this process."""
    folder = TemporaryDirectory(prefix="authority-")
    Authority.ensure(Path(folder.name), time.time())
    return Own(Path(folder.name), folder)
