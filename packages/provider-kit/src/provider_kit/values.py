"""Plain Python values <-> the engine's wire values, with unknowns and secrets.

On the wire a value is a protobuf `Value`. An unknown (known only after an earlier step has run) travels as
one of seven sentinel strings; a secret travels as a map with a signature around the real value. Here an
unknown is `UNKNOWN`, and secrets are plain values, with a set of the paths at which they stand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

Props = dict[str, Any]
"""Property values by camelCase name: str, int, float, bool, None, list, dict, and in preview UNKNOWN."""

Path = tuple[str, ...]
"""Map keys from the top. A secret anywhere inside a list counts for the whole list."""

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
UNKNOWNS: Final = frozenset(
    {
        UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)


class Unknown:
    """The type of `UNKNOWN`. It has no truth value, so that `if value:` cannot hide an unknown."""

    _only: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._only is None:
            cls._only = super().__new__(cls)
        return cls._only

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("a value that is not known yet is neither true nor false: ask `is UNKNOWN`")

    def __deepcopy__(self, memo: object) -> Unknown:
        return self

    def __copy__(self) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


def has_unknown(value: Any) -> bool:
    """Whether `value` is UNKNOWN or holds one at any depth."""
    match value:
        case Unknown():
            return True
        case dict():
            return any(has_unknown(item) for item in value.values())
        case list() | tuple():
            return any(has_unknown(item) for item in value)
        case _:
            return False


def decode(struct: Any) -> tuple[Props, frozenset[Path]]:
    """The properties of a protobuf Struct, and the paths at which secrets stand.

    Keys that begin with two underscores belong to the engine and are left out; so are nulls at the top.
    """
    secrets: set[Path] = set()
    props = {
        key: plain
        for key, value in struct.fields.items()
        if not key.startswith("__") and (plain := _decode(value, (key,), secrets)) is not None
    }
    return props, frozenset(secrets)


def _decode(value: Any, path: Path, secrets: set[Path]) -> Any:
    match value.WhichOneof("kind"):
        case "string_value":
            return UNKNOWN if value.string_value in UNKNOWNS else value.string_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "bool_value":
            return value.bool_value
        case "list_value":
            return _decode_list(value.list_value.values, path, secrets)
        case "struct_value":
            return _decode_map(value.struct_value.fields, path, secrets)
        case _:
            return None


def _decode_list(values: Any, path: Path, secrets: set[Path]) -> list[Any]:
    inside: set[Path] = set()
    items = [_decode(item, (), inside) for item in values]
    if inside:
        secrets.add(path)
    return items


def _decode_map(fields: Any, path: Path, secrets: set[Path]) -> Any:
    if SIGNATURE in fields and fields[SIGNATURE].string_value == SECRET:
        secrets.add(path)
        return _decode(fields["value"], path, secrets)
    return {key: _decode(item, (*path, key), secrets) for key, item in fields.items()}


def encode(props: Mapping[str, Any], struct: Any, secrets: Collection[Path] = ()) -> Any:
    """Fill the protobuf Struct `struct` from `props` and return it; values at `secrets` become secrets."""
    for key, value in props.items():
        if value is not None:
            _encode(value, struct.fields[key], (key,), secrets)
    return struct


def _encode(value: Any, into: Any, path: Path, secrets: Collection[Path]) -> None:
    if _is_secret(value, path, secrets):
        wrapper = into.struct_value.fields
        wrapper[SIGNATURE].string_value = SECRET
        into = wrapper["value"]
    match value:
        case Unknown():
            into.string_value = UNKNOWN_STRING
        case None:
            into.null_value = 0
        case bool():
            into.bool_value = value
        case int() | float():
            into.number_value = value
        case str():
            into.string_value = str(value)
        case Mapping():
            into.struct_value.SetInParent()
            for key, item in value.items():
                _encode(item, into.struct_value.fields[key], (*path, key), secrets)
        case list() | tuple():
            into.list_value.SetInParent()
            for item in value:
                # no secrets inside lists: a list that holds one is secret as a whole
                _encode(item, into.list_value.values.add(), (), ())
        case _:
            raise TypeError(f"property {'.'.join(path)}: {type(value).__name__} cannot be sent to the engine")


def _is_secret(value: Any, path: Path, secrets: Collection[Path]) -> bool:
    """At a secret's path; or above one where the map that led to it has become another kind of value."""
    if isinstance(value, Mapping):
        return path in secrets
    return bool(path) and any(secret[: len(path)] == path for secret in secrets)


SPELLED_OUT: Final = 8  # characters from which a secret is looked for inside of longer texts as well


def revealing(props: Mapping[str, Any], values: Mapping[str, Any], secrets: Collection[Path]) -> frozenset[Path]:
    """The paths in `props` at which stands what `values` hold at `secrets`, or a text that has it inside.

    What a provider derives from a secret (an ARN of a name, all tags) is as secret as the value itself.
    """
    hidden = {text for path in secrets for text in _texts(_at(values, path))}
    return frozenset(_revealing(props, (), hidden)) if hidden else frozenset()


def _at(values: Any, path: Path) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str() if value:
            yield value
        case Mapping():
            for item in value.values():
                yield from _texts(item)
        case list() | tuple():
            for item in value:
                yield from _texts(item)


def _revealing(value: Any, path: Path, hidden: Collection[str]) -> Iterator[Path]:
    match value:
        case Mapping():
            for key, item in value.items():
                yield from _revealing(item, (*path, key), hidden)
        case list() | tuple():
            if any(True for item in value for _ in _revealing(item, (), hidden)):
                yield path
        case str():
            if value in hidden or any(text in value for text in hidden if len(text) >= SPELLED_OUT):
                yield path
