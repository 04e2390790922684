"""Where the program is: the engine runs it in the folder that `main` of Pulumi.yaml names."""

from __future__ import annotations

from pathlib import Path


def program_folder() -> Path:
    """The program's own folder; the checkout is the one above."""
    return Path.cwd()
