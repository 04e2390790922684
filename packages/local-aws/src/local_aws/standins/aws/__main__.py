"""The plugin process: `python -m local_aws.standins.aws ENGINE_ADDRESS`."""

import os
import sys

from provider_kit import startup


def main() -> None:
    """Serve until the engine ends. What is loaded is loaded here, after the start was begun."""
    startup.begin()
    from provider_kit import serve

    from local_aws.standins.aws.door import Door
    from local_aws.standins.aws.provider import provider

    served = provider(Door(os.environ))
    startup.done()
    serve(served, sys.argv[1:])


if __name__ == "__main__":
    main()
