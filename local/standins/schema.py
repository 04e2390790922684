"""How a type's properties are declared, and what follows from the declaration.

A table of `Prop`s is the single place that says which properties a type takes, what pulumi-aws fills in when
one is left out, which changes replace the resource, and what the AWS API calls the field.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gates.kit import Props, Unknown, has_unknown


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
    fields: Mapping[str, Prop] | None = None
    """For objects and lists of objects: what they may hold."""
    text: bool = False
    """A string for AWS; numbers and booleans are taken, too, as pulumi-aws does."""
    json: bool = False
    """A JSON document as text; an object is taken, too. Spacing and order of keys make no difference."""


Table = Mapping[str, Prop]


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


def filled(table: Table, inputs: Props) -> Props:
    """`inputs` with defaults and in their normal form. Values that are not known yet stay so."""
    values = {name: _normal(table[name], value) for name, value in inputs.items() if value is not None}
    return defaults(table) | values


def _normal(prop: Prop, value: Any) -> Any:
    match value:
        case Unknown():
            return value
        case dict() if prop.fields is not None:
            return filled(prop.fields, value)
        case list() if prop.fields is not None:
            return [_normal(prop, item) for item in value]
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


def to_api(table: Table, values: Props) -> dict[str, Any]:
    """What a call of the API takes: the fields of `values` that have an API name, by that name."""
    return {
        prop.api: _to_api(prop, values[name])
        for name, prop in table.items()
        if prop.api and values.get(name) is not None
    }


def _to_api(prop: Prop, value: Any) -> Any:
    match value:
        case dict() if prop.fields is not None:
            return to_api(prop.fields, value)
        case list() if prop.fields is not None:
            return [to_api(prop.fields, item) for item in value]
        case _:
            return value


def from_api(table: Table, answer: Mapping[str, Any]) -> Props:
    """The inverse of `to_api`: what the API answered, by property name."""
    return {
        name: _from_api(prop, answer[prop.api])
        for name, prop in table.items()
        if prop.api and answer.get(prop.api) is not None
    }


def _from_api(prop: Prop, value: Any) -> Any:
    match value:
        case dict() if prop.fields is not None:
            return from_api(prop.fields, value)
        case list() if prop.fields is not None:
            return [from_api(prop.fields, item) for item in value]
        case _:
            return _normal(prop, value)


def to_attributes(table: Table, before: Props, after: Props) -> list[dict[str, str]]:
    """The attributes that differ between `before` and `after`, as `[{Key, Value}]`."""
    return [
        {"Key": prop.attribute, "Value": _attribute(after[name])}
        for name, prop in table.items()
        if prop.attribute and after.get(name) is not None and after[name] != before.get(name)
    ]


def _attribute(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def from_attributes(table: Table, answer: Sequence[Mapping[str, str]]) -> Props:
    """The inverse of `to_attributes`."""
    found = {item["Key"]: item["Value"] for item in answer}
    return {
        name: _typed(found[prop.attribute], prop.default)
        for name, prop in table.items()
        if prop.attribute in found and found[prop.attribute] != ""
    }


def _typed(text: str, like: Any) -> Any:
    match like:
        case bool():
            return text == "true"
        case int():
            return int(text)
        case _:
            return text


def defaults(table: Table) -> Props:
    """What pulumi-aws fills in for a resource that is given nothing."""
    return {name: prop.default for name, prop in table.items() if prop.default is not None}


def seen_through(table: Table, inputs: Props, live: Props) -> Props:
    """`inputs` with the values that are live, for a refresh: what was never asked for is no drift.

    On an import (`inputs` is empty) everything live that the table holds.
    """
    if not inputs:
        return {name: live[name] for name in table if live.get(name) not in (None, [], {})}
    return {name: _seen(table.get(name, Prop()), value, live.get(name)) for name, value in inputs.items()}


def _seen(prop: Prop, asked: Any, live: Any) -> Any:
    if live is None:
        return asked
    match asked:
        case dict() if prop.fields is not None and isinstance(live, dict):
            return seen_through(prop.fields, asked, live) if asked else asked
        case list() if isinstance(live, list) and len(asked) == len(live):
            if prop.fields is None:
                # AWS answers ids and CIDRs in an order of its own
                return asked if sorted(map(str, asked)) == sorted(map(str, live)) else live
            return [_seen(prop, one, other) for one, other in zip(asked, live, strict=True)]
        case _:
            return live
