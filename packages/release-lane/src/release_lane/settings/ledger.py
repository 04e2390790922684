"""`ledger`: where all environments of a route write what was begun and how it ended."""

from __future__ import annotations

import re
from collections.abc import Mapping

from release_lane.settings.access_logs import BUCKET
from release_lane.settings.limits import FILL_IN

PREFIX = re.compile(r"[A-Za-z0-9!_.*'()-]+(/[A-Za-z0-9!_.*'()-]+)*")
"""Characters that are safe in a key (AmazonS3/latest/userguide/object-keys.html), without a slash at the end."""

LONGEST_PREFIX = 512
"""Characters; a key has 1,024 bytes (the same page), and a name in the ledger far less than half of them."""

LONGEST_REASON = 300


def place(url: str) -> str:
    """`s3://BUCKET[/PREFIX]` or `file://FOLDER`."""
    if url.startswith("file://"):
        return "" if url.removeprefix("file://").strip("/.") else "file:// should be followed by a folder"
    if not url.startswith("s3://"):
        return "should be s3://BUCKET, s3://BUCKET/PREFIX or file://FOLDER"
    name, _, prefix = url.removeprefix("s3://").partition("/")
    if name in FILL_IN or not BUCKET.fullmatch(name):
        return "should name a bucket of 3 to 63 lower-case letters, digits, hyphens and single full stops"
    if prefix and (len(prefix) > LONGEST_PREFIX or not PREFIX.fullmatch(prefix)):
        return f"the prefix should have {LONGEST_PREFIX} letters, digits, - and _ at most, and no slash at its end"
    return ""


def reason(text: str) -> str:
    """A sentence for the ledger."""
    if text.strip() and text.isprintable() and len(text) <= LONGEST_REASON:
        return ""
    return f"should be a reason in one line of {LONGEST_REASON} characters at most"


def apart(ledgers: Mapping[str, str]) -> str:
    """What is wrong with the ledgers of all environments together ("" for none): a chain is one over all of them."""
    if len(set(ledgers.values())) < 2:
        return ""
    return ", ".join(f"{environment}: {url or 'none'}" for environment, url in sorted(ledgers.items()))
