"""The `release` provider: `pulumi-resource-release ENGINE_ADDRESS`, started by the engine (Pulumi.yaml, plugins)."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from provider_kit import Provider, Resource, serve

from release_lane import gates
from release_lane.aws.patience import INTERRUPTED
from release_lane.gates.adopt import examine_image
from release_lane.gates.observe import describe_network, find_image, observe, read_labels
from release_lane.gates.recording import RECORDING, begin, done, read_halts, refuse

VERSION = "0.3.0"


def main() -> None:
    """Serve until the engine ends."""
    # What every update needs first takes a while to load: begin before the engine asks.
    threading.Thread(target=importlib.import_module, args=("boto3",), daemon=True).start()
    os.chdir(project_root(Path.cwd()))
    serve(provider(), sys.argv[1:], INTERRUPTED, RECORDING.abandoned)


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
        [*resources()],
        {
            "release:index:observe": observe,
            "release:index:findImage": find_image,
            "release:index:readHalts": read_halts,
            "release:index:readLabels": read_labels,
            "release:index:describeNetwork": describe_network,
            "release:index:examineImage": examine_image,
            "release:index:begin": begin,
            "release:index:done": done,
            "release:index:refuse": refuse,
        },
    )


def resources() -> Iterator[Resource]:
    """Every class of this package that has a token: a new gate is a new file."""
    for found in pkgutil.iter_modules(gates.__path__):
        if found.name == "__main__":
            continue
        module = importlib.import_module(f"{gates.__name__}.{found.name}")
        own = (each for each in vars(module).values() if getattr(each, "__module__", "") == module.__name__)
        yield from (each() for each in own if isinstance(each, type) and hasattr(each, "token"))


if __name__ == "__main__":
    main()
