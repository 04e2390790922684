"""Which version of a plugin the installed SDK package asks for."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path


def plugin_version(package: str) -> str:
    """`pulumi_aws` -> `7.51.1`, from the package's own pulumi-plugin.json, without importing the package."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{package} is not installed in this Python environment")
    description = Path(next(iter(spec.submodule_search_locations)), "pulumi-plugin.json")
    return str(json.loads(description.read_text())["version"]).removeprefix("v")
