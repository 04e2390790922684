"""The installer of locked packages, as ./bootstrap put it into `.venv`."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

from local_aws.places import ROOT


def uv(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end; output is kept.

    It trusts the machine's authorities where there are any: its own list lacks those of a company's proxy.
    """
    trusted = {"UV_SYSTEM_CERTS": "true"} if ssl.create_default_context().get_ca_certs() else {}
    return subprocess.run(
        [str(ROOT / ".venv/bin/uv"), *arguments], cwd=cwd, env={**trusted, **os.environ}, capture_output=True,
        text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
