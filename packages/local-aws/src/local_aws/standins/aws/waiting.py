"""Waiting for AWS: until something has become so, or while it still refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Any

from provider_kit import Context, UserError

from local_aws.standins.aws.door import error_code, is_gone

PAUSE = 0.2  # seconds between two looks


def until(ctx: Context, what: str, seconds: float, done: Callable[[], bool]) -> None:
    """Look until `done()`. UserError after `seconds` (or the resource's own timeout), naming `what`."""
    limit = ctx.timeout or seconds
    end = time.monotonic() + limit
    while not done():
        if time.monotonic() > end:
            raise UserError(f"{what}: not after {limit:g} seconds")
        ctx.wait(PAUSE, what)


def while_in_use(
    ctx: Context, seconds: float, codes: Collection[str], call: Callable[..., Any], **arguments: Any
) -> None:
    """Call again while AWS answers one of `codes`, at most `seconds` long; the last error is raised.

    What depended on the thing has been deleted before, but AWS may not have noticed yet. Gone is success.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            call(**arguments)
            return
        except Exception as error:
            if is_gone(error):
                return
            if error_code(error) not in codes or time.monotonic() > end:
                raise
        ctx.wait(PAUSE, "the deletion")
