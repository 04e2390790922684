"""How long gates and command retry calls to AWS, and the error when AWS never did what was asked.

botocore decides what is worth another try (throttling, 5xx, broken connections, time-outs) and how long to pause
(exponential back-off with jitter). This module keeps the time: one call may take `Patience.seconds` in all, whatever
the number of tries; an interrupt of the update ends a pause at once; a call that never succeeded raises a `CloudError`
that names the call, the tries and the time. Its `unclear` is true if a try may have taken effect all the same.

Sources: botocore's retry handlers (`botocore.retries.standard`) and its `needs-retry` event; the error codes
ExpiredToken and RequestExpired of AWS's common errors.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from release_lane.errors import CloudError, Interrupted, UsageError

INTERRUPTED = threading.Event()
"""Set when the update that this process serves is interrupted. From then on only insisting calls are retried."""

SECONDS_VARIABLE = "RELEASE_LANE_AWS_PATIENCE"
DEFAULT_SECONDS = 45.0
MOST_SECONDS = 3600.0
LONGEST_PAUSE = 5
"""Seconds between two tries at most, so that a cloud that answers again is noticed soon."""
CONNECT_WITHIN, ANSWER_WITHIN = 3.0, 10.0
"""Seconds that one try may take to connect, and then to be answered."""

SPARED_WITHIN = 10.0
"""Seconds for what a way back asks about and can do without."""

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
SURELY_NOT_DONE = frozenset({"ConnectTimeoutError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"})
"""botocore's errors after which the request never reached AWS."""

_MOST_TRIES = 1000
_KEY = "release-lane"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Seconds that one call may take in all, and at most that one try may wait for its answer. `insists`: it is retried
    even after the update was interrupted."""

    seconds: float
    answer_within: float = ANSWER_WITHIN
    insists: bool = False

    @staticmethod
    def configured() -> Patience:
        """`RELEASE_LANE_AWS_PATIENCE`, or what docs/aws.md says; `UsageError` for what is no such time."""
        text = os.environ.get(SECONDS_VARIABLE, "").strip()
        return Patience(seconds=_seconds(text) if text else DEFAULT_SECONDS)

    @property
    def timeouts(self) -> tuple[float, float]:
        """Seconds to connect and to be answered, short enough for several tries."""
        return min(CONNECT_WITHIN, self.seconds / 4), min(self.answer_within, self.seconds / 4)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0 < seconds <= MOST_SECONDS:
        return seconds
    raise UsageError(
        f"The variable {SECONDS_VARIABLE} should be seconds, more than 0 and at most {MOST_SECONDS:.0f}, not {text!r}.",
        why="it says for how long a call of AWS is tried again",
        next_step=f"set it to a number without a unit, such as 60, or unset it ({DEFAULT_SECONDS:.0f}).",
    )


_CURRENT: ContextVar[Patience | None] = ContextVar("patience", default=None)


def current() -> Patience:
    """The patience of calls in this thread now."""
    return _CURRENT.get() or Patience.configured()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Inside, no call is retried for longer than this."""
    now = current()
    with held(replace(now, seconds=min(now.seconds, seconds))):
        yield


@contextmanager
def insisting() -> Iterator[None]:
    """Inside, calls are retried although the update was interrupted: traffic is being rolled back."""
    with held(replace(current(), insists=True)):
        yield


@contextmanager
def held(patience: Patience) -> Iterator[None]:
    """Inside, calls of this thread have this patience."""
    token = _CURRENT.set(patience)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@dataclass
class _Call:
    """One call with all its tries."""

    begun: float
    patience: Patience
    unclear: bool = False
    renewed: bool = False


class Retries:
    """Attached to a client: decides after each failed try whether and when to try again."""

    def __init__(self, credentials: Any) -> None:
        """`credentials` are botocore's. If AWS says that they expired, they are renewed once a call, if they can be."""
        from botocore.retries import standard

        self._credentials = credentials
        self._adapter = standard.RetryEventAdapter()
        self._worth_it = standard.StandardRetryConditions(max_attempts=_MOST_TRIES)
        self._backoff = standard.ExponentialBackoff(
            max_backoff=LONGEST_PAUSE, throttling_detector=standard.ThrottlingErrorDetector(self._adapter)
        )

    def attach(self, client: Any) -> None:
        """Listen to this client's events, before botocore's own handler of them."""
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register_first(f"before-call.{service}", self._begin)
        client.meta.events.register_first(f"needs-retry.{service}", self._again)

    def _begin(self, params: Any, **_: Any) -> None:
        params["context"][_KEY] = _Call(begun=time.monotonic(), patience=current())

    def _again(self, **event: Any) -> float | None:
        """The event's answer: None to stop trying, or the seconds that botocore should still sleep (0: we have)."""
        call: _Call = event["request_dict"]["context"][_KEY]
        tried = self._adapter.create_retry_context(**event)
        if tried.get_error_code() in EXPIRED:
            return self._renewed(call, event["operation"], tried)
        if not self._worth_it.is_retryable(tried):
            return None
        call.unclear = call.unclear or _may_be_done(tried)
        pause = self._backoff.delay_amount(tried)
        if time.monotonic() - call.begun + pause > call.patience.seconds:
            raise _in_vain(call, event["operation"], tried)
        _wait(pause, call, event["operation"])
        return 0

    def _renewed(self, call: _Call, operation: Any, tried: Any) -> float:
        from botocore.credentials import RefreshableCredentials

        if call.renewed or not isinstance(self._credentials, RefreshableCredentials):
            raise _expired(operation, tried)
        call.renewed = True
        self._credentials._expiry_time = datetime.datetime.now(datetime.UTC)  # type: ignore[attr-defined]
        return 0


def _wait(pause: float, call: _Call, operation: Any) -> None:
    if call.patience.insists:
        time.sleep(pause)
    elif INTERRUPTED.wait(pause):
        raise Interrupted(f"Interrupted while waiting for AWS ({name_of(operation)}).")


def _may_be_done(tried: Any) -> bool:
    """May this try have taken effect, judging by its failure?"""
    if tried.caught_exception is not None:
        return type(tried.caught_exception).__name__ not in SURELY_NOT_DONE
    return tried.http_response is not None and tried.http_response.status_code >= 500


def name_of(operation: Any) -> str:
    """`elasticloadbalancing:ModifyRule`, as IAM writes it."""
    return f"{operation.service_model.signing_name}:{operation.name}"


def _failure(tried: Any) -> str:
    if tried.caught_exception is not None:
        return str(tried.caught_exception)
    return refusal(tried.parsed_response or {}) or f"HTTP status {tried.http_response.status_code}"


def refusal(answer: Mapping[str, Any]) -> str:
    """AWS's own words in an answer that is an error: `Rate exceeded (ThrottlingException)`."""
    error = answer.get("Error") or {}
    return f"{error.get('Message') or 'no message'} ({error['Code']})" if error.get("Code") else ""


def _in_vain(call: _Call, operation: Any, tried: Any) -> CloudError:
    spent, tries = time.monotonic() - call.begun, tried.attempt_number
    error = CloudError(
        f"AWS did not do {name_of(operation)} within {spent:.0f} s ({tries} {'try' if tries == 1 else 'tries'}).",
        why=f"the last answer was: {_failure(tried)}",
        next_step="run the update again when AWS answers; local cloud: `local-aws status`, then `local-aws up`.",
    )
    error.unclear = call.unclear
    return error


def _expired(operation: Any, tried: Any) -> CloudError:
    return CloudError(
        f"The AWS credentials expired: {name_of(operation)} was refused.",
        why=_failure(tried),
        next_step="get fresh credentials, then run the update again.",
    )
