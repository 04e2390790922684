"""The `release` provider: `pulumi-resource-release ENGINE_ADDRESS`, started by the engine (Pulumi.yaml, plugins)."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from pathlib import Path

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
    os.chdir(project_root(Path.cwd()))
    serve(provider(), sys.argv[1:], INTERRUPTED)


def project_root(start: Path) -> Path:
    """The nearest folder at or above `start` with a Pulumi.yaml, else `start`: `smoke/` is in it.

    The engine starts a plugin in the folder of the program (`main` of Pulumi.yaml).
    """
    return next((folder for folder in (start, *start.parents) if (folder / "Pulumi.yaml").is_file()), start)


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
