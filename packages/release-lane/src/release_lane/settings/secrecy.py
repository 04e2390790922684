"""What looks like a secret, to be noted, refused or not shown. These are guesses: a secret without a shape passes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"(.*_)?(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|SECRET_KEY|PRIVATE_KEY)", re.IGNORECASE)

_KEY = r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----"

_VALUE = re.compile(rf"{_KEY}|://[^/\s:@]*:[^/\s@]+@")
"""An access key, a private key, a password in an address."""


def looks_secret(env: Mapping[str, str]) -> tuple[str, ...]:
    """Variables that may well be secrets: by their name, or by a value that looks like one.

    Only worth a note, since many are none.
    """
    return tuple(
        sorted(name for name, value in env.items() if value and (_NAME.fullmatch(name) or _VALUE.search(value)))
    )


_WORD = r"(?:PASSW(?:OR)?D|(?<!IDEMPOTENCY.)TOKEN|API[_-]?KEY|SECRET[_-]ACCESS[_-]KEY|CLIENT[_-]?SECRET)"

_ARGUMENT = re.compile(
    rf"{_KEY}|://[^/\s:@]*:(?![$`])[^/\s@]+@"
    rf"|(?:(?<![\w$-])\w*{_WORD}=|(?<![\w-])-{{1,2}}(?!-|no-)[\w-]*{_WORD}[= ])[\"']?"
    r"(?![\"'$`…:/\\-]|arn:|env:|file:|(?:true|false)\b)\S",
    re.IGNORECASE,
)
"""The same as arguments have it: `--password x`, `PGPASSWORD=x`. What a shell puts in from a variable is none,
and neither is a file's path."""


def holds_secret(words: Sequence[str]) -> bool:
    """Does a command look as if a secret stood in it?"""
    return bool(_ARGUMENT.search(" ".join(words)))


_ADDRESS = re.compile(r"://\S*@")
"""With a user, who may be a token: what is only shown can be judged more strictly than what is refused."""


def may_be_shown(text: str) -> bool:
    """Does it look like no secret, as a whole?"""
    return not (_ADDRESS.search(text) or _ARGUMENT.search(text))


def concealed(message: str) -> str:
    """Without what in it looks like one: a rule's own words may repeat what they speak of."""
    return _REST.sub("…", _ADDRESS.sub("://…@", message))


_REST = re.compile(f"(?:{_ARGUMENT.pattern}).*", re.IGNORECASE | re.DOTALL)
