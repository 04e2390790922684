"""CBOR, as far as AWS's Smithy RPC v2 protocol needs it: what boto3 of today sends to CloudWatch. Pure.

https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html, RFC 8949
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
EPOCH = 1  # the tag of a time in seconds
INDEFINITE = 31
BREAK = object()


class Moment(float):
    """Seconds since the epoch. A type of its own, because each protocol writes times differently from numbers."""


class Malformed(ValueError):
    """Not CBOR, or of a kind that the protocol does not use."""


def encode(value: Any) -> bytes:
    match value:
        case Moment():
            return _head(TAG, EPOCH) + _double(float(value))
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value)
        case float():
            return _double(value)
        case str():
            text = value.encode()
            return _head(TEXT, len(text)) + text
        case bytes():
            return _head(BYTES, len(value)) + value
        case Mapping():
            pairs = b"".join(encode(str(key)) + encode(inner) for key, inner in value.items())
            return _head(MAP, len(value)) + pairs
        case Sequence():
            return _head(ARRAY, len(value)) + b"".join(encode(inner) for inner in value)
    raise TypeError(f"{type(value).__name__} has no CBOR form here")


def _double(value: float) -> bytes:
    return b"\xfb" + struct.pack(">d", value)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise TypeError(f"{number} is too large for CBOR")


def decode(data: bytes) -> Any:
    """The one value that `data` holds, times as Moment. Raises Malformed."""
    reader = _Reader(data)
    value = reader.item()
    if value is BREAK or reader.rest:
        raise Malformed("there is something after the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def rest(self) -> int:
        return len(self._data) - self._at

    def _take(self, size: int) -> bytes:
        if size > self.rest:
            raise Malformed("it ends too early")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def item(self) -> Any:
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == SIMPLE:
            return self._simple(info)
        if info == INDEFINITE:
            return self._indefinite(major)
        number = self._number(info)
        match major:
            case 0:
                return number
            case 1:
                return -1 - number
            case 2:
                return self._take(number)
            case 3:
                return self._text(number)
            case 4:
                return [self._inner() for _ in range(number)]
            case 5:
                return {self._key(): self._inner() for _ in range(number)}
            case _:
                return self._tagged(number)

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise Malformed(f"length of kind {info}")
        return int.from_bytes(self._take(1 << info - 24), "big")

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise Malformed("a text is not UTF-8") from error

    def _inner(self) -> Any:
        value = self.item()
        if value is BREAK:
            raise Malformed("a break where a value belongs")
        return value

    def _key(self) -> str:
        key = self._inner()
        if not isinstance(key, str):
            raise Malformed("a key is no text")
        return key

    def _tagged(self, tag: int) -> Any:
        value = self._inner()
        if tag != EPOCH:
            return value
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise Malformed("a time is no number")
        return Moment(value)

    def _indefinite(self, major: int) -> Any:
        if major not in (BYTES, TEXT, ARRAY, MAP):
            raise Malformed(f"kind {major} has no indefinite length")
        items: list[Any] = []
        while (value := self.item()) is not BREAK:
            items.append(value)
        try:
            match major:
                case 2:
                    return b"".join(items)
                case 3:
                    return "".join(items)
                case 4:
                    return items
                case _:
                    return dict(zip(items[::2], items[1::2], strict=True))
        except (TypeError, ValueError) as error:
            raise Malformed("parts of an indefinite value do not fit") from error

    def _simple(self, info: int) -> Any:
        match info:
            case 20 | 21:
                return info == 21
            case 22 | 23:
                return None
            case 25:
                return float(struct.unpack(">e", self._take(2))[0])
            case 26:
                return float(struct.unpack(">f", self._take(4))[0])
            case 27:
                return float(struct.unpack(">d", self._take(8))[0])
            case 31:
                return BREAK
        raise Malformed(f"simple value {info}")
