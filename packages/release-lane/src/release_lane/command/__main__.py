"""`python -m release_lane.command …`: the command where it is not installed."""

from __future__ import annotations

import sys

from release_lane.command import main

if __name__ == "__main__":
    sys.exit(main())
