"""The `release` provider: `python -m release_lane.gates ENGINE_ADDRESS`, started by the engine."""

from __future__ import annotations

import importlib
import sys
import threading

from provider_kit import Provider, serve

from release_lane.aws.patience import INTERRUPTED
from release_lane.gates.adopt import AdoptedImage, examine_image
from release_lane.gates.image import Image
from release_lane.gates.observe import find_image, observe
from release_lane.gates.rollout import Rollout
from release_lane.gates.smoke import SmokeGate
from release_lane.gates.switch import TrafficSwitch

VERSION = "0.2.0"


def main() -> None:
    """Serve until the engine ends."""
    # What every update needs first takes a while to load: begin before the engine asks.
    threading.Thread(target=importlib.import_module, args=("boto3",), daemon=True).start()
    serve(provider(), sys.argv[1:], INTERRUPTED)


def provider() -> Provider:
    """All gates and functions."""
    return Provider(
        "release",
        VERSION,
        [Image(), Rollout(), SmokeGate(), TrafficSwitch(), AdoptedImage()],
        {
            "release:index:observe": observe,
            "release:index:findImage": find_image,
            "release:index:examineImage": examine_image,
        },
    )


if __name__ == "__main__":
    main()
