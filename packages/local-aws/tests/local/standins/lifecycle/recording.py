"""Clients of the emulator that note each call, and can be made to fail one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from local_aws.standins.aws.door import botocore_client

READING = ("describe_", "get_", "list_")


@cache
def _shared(service: str, region: str, endpoint: str) -> Any:
    return botocore_client(service, region, {"endpoint": endpoint, "key": "test", "secret": "test", "token": ""})


@dataclass
class Calls:
    """What was called, in order. `refuse` is asked before each call, with its name and those of before; `answer` may
    change what is answered."""

    made: list[str] = field(default_factory=list)
    refuse: Callable[[str, list[str]], ClientError | None] = lambda _name, _before: None
    answer: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _name, answer: answer

    def client(self, service: str, region: str, access: Mapping[str, str]) -> Any:
        """For a Door."""
        return _Recorded(_shared(service, region, access["endpoint"]), self)

    @property
    def changes(self) -> list[str]:
        return [name for name in self.made if not name.startswith(READING)]


class _Recorded:
    def __init__(self, client: Any, calls: Calls) -> None:
        self._client, self._calls = client, calls

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            error = self._calls.refuse(operation, list(self._calls.made))
            self._calls.made.append(operation)
            if error is not None:
                raise error
            return self._calls.answer(operation, getattr(self._client, operation)(**arguments))

        return call


def trouble(operation: str, code: str = "InternalFailure", message: str = "out of order") -> ClientError:
    """An error as AWS answers it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def after_the_first_change(name: str, before: list[str]) -> ClientError | None:
    """AWS takes the first call that changes something, and answers nothing any more from then on."""
    return trouble(name) if any(not one.startswith(READING) for one in before) else None
