"""gitlab-ci-local: runs .gitlab-ci.yml on this machine itself, by its shell executor, without any container.

What it cannot show: protected environments and their approvals, resource groups, OIDC, that a pipeline is not cancelled
by a newer one. `image` is left out of its copy, so that a job runs in a shell of this machine; and so is what it cannot
read: an environment whose name is in a variable, of a job that does not run.
"""

from __future__ import annotations

import sys
from pathlib import Path

PIPELINE = ".gitlab-ci.yml"


def binary() -> Path:
    """gitlab-ci-local, from the cache."""
    from local_aws.toolchain import ensure_node_tools
    from local_aws.toolchain.cache import cache_folder

    return ensure_node_tools(cache_folder(), lambda text: print(text, file=sys.stderr)) / "gitlab-ci-local"


def in_a_shell(checkout: Path) -> None:
    """Leave the image out of a checkout's pipeline, and what it cannot read."""
    path = checkout / PIPELINE
    text = path.read_text()
    for line in ("  image: $LANE_IMAGE\n", "  environment: { name: $ROLLBACK, action: access }\n"):
        assert line in text
        text = text.replace(line, "")
    path.write_text(text)


def command(
    folder: Path, *jobs: str, manual: tuple[str, ...] = (), source: str = "push", **variables: str
) -> list[str]:
    """The command line for a pipeline on main, or of these jobs alone; `manual`: jobs that a person starts."""
    given = {"CI_PIPELINE_SOURCE": source, **variables}
    return [
        str(binary()), *jobs, "--state-dir", ".local/gitlab", "--home", str(folder / "home"), "--no-color",
        *(part for name, value in given.items() for part in ("--variable", f"{name}={value}")),
        *(part for job in manual for part in ("--manual", job)),
    ]  # fmt: skip
