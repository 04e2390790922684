"""Checksums of a stream that need not fit into memory."""

import hashlib
from collections.abc import AsyncIterable

SUPPORTED_ALGORITHMS = {
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "sha3-256": hashlib.sha3_256,
}


async def checksum(chunks: AsyncIterable[bytes], algorithm: str) -> tuple[int, str]:
    """(bytes read, checksum in hex); KeyError for an algorithm that is not supported."""
    state, size = SUPPORTED_ALGORITHMS[algorithm](), 0
    async for chunk in chunks:
        size += len(chunk)
        state.update(chunk)
    return size, state.hexdigest()
