"""Typed, checked access to the parameters of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping

from local_aws.emulator.elbv2.errors import constraint, unsupported
from local_aws.emulator.query import Tree


class Params:
    """The members of one structure. Absent and empty members are the same, as botocore sends an empty list as ''.

    Every access may raise ServiceError ValidationError in AWS's wording.
    """

    def __init__(self, members: Mapping[str, Tree], path: str = "") -> None:
        self._members = members
        self._path = path

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def only(self, *known: str) -> None:
        """Refuse members that the local load balancer would not honour, instead of dropping them silently."""
        for name, value in self._members.items():
            if name not in known and value != "":
                raise unsupported(f"the parameter {self._path}{name}")

    def text(self, name: str, default: str = "") -> str:
        value = self._members.get(name, "")
        return value if isinstance(value, str) and value else default

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise constraint(None, self._at(name), "not be null")
        return value

    def choice(self, name: str, default: str, *others: str) -> str:
        value = self.text(name, default)
        if value not in (default, *others):
            raise constraint(value, self._at(name), f"satisfy enum value set: [{', '.join((default, *others))}]")
        return value

    def number(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name)
        if not value:
            return default
        if not re.fullmatch(r"-?\d{1,9}", value):
            raise constraint(value, self._at(name), "be an integer")
        if int(value) < low:
            raise constraint(value, self._at(name), f"have value greater than or equal to {low}")
        if int(value) > high:
            raise constraint(value, self._at(name), f"have value less than or equal to {high}")
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name)
        if value not in ("", "true", "false"):
            raise constraint(value, self._at(name), "be a boolean")
        return value == "true" if value else default

    def struct(self, name: str) -> Params | None:
        value = self._members.get(name)
        return Params(value, f"{self._path}{name}.") if isinstance(value, dict) else None

    def tree(self, name: str) -> Mapping[str, Tree]:
        value = self._members.get(name)
        return value if isinstance(value, dict) else {}

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(item for item in self._items(name) if isinstance(item, str))

    def structs(self, name: str) -> tuple[Params, ...]:
        return tuple(
            Params(item, f"{self._path}{name}.{at}.")
            for at, item in enumerate(self._items(name), 1)
            if isinstance(item, dict)
        )

    def _items(self, name: str) -> list[Tree]:
        value = self._members.get(name)
        members = value.get("member") if isinstance(value, dict) else None
        if not isinstance(members, dict):
            return []
        return [members[key] for key in sorted(filter(str.isdecimal, members), key=int)]

    def _at(self, name: str) -> str:
        return f"{self._path}{name[:1].lower()}{name[1:]}"
