"""What a provider's code raises, and what the person at the terminal reads.

UserError            the message alone, no traceback; the engine knows that nothing was left half done
└── Cancelled        the same, because the update was interrupted
PartialFailure       the resource exists but is not what it should be: it is kept in the state, marked
                     as failed, and the next update works on it again
anything else        a bug: type and message in the display, the traceback on stderr
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class UserError(Exception):
    """A failure that a person can act on; shown as just its message."""


class Cancelled(UserError):
    """The update was interrupted and the work was stopped."""


class PartialFailure(Exception):
    """The resource was created or changed, but did not become what it should be.

    `outputs` are merged over the resource's inputs, as the outputs of a success would be.
    """

    def __init__(self, message: str, id: str, outputs: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.message = message
        self.id = id
        self.outputs = dict(outputs)


def readable(error: Exception) -> str | None:
    """One plain sentence for an error of a library whose wording users understand, or None.

    Only botocore's errors are known here. They are recognised without importing botocore, which a
    provider that needs no AWS should not pay for.
    """
    if not any(base.__module__.startswith("botocore.") for base in type(error).__mro__):
        return None
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return f"AWS could not be asked: {error}"
    detail = response.get("Error", {})
    operation = getattr(error, "operation_name", "a call")
    return f"AWS refused {operation}: {detail.get('Message', error)} ({detail.get('Code', 'no code')})"
