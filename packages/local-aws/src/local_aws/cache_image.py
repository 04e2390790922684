"""A Valkey image for caches of a local cloud, even where no registry can be reached.

The official image is taken where it is present or can be pulled. Otherwise Debian 13 with its Valkey is made, as the
base image for builds is (local_aws/base_image.py).

    python -m local_aws.cache_image    the reference, on stdout (progress on stderr)
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from provider_kit.streams import outliving

from local_aws.base_image import DockerCli, Recipe, choose, make_tar, this_machine
from local_aws.errors import LocalError
from local_aws.toolchain.cache import Say, cache_folder

OFFICIAL = "valkey/valkey:8.1"
REPOSITORY = "local-aws/valkey"
CHOSEN = "LOCAL_AWS_CACHE_IMAGE"


def ensure_cache_image(cache: Path, say: Say) -> str:
    """A reference that is present in Docker; LocalError when it cannot be had.

    LOCAL_AWS_CACHE_IMAGE, when set, is taken as it is.
    """
    if chosen := os.environ.get(CHOSEN, ""):
        return chosen
    return choose(recipe(this_machine()), cache, DockerCli(), make_tar, say, OFFICIAL, REPOSITORY)


def recipe(machine: Recipe) -> Recipe:
    """Valkey 8.1 is what trixie has; bookworm has none."""
    return replace(machine, suite="trixie", packages=("usr-is-merged", "valkey-server", "ca-certificates"))


def main(_argv: list[str]) -> int:
    try:
        print(ensure_cache_image(cache_folder(), lambda text: print(f"cache image: {text}", file=sys.stderr)))
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
