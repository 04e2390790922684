"""How a type's properties are declared, and what a program's inputs become by it.

A table of `Prop`s is the single place that says which properties a type takes, what pulumi-aws fills in when
one is left out, which changes replace the resource, and what the AWS API calls the field. What it says is taken
from the provider's published documentation and schema; each type names them as its `Source`. `drift` compares
by the same tables, `fields` translates, `tables` prints them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from provider_kit import Props, Unknown, has_unknown


@dataclass(frozen=True)
class Prop:
    """One property of a resource type, or one field of a property that is an object or a list of them."""

    api: str = ""
    """The AWS API's name for it; empty where it needs code of its own."""
    attribute: str = ""
    """Its key, where the API keeps it in a list of attributes; `default` then says of which type it is."""
    default: Any = None
    """What pulumi-aws fills in."""
    replace: bool = False
    """A change of it replaces the resource."""
    required: bool = False
    """A resource without it is refused."""
    computed: bool = False
    """AWS fills it in where it is left out, and it stays as it is when it is left out again."""
    unordered: bool = False
    """A set: the order of its items makes no difference."""
    unread: bool = False
    """Steers the provider itself, so a refresh cannot see it."""
    unset: Any = None
    """What AWS answers where it was left out, and what therefore is no change."""
    fields: Mapping[str, Prop] | None = None
    """For objects and lists of objects: what they may hold."""
    text: bool = False
    """A string for AWS; numbers and booleans are also accepted, as pulumi-aws does."""
    json: bool = False
    """A JSON document as text; an object is also accepted. Spacing and order of keys make no difference."""
    departs: str = ""
    """Where the stand-in knowingly does something else than the provider, in words."""


Table = Mapping[str, Prop]

REGISTRY = "https://www.pulumi.com/registry/packages/"
UPSTREAM = "https://github.com/hashicorp/terraform-provider-aws/blob/main/"


@dataclass(frozen=True)
class Source:
    """Where the facts of a type's table are from."""

    page: str
    """The provider's documentation, below REGISTRY: defaults, outputs, what an import takes."""
    schema: str
    """The schema that the provider is made of: what replaces, what is computed, what is required."""


def upstream(page: str, service: str) -> Source:
    """`("ec2/vpc", "ec2/vpc_")`: a type of pulumi-aws, which is made of terraform-provider-aws."""
    return Source(
        f"{REGISTRY}aws/api-docs/{page}/",
        f"{UPSTREAM}internal/service/{service}.go",
    )


def problems(table: Table, inputs: Props, package: str, where: str = "") -> Iterator[tuple[str, str]]:
    """(property path, message) of each property that the table does not hold, and of each bad JSON text."""
    for name, value in inputs.items():
        path = f"{where}{name}"
        prop = table.get(name)
        if prop is None:
            known = ", ".join(sorted(table))
            yield path, f"is not served by the local cloud's stand-in for {package}; it takes: {known}"
        elif prop.fields is not None:
            yield from _problems_inside(prop.fields, value, package, path)
        elif prop.json and isinstance(value, str) and not _is_json(value):
            yield path, "is not JSON"


def _problems_inside(table: Table, value: Any, package: str, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            yield from problems(table, value, package, f"{path}.")
        case list():
            for index, item in enumerate(value):
                yield from _problems_inside(table, item, package, f"{path}[{index}]")
        case Unknown() | None:
            return
        case _:
            yield path, "should be an object or a list of objects"


def missing(table: Table, values: Props, where: str = "") -> Iterator[tuple[str, str]]:
    """(property path, message) of each required property that is not there."""
    for name, prop in table.items():
        value = values.get(name)
        if value is None:
            if prop.required:
                yield f"{where}{name}", "is required"
        elif prop.fields is not None and not prop.json:
            yield from _missing_inside(prop.fields, value, f"{where}{name}")


def _missing_inside(table: Table, value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            yield from missing(table, value, f"{path}.")
        case list():
            for index, item in enumerate(value):
                yield from _missing_inside(table, item, f"{path}[{index}]")


def filled(table: Table, inputs: Props) -> Props:
    """`inputs` with defaults and in their normal form. Values that are not known yet stay so."""
    values = {name: normal(table[name], value) for name, value in inputs.items() if value is not None}
    return defaults(table) | values


def normal(prop: Prop, value: Any) -> Any:
    """One spelling for values that mean the same."""
    match value:
        case Unknown():
            return value
        case dict() if prop.fields is not None:
            return filled(prop.fields, value)
        case list() if prop.fields is not None:
            return [normal(prop, item) for item in value]
        case _ if prop.json and not has_unknown(value):
            return canonical(value)
        case bool() if prop.text:
            return str(value).lower()
        case int() | float() if prop.text:
            return str(value)
        case _:
            return value


def canonical(document: Any) -> str:
    """One spelling for equal JSON documents, given as text or as an object."""
    loaded = json.loads(document) if isinstance(document, str) else document
    return json.dumps(loaded, sort_keys=True, separators=(",", ":"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def defaults(table: Table) -> Props:
    """What pulumi-aws fills in for a resource that is given nothing."""
    return {name: prop.default for name, prop in table.items() if prop.default is not None}
