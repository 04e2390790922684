"""The plugin process: `python -m local_aws.standins.aws ENGINE_ADDRESS`."""

import os
import sys

from provider_kit import serve

from local_aws.standins.aws.door import Door
from local_aws.standins.aws.provider import provider


def main() -> None:
    """Serve until the engine ends."""
    serve(provider(Door(os.environ)), sys.argv[1:])


if __name__ == "__main__":
    main()
