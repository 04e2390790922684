"""The engine's protobuf messages, without the rest of the Pulumi SDK.

`import pulumi` costs half a second, and each `pulumi up` starts several provider processes. The messages
need none of it. So they are imported below empty stand-ins of their parent packages, which are taken away
again: a later `import pulumi` in the same process gets the real package, and the same message classes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

_PARENTS = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


@contextmanager
def _empty_parents() -> Iterator[None]:
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the `pulumi` package is not installed in this Python environment")
    home = Path(next(iter(spec.submodule_search_locations)))
    added = [name for name in _PARENTS if name not in sys.modules]
    for name in added:
        shell = ModuleType(name)
        shell.__path__ = [str(home.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = shell
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


def _load() -> tuple[Any, Any, Any, Any]:
    names = ("provider_pb2", "engine_pb2", "plugin_pb2", "status_pb2")
    with _empty_parents():
        provider, engine, plugin, status = (importlib.import_module(f"pulumi.runtime.proto.{name}") for name in names)
    return provider, engine, plugin, status


provider_pb2, engine_pb2, plugin_pb2, status_pb2 = _load()
