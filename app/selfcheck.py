"""Does the service still compute what it promises? Decides `status` in /api/v1/status, never /health."""

from app.checksums import SUPPORTED_ALGORITHMS

# Published test vectors (FIPS 180-4, FIPS 202): the first 16 hex digits for the three bytes "abc".
CHECKSUMS_OF_ABC = {
    "sha256": "ba7816bf8f01cfea",
    "sha512": "ddaf35a193617aba",
    "sha3-256": "3a985da74fe225b2",
}


def problems() -> list[str]:
    """One sentence for each algorithm that is missing or wrong; empty when all is well."""
    computed = {name: make(b"abc").hexdigest()[:16] for name, make in SUPPORTED_ALGORITHMS.items()}
    wrong = {name for name, _ in computed.items() ^ CHECKSUMS_OF_ABC.items()}
    return [
        f"{name} of 'abc' begins with {computed.get(name)}, should be {CHECKSUMS_OF_ABC.get(name)}"
        for name in sorted(wrong)
    ]
