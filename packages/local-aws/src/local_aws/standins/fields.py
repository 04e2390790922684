"""A type's properties in the AWS API's own words, and back, by its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provider_kit import Props

from local_aws.standins.schema import Prop, Table, normal


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
            return normal(prop, value)


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
