"""A small kit for Pulumi providers in Python: plain values in, plain values out, errors that people can read.

A provider is a list of `Resource`s, one per type, handed to `serve`. The kit speaks the engine's protocol on
the message classes that the `pulumi` package ships, and imports nothing else of it.
"""

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
