"""The digest: the only name by which an image is deployed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_lane.errors import UsageError
from release_lane.record.digest import parse_digest, short

pytestmark = pytest.mark.pure

HEX = "0123456789abcdef" * 4


def test_a_digest_is_taken_as_it_is() -> None:
    assert parse_digest(f"sha256:{HEX}") == f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("latest", "it is a tag"),
        ("v1.2.3", "it is a tag"),
        ("3f786850e387550fdab836ed7e6dc881de23001b", "it is a tag"),
        (HEX, "the prefix sha256: is missing"),
        (HEX.upper(), "the prefix sha256: is missing"),
        (f"sha256:{HEX.upper()}", "lower-case hex digits"),
        (f"SHA256:{HEX}", "lower-case hex digits"),
        (f"sha256:{HEX[:-1]}", "here are 63 characters"),
        (f"sha256:{HEX}0", "here are 65 characters"),
        (f"sha256:{HEX[:-1]}g", "lower-case hex digits"),
        (f"sha256:{HEX}\n", "lower-case hex digits"),
        (f"registry.example/app@sha256:{HEX}", f"only the part after the @ is wanted: 'sha256:{HEX}'"),
        ("registry.example/app:v1", "a digest is sha256:"),
        (f"sha512:{HEX}{HEX}", "a digest is sha256:"),
        ("", "a digest is sha256:"),
    ],
)
def test_anything_else_is_refused_saying_what_it_is(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_digest(text)
    assert repr(text) in refused.value.what
    assert why in refused.value.why
    assert refused.value.next_step


@given(st.text(max_size=100))
def test_only_sha256_and_64_lower_case_hex_digits_ever_pass(text: str) -> None:
    is_digest = text[:7] == "sha256:" and len(text) == 71 and set(text[7:]) <= set("0123456789abcdef")
    try:
        parse_digest(text)
    except UsageError:
        assert not is_digest
    else:
        assert is_digest


def test_short_keeps_twelve_hex_digits() -> None:
    assert short(f"sha256:{HEX}") == "sha256:0123456789ab"
