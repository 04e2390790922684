"""The members of a request with typed, checked access, whatever protocol brought them. Pure.

CBOR and JSON bring numbers and lists as such, the query protocol everything as text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_aws.emulator.cloudwatch.errors import constraint, invalid, required, unsupported


class Members:
    """Absent, null and (in the query protocol) empty members are the same. Every access may raise ServiceError."""

    def __init__(self, members: Mapping[str, Any], path: str = "") -> None:
        self._members = members
        self._path = path

    def __contains__(self, name: str) -> bool:
        return self._members.get(name) not in (None, "", [], {})

    def at(self, name: str) -> str:
        return f"{self._path}{name}"

    def only(self, *known: str) -> None:
        """Refuse members that would otherwise be dropped in silence."""
        for name in self._members:
            if name not in known and name in self:
                raise unsupported(f"the parameter {self.at(name)}")

    def text(self, name: str, *, most: int = 1 << 20) -> str | None:
        value = self._members.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise constraint(value, self.at(name), "be a string")
        if len(value) > most:
            raise constraint(value, self.at(name), f"have length less than or equal to {most}")
        return value

    def required(self, name: str, *, most: int = 1 << 20) -> str:
        value = self.text(name, most=most)
        if value is None:
            raise required(self.at(name))
        return value

    def choice(self, name: str, among: Sequence[str]) -> str | None:
        value = self.text(name)
        if value is not None and value not in among:
            raise constraint(value, self.at(name), f"satisfy enum value set: [{', '.join(among)}]")
        return value

    def number(self, name: str) -> float | None:
        value = self._members.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise constraint(value, self.at(name), "be a number")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise constraint(value, self.at(name), "be a number") from None
        if not math.isfinite(number):
            raise invalid(f"The value {value} for parameter {self.at(name)} is invalid.")
        return number

    def integer(self, name: str, *, low: int = 1, high: int = 2**31 - 1) -> int | None:
        number = self.number(name)
        if number is None:
            return None
        if number != int(number):
            raise constraint(number, self.at(name), "be an integer")
        if number < low:
            raise constraint(int(number), self.at(name), f"have value greater than or equal to {low}")
        if number > high:
            raise constraint(int(number), self.at(name), f"have value less than or equal to {high}")
        return int(number)

    def numbers(self, name: str) -> tuple[float, ...]:
        items = Members(
            {str(place): item for place, item in enumerate(self._list(name), 1)}, f"{self.at(name)}.member."
        )
        found = (items.number(str(place)) for place in range(1, len(self._list(name)) + 1))
        return tuple(value for value in found if value is not None)

    def flag(self, name: str, default: bool) -> bool:
        value = self._members.get(name)
        match value:
            case None | "":
                return default
            case bool():
                return value
            case "true" | "false":
                return bool(value == "true")
        raise constraint(value, self.at(name), "be a boolean")

    def moment(self, name: str) -> float | None:
        """Seconds since the epoch, from a number or an ISO 8601 text."""
        value = self._members.get(name)
        match value:
            case None | "":
                return None
            case int() | float():
                return self.number(name)
            case str():
                return self._parsed(name, value)
        raise constraint(value, self.at(name), "be a timestamp")

    def _parsed(self, name: str, text: str) -> float:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return float(text)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise invalid(f"The parameter {self.at(name)} must be a timestamp, not {text}.") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def struct(self, name: str) -> Members | None:
        value = self._members.get(name)
        return Members(value, f"{self.at(name)}.") if isinstance(value, Mapping) and value else None

    def texts(self, name: str, *, most: int = 100_000) -> tuple[str, ...]:
        items = self._list(name)
        if len(items) > most:
            raise constraint(list(items), self.at(name), f"have length less than or equal to {most}")
        for item in items:
            if not isinstance(item, str):
                raise constraint(item, self.at(name), "be a string")
        return tuple(items)

    def structs(self, name: str) -> tuple[Members, ...]:
        items = self._list(name)
        for item in items:
            if not isinstance(item, Mapping):
                raise constraint(item, self.at(name), "be a structure")
        return tuple(Members(item, f"{self.at(name)}.member.{place}.") for place, item in enumerate(items, 1))

    def _list(self, name: str) -> Sequence[Any]:
        value = self._members.get(name)
        if value is None or value == "":
            return ()
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise constraint(value, self.at(name), "be a list")
        return value
