"""A PostgreSQL image for databases of a local cloud, even where no registry can be reached.

The official image is taken where it is present or can be pulled. Otherwise Debian 13 with its PostgreSQL is made, as
the base image for builds is (local_aws/base_image.py).

    python -m local_aws.database_image    the reference, on stdout (progress on stderr)
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from provider_kit.streams import outliving

from local_aws.base_image import PROXIES, DockerCli, Recipe, choose, make_tar, this_machine
from local_aws.errors import LocalError
from local_aws.toolchain.cache import Say, cache_folder

OFFICIAL = "postgres:17-trixie"
REPOSITORY = "local-aws/postgres"
CHOSEN = "LOCAL_AWS_DATABASE_IMAGE"

NEEDS = (CHOSEN, "LOCAL_AWS_DEBIAN_MIRROR", "LOCAL_AWS_CACHE", "SSL_CERT_FILE", *PROXIES)
"""Variables that decide what is made, and how Debian is reached."""


def ensure_database_image(cache: Path, say: Say) -> str:
    """A reference that is present in Docker; LocalError when it cannot be had.

    LOCAL_AWS_DATABASE_IMAGE, when set, is taken as it is.
    """
    if chosen := os.environ.get(CHOSEN, ""):
        return chosen
    return choose(recipe(this_machine()), cache, DockerCli(), make_tar, say, OFFICIAL, REPOSITORY)


def recipe(machine: Recipe) -> Recipe:
    """PostgreSQL 17 is what trixie has. Its compiler of expressions is half of the image, and only there for speed."""
    compiler = ("/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/llvmjit*", "/usr/lib/postgresql/*/lib/bitcode/*")
    packages = ("usr-is-merged", "postgresql-17", "ca-certificates")
    return replace(machine, suite="trixie", packages=packages, left_out=(*machine.left_out, *compiler))


def main(_argv: list[str]) -> int:
    try:
        print(ensure_database_image(cache_folder(), lambda text: print(f"database image: {text}", file=sys.stderr)))
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
