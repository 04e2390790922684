"""A scalar of a stack file as the engine reads it: `scalar(text)` is the value that the program gets, as JSON has it.

The engine reads YAML by gopkg.in/yaml.v3, which takes `on` and `16:00` for text, `1e3`, `0o17` and `08` for numbers,
and of a date without quotes makes a text of its own. PyYAML does none of that, so its rules are not used. What the
engine made of each is in packages/release-lane/tests/settings/test_reading.py.
"""

from __future__ import annotations

import re
from math import isinf
from typing import Any

from release_lane.record.times import minute_of

_NULL = ("", "~", "null", "Null", "NULL")
_BOOL = {word: said == "true" for said in ("true", "false") for word in (said, said.title(), said.upper())}
_INT = re.compile(r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TIME = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:(?P<t>[Tt ])(?P<clock>[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(?P<part>\.[0-9]{1,9})?"
    r"(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)

OF_THE_ENGINE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)? [-+][0-9]{4} \S+")
"""What the engine makes of a date, or a time of day with a date, that is not in quotes."""


def scalar(text: str) -> Any:
    """A scalar without quotes. `ValueError` for a number that JSON does not have."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"{text} is no number that a setting can have")
    if (time := _time(text)) is not None:
        return time
    if text[0] not in "+-.0123456789":
        return text
    number = _number(text.replace("_", "") if text[0] != "." else text)
    return text if number is None else number


def _number(text: str) -> int | float | None:
    """As JSON has it: a whole one has no fraction."""
    if (found := _INT.fullmatch(text)) and -(2**63) <= (whole := _whole(text, found)) < 2**64:
        return whole
    if not _FLOAT.fullmatch(text):
        return None
    value = float(text)
    if isinf(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _whole(text: str, found: re.Match[str]) -> int:
    bases = {"hex": 16, "bin": 2, "oct": 8}
    given = [(digits, bases[name]) for name, digits in found.groupdict().items() if digits is not None]
    digits, base = given[0] if given else (text.lstrip("+-"), 10)
    return int(digits, base) * (-1 if text[0] == "-" else 1)


def _time(text: str) -> str | None:
    """In the engine's words; None for what is no time to it. A `T` needs a zone, a blank takes none."""
    found = _TIME.fullmatch(text)
    if found is None or (found["t"] in ("T", "t")) != (found["zone"] is not None):
        return None
    numbers = [int(each) for each in re.split("[-:]", f"{found['day']}-{found['clock'] or '0:0:0'}")]
    at = "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*numbers)
    if minute_of(at) is None:
        return None
    part = (found["part"] or "").rstrip("0").rstrip(".")
    zone = "+0000" if found["zone"] in (None, "Z") else found["zone"].replace(":", "")
    return f"{at}{part} {zone} {'UTC' if zone == '+0000' else zone}"
