"""The `release` provider: `python -m release_lane.gates ENGINE_ADDRESS`, started by the engine."""

from __future__ import annotations

import importlib
import sys
import threading
from typing import TYPE_CHECKING

from provider_kit import startup

if TYPE_CHECKING:
    from provider_kit import Provider

VERSION = "0.1.0"


def main() -> None:
    """Serve until the engine ends. What is loaded is loaded here, after the start was begun."""
    startup.begin()
    from provider_kit import serve

    from release_lane.aws.patience import INTERRUPTED

    # What every update needs first takes a while to load: begin before the engine asks.
    threading.Thread(target=importlib.import_module, args=("boto3",), daemon=True).start()
    made = provider()
    startup.done()
    serve(made, sys.argv[1:], INTERRUPTED)


def provider() -> Provider:
    """All gates and functions."""
    from provider_kit import Provider

    from release_lane.gates.adopt import AdoptedImage, examine_image
    from release_lane.gates.image import Image
    from release_lane.gates.observe import find_image, observe, ready
    from release_lane.gates.rollout import Rollout
    from release_lane.gates.smoke import SmokeGate
    from release_lane.gates.switch import TrafficSwitch

    return Provider(
        "release",
        VERSION,
        [Image(), Rollout(), SmokeGate(), TrafficSwitch(), AdoptedImage()],
        {
            "release:index:ready": ready,
            "release:index:observe": observe,
            "release:index:findImage": find_image,
            "release:index:examineImage": examine_image,
        },
    )


if __name__ == "__main__":
    main()
