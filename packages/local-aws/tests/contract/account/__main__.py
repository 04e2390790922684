"""`python -m tests.contract.account`: the command in the real world; every signal that ends it is a Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys

from provider_kit.streams import outliving
from tests.contract.account.command import main
from tests.contract.account.world import RealWorld


def interrupt(*_: object) -> None:
    """Clean up, then end."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupt)
    sys.exit(outliving(main, sys.argv[1:], os.environ, RealWorld()))
