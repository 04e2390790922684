"""uv, the installer of locked packages."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

from local_aws.errors import LocalError


def uv(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end; output is kept. Raises LocalError where there is none.

    It trusts the machine's authorities where there are any: its own list lacks those of a company's proxy.
    """
    command = shutil.which("uv", path=str(Path(sys.prefix) / "bin")) or shutil.which("uv")
    if command is None:
        raise LocalError(
            "uv is not installed.",
            why="it installs the emulator's packages",
            next_step=f"{sys.executable} -m pip install uv",
        )
    trusted = {"UV_SYSTEM_CERTS": "true"} if ssl.create_default_context().get_ca_certs() else {}
    return subprocess.run(
        [command, *arguments], cwd=cwd, env={**trusted, **os.environ}, capture_output=True,
        text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
