"""What is recorded, what is asked for and what is live, compared by a type's table."""

from __future__ import annotations

import json
from typing import Any

from provider_kit import Props, has_unknown

from local_aws.standins.schema import Prop, Table

EMPTY: tuple[Any, ...] = (None, "", [], {}, False, 0)
"""Values that say no more than that nothing was given."""


def recorded(table: Table, inputs: Props, outputs: Props, asked: Props) -> Props:
    """What a resource is known to be, for a comparison with `asked`: its recorded inputs, and

    - without what AWS fills in where `asked` leaves it out: that stays as it is;
    - with what a refresh has found in addition (a tag by hand), so that it is removed or agrees;
    - with the items of sets in the order of `asked`, as far as they are the same.
    """
    known = _settled(table, inputs, asked)
    for name, prop in table.items():
        if known.get(name) is None and not prop.unread and outputs.get(name) not in EMPTY:
            found = outputs[name]
            if asked.get(name) is not None:
                known[name] = _like(prop, asked[name], found)
            elif not prop.computed and found != prop.unset:
                known[name] = found
    return known


def _settled(table: Table, inputs: Props, asked: Props) -> Props:
    """The recorded inputs in the order of `asked`, without computed ones that it leaves out."""
    known: Props = {}
    for name, value in inputs.items():
        prop, wanted = table.get(name), asked.get(name)
        if prop is None or (wanted is None and (prop.computed or value in ("", [], {}, prop.unset))):
            continue
        if prop.fields is not None and isinstance(value, dict) and isinstance(wanted, dict):
            known[name] = _settled(prop.fields, value, wanted)
        else:
            known[name] = _in_order(prop, value, wanted)
    return known


def _like(prop: Prop, asked: Any, found: Any) -> Any:
    """`found` with the fields of `asked` alone, as far as it is an object."""
    if prop.fields is not None and isinstance(asked, dict) and isinstance(found, dict):
        return {name: _like(prop.fields.get(name, Prop()), asked[name], found.get(name)) for name in asked}
    return _in_order(prop, found, asked)


def _in_order(prop: Prop, value: Any, asked: Any) -> Any:
    if not isinstance(value, list) or not isinstance(asked, list):
        return value
    if prop.unordered and not has_unknown(asked):
        value = _sorted_like(value, asked)
    if prop.fields is not None and len(value) == len(asked):
        return [
            _settled(prop.fields, one, other) if isinstance(one, dict) and isinstance(other, dict) else one
            for one, other in zip(value, asked, strict=True)
        ]
    return value


def _sorted_like(items: list[Any], asked: list[Any]) -> list[Any]:
    """`items` with those that are also in `asked`, in its order and first."""
    rest = list(items)
    first = []
    for wanted in asked:
        match = next((one for one in rest if _spelled(one) == _spelled(wanted)), None)
        if match is not None:
            rest.remove(match)
            first.append(match)
    return first + rest


def _spelled(item: Any) -> str:
    return json.dumps(item, sort_keys=True)


def seen_through(table: Table, inputs: Props, live: Props) -> Props:
    """`inputs` with the values that are live, for a refresh; what was never asked for is left out here.

    On an import (`inputs` is empty) everything live that the table holds.
    """
    if not inputs:
        return {
            name: live[name]
            for name, prop in table.items()
            if live.get(name) not in (None, "", [], {}) and (prop.unset is None or live[name] != prop.unset)
        }
    seen = {name: _seen(table.get(name, Prop()), value, live.get(name)) for name, value in inputs.items()}
    return {name: value for name, value in seen.items() if value is not None}


def _seen(prop: Prop, asked: Any, live: Any) -> Any:
    if prop.unread:
        return asked
    if live is None:  # not there any more; or nothing was asked for, and AWS does not say so
        return asked if asked in EMPTY else None
    match asked:
        case dict() if prop.fields is not None and isinstance(live, dict):
            return seen_through(prop.fields, asked, live) if asked else asked
        case list() if isinstance(live, list) and len(asked) == len(live):
            if prop.unordered:
                live = _matched(prop, asked, live)
            if prop.fields is None:
                return live
            return [_seen(prop, one, other) for one, other in zip(asked, live, strict=True)]
        case _:
            return live


def _matched(prop: Prop, asked: list[Any], live: list[Any]) -> list[Any]:
    """The live items of a set, each where the one is that was asked for; what is new in the gaps."""
    rest = list(live)
    places: list[Any] = []
    for wanted in asked:
        match = next((one for one in rest if _spelled(_seen_item(prop, wanted, one)) == _spelled(wanted)), None)
        places.append(match)
        if match is not None:
            rest.remove(match)
    return [rest.pop(0) if place is None else place for place in places]


def _seen_item(prop: Prop, asked: Any, live: Any) -> Any:
    if prop.fields is not None and isinstance(asked, dict) and isinstance(live, dict):
        return seen_through(prop.fields, asked, live)
    return live
