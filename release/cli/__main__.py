"""`python -m release.cli …`: the command where it is not installed, as in a CI job that only unpacked the lock."""

from __future__ import annotations

import sys

from release.cli import main

if __name__ == "__main__":
    sys.exit(main())
