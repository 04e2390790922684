"""Where the program is: the engine runs it in the folder that `main` of Pulumi.yaml names."""

from __future__ import annotations

from pathlib import Path

import pulumi


def project_root() -> Path:
    """The folder of Pulumi.yaml, as the engine says it; without an engine, in a test, the one above the program's."""
    return Path(pulumi.get_root_directory() or "..").resolve()
