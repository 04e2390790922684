"""Does this shell use the local cloud of this checkout?

`. .local/env` points a shell to one checkout's cloud and state. In another checkout the same shell would release that
one's code into the first one's environments, so both the program and the command refuse.
"""

from __future__ import annotations

from collections.abc import Mapping

from release_lane.errors import UsageError


def need_own_cloud(environ: Mapping[str, str], root: str) -> None:
    """Raises UsageError if `environ` is of the local cloud of another checkout than `root` (a resolved path)."""
    home = environ.get("LOCAL_AWS_HOME", "")
    if home and home != root:
        raise UsageError(
            f"This shell uses the local cloud of {home}, but this is {root}. Nothing was changed.",
            why="each checkout has a local cloud and a state of its own; `. .local/env` was run in the other one",
            next_step=f"`. {root}/.local/env` (after `local-aws up` there), or work in {home}.",
        )
