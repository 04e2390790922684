"""act: runs the GitHub workflows of a checkout on this machine itself, without any container and without the internet.

What it cannot show: reviewers of environments, concurrency groups (it does not know `queue`, so that line is left out
of its copy), permissions, OIDC, and `vars` of an environment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
MUST_NOT_RUN = """
name: stands in for an action that must not run here
runs:
  using: composite
  steps:
    - shell: bash
      run: exit 99
"""


def binary() -> Path:
    """act, from the cache."""
    from local_aws.toolchain import ensure_act
    from local_aws.toolchain.cache import cache_folder

    return ensure_act(cache_folder(), lambda text: print(text, file=sys.stderr))


def remote_actions() -> set[str]:
    """Actions of other repositories that the workflows use, as they are pinned."""
    found = []
    for path in [*(ROOT / ".github/workflows").glob("*.yml"), ROOT / ".github/actions/prepare/action.yml"]:
        content = yaml.safe_load(path.read_text())
        runs = [content["runs"]] if "runs" in content else content["jobs"].values()
        found += [step["uses"] for job in runs for step in job.get("steps", ()) if "uses" in step]
    return {each for each in found if not each.startswith("./")}


def known_to_act(checkout: Path) -> None:
    """Leave out of a checkout's workflows what act does not know yet."""
    for path in (checkout / ".github/workflows").glob("*.yml"):
        path.write_text(path.read_text().replace(", queue: max", ""))


def command(
    folder: Path, workflow: str, event: str, about: Mapping[str, Any], options: Iterable[str] = ()
) -> list[str]:
    """The command line of act for what an event on main starts; `folder` keeps its files, and is outside."""
    folder.mkdir(exist_ok=True)
    (folder / "action.yml").write_text(MUST_NOT_RUN)
    (folder / "event.json").write_text(json.dumps({"ref": "refs/heads/main", "repository": {}, **about}))
    return [
        str(binary()), event, "--workflows", f".github/workflows/{workflow}.yml", "--use-gitignore=false",
        "--platform", "ubuntu-latest=-self-hosted", "--eventpath", str(folder / "event.json"),
        "--action-offline-mode", *(f"--local-repository={each}={folder}" for each in sorted(remote_actions())),
        *options,
    ]  # fmt: skip


def places(folder: Path) -> dict[str, str]:
    """Where act keeps its own things."""
    return {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_CONFIG_HOME": str(folder / "config")}
