"""Does this shell speak to the local cloud of this very checkout?

`. .local/env` tells a shell of one checkout's cloud and state. In another checkout the same shell would release that
one's code into the first one's environments, so both the program and the command refuse.
"""

from __future__ import annotations

from collections.abc import Mapping

from release_lane.errors import UsageError


def need_own_cloud(environ: Mapping[str, str], root: str) -> None:
    """Raises UsageError if `environ` speaks of the local cloud of another checkout than `root` (a resolved path)."""
    home = environ.get("RELEASE_LANE_HOME", "") if environ.get("RELEASE_LANE_LOCAL") else ""
    if home and home != root:
        raise UsageError(
            f"This shell speaks to the local cloud of {home}, but this is {root}. Nothing was changed.",
            why="each checkout has a local cloud and a state of its own; `. .local/env` was read in the other one",
            next_step=f"`. {root}/.local/env` (after `make up` there), or work in {home}.",
        )
