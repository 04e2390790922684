"""The query protocol's parameters of RDS: lists have the names of their items (`SubnetIds.SubnetIdentifier.1`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from local_aws.emulator.elbv2.query import Tree, parse
from local_aws.emulator.wire import ServiceError

__all__ = ["Given", "invalid", "parse"]


def invalid(message: str) -> ServiceError:
    """A value that AWS does not take."""
    return ServiceError("InvalidParameterValue", message)


class Given:
    """The members of a request. An empty one is absent, as botocore sends an empty list as ''."""

    def __init__(self, members: Mapping[str, Tree]) -> None:
        self._members = {name: value for name, value in members.items() if value != ""}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def only(self, *known: str) -> None:
        """Refuse what the local cloud would not honour, instead of dropping it silently."""
        for name in self._members:
            if name not in known:
                raise ServiceError("InvalidParameterCombination", f"The local cloud does not carry {name}.")

    def text(self, name: str, default: str = "") -> str:
        value = self._members.get(name, default)
        return value if isinstance(value, str) else default

    def required(self, name: str) -> str:
        if value := self.text(name):
            return value
        raise ServiceError("MissingParameter", f"The request must contain the parameter {name}.")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if not re.fullmatch(r"-?\d{1,9}", text) or not low <= int(text) <= high:
            raise invalid(f"Invalid value for {name}: {text}. It must be between {low} and {high}.")
        return int(text)

    def flag(self, name: str, default: bool = False) -> bool:
        text = self.text(name, str(default).lower())
        if text not in ("true", "false"):
            raise invalid(f"Invalid value for {name}: {text} is not a boolean.")
        return text == "true"

    def texts(self, name: str, item: str) -> tuple[str, ...]:
        return tuple(each for each in self._items(name, item) if isinstance(each, str))

    def structs(self, name: str, item: str) -> tuple[Given, ...]:
        return tuple(Given(each) for each in self._items(name, item) if isinstance(each, dict))

    def tags(self) -> dict[str, str]:
        return {each.required("Key"): each.text("Value") for each in self.structs("Tags", "Tag")}

    def _items(self, name: str, item: str) -> list[Tree]:
        """Both spellings of a list are taken, with the item's name and with `member`."""
        found = self._members.get(name)
        inner = (found.get(item) or found.get("member")) if isinstance(found, dict) else None
        if not isinstance(inner, dict):
            return []
        return [inner[key] for key in sorted(filter(str.isdecimal, inner), key=int)]
