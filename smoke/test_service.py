"""Does the service do its job? Replace these with a few checks of the features that your users need."""

from typing import Any

import pytest


def test_an_unknown_path_gives_404(site: Any) -> None:
    answer = site.get("/no-such-path-for-smoke-checks")
    assert answer.status_code == 404, f"GET {answer.url}: got status {answer.status_code}, expected 404"


# Published values for the three bytes "abc" (FIPS 180-4, FIPS 202), not computed here: the same mistake
# must not be possible on both sides.
@pytest.mark.parametrize(
    ("algorithm", "checksum"),
    [
        ("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha3-256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
    ],
    ids=["sha256", "sha3-256"],
)
def test_it_computes_checksums(site: Any, algorithm: str, checksum: str) -> None:
    answer = site.post("/api/v1/checksums", b"abc", algorithm=algorithm)
    assert answer.status_code == 200, f"POST {answer.url}: got status {answer.status_code}, expected 200"
    got = answer.json().get("checksum")
    assert got == checksum, f"checksum of 'abc' by POST {answer.url}: got {got!r}, expected {checksum!r}"


def test_it_says_which_algorithms_it_knows(site: Any) -> None:
    answer = site.post("/api/v1/checksums", b"abc", algorithm="rot13")
    assert answer.status_code == 400, f"POST {answer.url}: got status {answer.status_code}, expected 400"
    assert "sha256" in answer.text, f"POST {answer.url}: got {answer.text!r}, expected the names it supports"
