"""The plugin process: `python -m local_aws.standins.docker ENGINE_ADDRESS`."""

import os
import sys

from provider_kit import Props, Provider, UserError, serve

from local_aws.standins.docker.image import Image
from local_aws.standins.versions import plugin_version


def configure(config: Props) -> None:
    """Refuse configuration that would be ignored silently."""
    unknown = sorted(config.keys() - {"version"})
    if unknown:
        raise UserError(
            f"docker:{', docker:'.join(unknown)}: not served by the local cloud's stand-in for pulumi-docker"
        )


if __name__ == "__main__":
    serve(
        Provider(
            "docker",
            plugin_version("pulumi_docker"),
            [Image(os.environ)],
            configure=configure,
            note="the local cloud stands in for pulumi-docker with its Image alone",
        ),
        sys.argv[1:],
    )
