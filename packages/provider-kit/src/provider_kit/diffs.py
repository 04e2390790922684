"""What differs between two sets of inputs, as the engine wants to hear it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from provider_kit.values import Props, has_unknown

Kind = Literal["add", "delete", "update"]
Segment = str | int


@dataclass(frozen=True)
class Change:
    """One changed property. `path` is a Pulumi property path: `tags.team`, `rules[0].weight`."""

    path: str
    kind: Kind = "update"
    replace: bool = False

    @property
    def top(self) -> str:
        """The name of the top-level property it belongs to."""
        return str(parse_path(self.path)[0])


def structural(old: Props, new: Props, replace_on: Collection[str] = (), ignore: Sequence[str] = ()) -> list[Change]:
    """Every difference between `old` and `new`, without those below an ignored path.

    A missing property and one that is None are the same. An unknown counts as a change, because it may
    become one. A change of a property named in `replace_on` replaces the resource.
    """
    ignored = [parse_path(path) for path in ignore]
    return [
        Change(format_path(path), kind, replace=path[0] in replace_on)
        for path, kind in _walk((), old, new)
        if not any(_covers(pattern, path) for pattern in ignored)
    ]


def _walk(path: tuple[Segment, ...], old: Any, new: Any) -> Iterator[tuple[tuple[Segment, ...], Kind]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _walk((*path, key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and path:
        for index in range(max(len(old), len(new))):
            yield from _walk((*path, index), _item(old, index), _item(new, index))
    elif has_unknown(new) or old != new or isinstance(old, bool) is not isinstance(new, bool):
        yield path, "add" if old is None else "delete" if new is None else "update"


def _item(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


_TOKEN = re.compile(r"""\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|([^.\[\]]+)""")


def parse_path(path: str) -> tuple[Segment, ...]:
    """`a.b[0]["c.d"].*` -> ("a", "b", 0, "c.d", "*")."""
    segments: list[Segment] = []
    for quoted, index, name in _TOKEN.findall(path):
        if index:
            segments.append(index if index == "*" else int(index))
        else:
            segments.append(name or quoted.replace('\\"', '"').replace("\\\\", "\\"))
    return tuple(segments)


def format_path(path: Sequence[Segment]) -> str:
    """The inverse of `parse_path`."""
    text = ""
    for segment in path:
        match segment:
            case int():
                text += f"[{segment}]"
            case str() if re.fullmatch(r"[^.\[\]\"*]+", segment):
                text += f".{segment}" if text else segment
            case str():
                text += '["{}"]'.format(segment.replace("\\", "\\\\").replace('"', '\\"'))
    return text


def _covers(pattern: Sequence[Segment], path: Sequence[Segment]) -> bool:
    return len(pattern) <= len(path) and all(
        wanted in ("*", segment) for wanted, segment in zip(pattern, path, strict=False)
    )
