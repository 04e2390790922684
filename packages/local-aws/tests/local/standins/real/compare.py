"""The tables of the stand-ins next to the facts of the real provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from local_aws.standins.aws.base import AwsResource
from local_aws.standins.schema import Prop
from local_aws.standins.tables import all_of
from tests.local.standins.real.facts import Facts

KINDS = ("unknown", "required", "default", "replaces", "computed", "set", "secret")
"""In what a property may differ. `unknown`: the provider has none of that name."""


def differences(type_: type[AwsResource], facts: Facts) -> dict[str, set[str]]:
    """Property path -> KINDS, for all that the stand-in has."""
    found = {path: set(_kinds(type_, path, prop, facts)) for path, prop in all_of(type_.props)}
    return {path: kinds for path, kinds in found.items() if kinds}


def admitted(type_: type[AwsResource]) -> dict[str, set[str]]:
    """The same, as far as the table says it itself: `departs="required: nothing is imported here"`."""
    found = {path: prop.departs.partition(" ")[0].rstrip(":;") for path, prop in all_of(type_.props)}
    return {path: {kind} for path, kind in found.items() if kind in KINDS}


def _kinds(type_: type[AwsResource], path: str, prop: Prop, facts: Facts) -> Iterator[str]:
    if path not in facts:
        yield "unknown"
        return
    says = facts[path]["is"]
    if prop.required != ("required" in says):
        yield "required"
    elif _spelled(prop.default) != _spelled(facts[path].get("default")):
        yield "default"
    elif _stays(type_, path, prop) != ("stays" in says or "computed" in says):
        yield "computed"
    if _replaces(path, {name: one.replace for name, one in all_of(type_.props)}) != _replaces(
        path, {name: "replaces" in fact["is"] for name, fact in facts.items()}
    ):
        yield "replaces"
    if prop.unordered != ("set" in says):
        yield "set"
    if "secret" in says:
        yield "secret"


def _stays(type_: type[AwsResource], path: str, prop: Prop) -> bool:
    """Left out again, it is as it was. Names that were made up and the region are seen to for all types at once."""
    return prop.computed or path == "region" or (path == "name" and type_.autoname is not None)


def _replaces(path: str, replacing: dict[str, bool]) -> bool:
    """It, or what it is in."""
    parts = path.split(".")
    return any(replacing[".".join(parts[:depth])] for depth in range(1, len(parts) + 1))


def _spelled(default: Any) -> str:
    """No default is the provider's way to say no, none and 0; numbers may be texts."""
    match default:
        case None | "" | False | 0:
            return ""
        case float():
            return f"{default:g}"
        case _:
            return str(default)
