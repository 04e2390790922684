"""`python -m local_aws.toolchain engine|act|actionlint|node|groovy`: make it if it is missing, print where it is."""

from __future__ import annotations

import sys

from provider_kit.streams import outliving

from local_aws.errors import LocalError
from local_aws.toolchain import ensure_act, ensure_actionlint, ensure_engine, ensure_groovy, ensure_node_tools
from local_aws.toolchain.cache import cache_folder


def main(argv: list[str]) -> int:
    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        match argv:
            case ["engine"]:
                print(ensure_engine(cache_folder(), say).bin)
            case ["act"]:
                print(ensure_act(cache_folder(), say))
            case ["actionlint"]:
                print(ensure_actionlint(cache_folder(), say))
            case ["node"]:
                print(ensure_node_tools(cache_folder(), say))
            case ["groovy"]:
                print(ensure_groovy(cache_folder(), say))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except LocalError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(outliving(main, sys.argv[1:]))
