"""Images of the servers that a program creates, databases and caches, even where no registry can be reached.

The official image is taken where it is present or can be pulled. Otherwise Debian 13 with the server's packages is
made, as the base image for builds is (local_aws/base_image.py).

    python -m local_aws.server_images cache|database    the reference, on stdout (progress on stderr)
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from provider_kit.streams import outliving

from local_aws.base_image import PROXIES, DockerCli, Recipe, choose, make_tar, this_machine
from local_aws.errors import LocalError
from local_aws.toolchain.cache import Say, cache_folder


@dataclass(frozen=True, kw_only=True)
class ServerImage:
    """`chosen`: the variable that names another one, which is taken as it is. `packages` are those of trixie;
    `left_out` is what of them is not needed."""

    official: str
    repository: str
    chosen: str
    packages: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def recipe(self, machine: Recipe) -> Recipe:
        packages = ("usr-is-merged", *self.packages, "ca-certificates")
        return replace(machine, suite="trixie", packages=packages, left_out=(*machine.left_out, *self.left_out))

    def ensure(self, cache: Path, say: Say) -> str:
        """A reference that is present in Docker; LocalError when it cannot be had."""
        if chosen := os.environ.get(self.chosen, ""):
            return chosen
        recipe = self.recipe(this_machine())
        return choose(recipe, cache, DockerCli(), make_tar, say, self.official, self.repository)


CACHE = ServerImage(
    official="valkey/valkey:8.1",
    repository="local-aws/valkey",
    chosen="LOCAL_AWS_CACHE_IMAGE",
    packages=("valkey-server",),
)
DATABASE = ServerImage(
    official="postgres:17-trixie",
    repository="local-aws/postgres",
    chosen="LOCAL_AWS_DATABASE_IMAGE",
    packages=("postgresql-17",),
    # Its compiler of expressions is half of the image, and only there for speed.
    left_out=("/usr/lib/*/libLLVM*", "/usr/lib/postgresql/*/lib/llvmjit*", "/usr/lib/postgresql/*/lib/bitcode/*"),
)
IMAGES: Mapping[str, ServerImage] = {"cache": CACHE, "database": DATABASE}
"""By the kind of server, as `servers` in a project names it."""

NEEDS = (
    *(image.chosen for image in IMAGES.values()),
    *("LOCAL_AWS_DEBIAN_MIRROR", "LOCAL_AWS_CACHE", "SSL_CERT_FILE", *PROXIES),
)
"""Variables that decide what is made, and how Debian is reached."""


def main(argv: list[str]) -> int:
    if argv not in [[kind] for kind in IMAGES]:
        print(__doc__, file=sys.stderr)
        return 2
    (kind,) = argv
    try:
        print(IMAGES[kind].ensure(cache_folder(), lambda text: print(f"{kind} image: {text}", file=sys.stderr)))
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
