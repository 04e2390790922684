"""The `release` provider: `python -m gates ENGINE_ADDRESS`, started by the engine through gates/plugin."""

from __future__ import annotations

import importlib
import sys
import threading

from gates import startup

VERSION = "0.1.0"


def main() -> None:
    """Serve until the engine ends. What is loaded is loaded here, after the start was begun."""
    startup.begin()
    from gates.image import Image
    from gates.kit import Provider, serve
    from gates.observe import find_image, observe
    from gates.rollout import Rollout
    from gates.smoke import SmokeGate
    from gates.switch import TrafficSwitch
    from release.aws.patience import INTERRUPTED

    # What every update needs first takes a while to load: begin before the engine asks.
    threading.Thread(target=importlib.import_module, args=("boto3",), daemon=True).start()
    provider = Provider(
        "release",
        VERSION,
        [Image(), Rollout(), SmokeGate(), TrafficSwitch()],
        {"release:index:observe": observe, "release:index:findImage": find_image},
    )
    startup.done()
    serve(provider, sys.argv[1:], INTERRUPTED)


if __name__ == "__main__":
    main()
