"""A small kit for Pulumi providers in Python: plain values in, plain values out, errors that people can read.

A provider is a list of `Resource`s, one per type, handed to `serve`. The kit speaks the engine's protocol on
the message classes that the `pulumi` package ships, and imports nothing else of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from provider_kit.diffs import Change, structural
    from provider_kit.errors import Cancelled, PartialFailure, UserError, readable
    from provider_kit.resource import Context, Progress, Provider, Resource, State
    from provider_kit.server import serve
    from provider_kit.values import UNKNOWN, Props, Unknown, has_unknown

__all__ = [
    "UNKNOWN",
    "Cancelled",
    "Change",
    "Context",
    "PartialFailure",
    "Progress",
    "Props",
    "Provider",
    "Resource",
    "State",
    "Unknown",
    "UserError",
    "has_unknown",
    "readable",
    "serve",
    "structural",
]

_HOMES = {
    "Change": "diffs",
    "structural": "diffs",
    "Cancelled": "errors",
    "PartialFailure": "errors",
    "UserError": "errors",
    "readable": "errors",
    "Context": "resource",
    "Progress": "resource",
    "Provider": "resource",
    "Resource": "resource",
    "State": "resource",
    "serve": "server",
    "UNKNOWN": "values",
    "Props": "values",
    "Unknown": "values",
    "has_unknown": "values",
}


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: commands use `provider_kit.streams` alone, and gRPC would double their start."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
