"""What our services of AWS's query protocol share: form-encoded parameters in, XML out, and whose request it is.

A service is a `QueryApi` with its namespace and the class that reads its parameters; `handle_request` is what ministack
calls.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode

from local_aws.emulator.wire import Items, Response, ServiceError, query_error, query_response

CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([a-z0-9-]+)/")
ACCOUNT, REGION = "000000000000", "us-east-1"


@dataclass(frozen=True)
class Scope:
    account: str
    region: str


def scope_of(headers: Mapping[str, str]) -> Scope:
    """Account and region from the signature: an access key of 12 digits is an account, as everywhere in ministack."""
    lower = {key.lower(): value for key, value in headers.items()}
    found = CREDENTIAL.search(lower.get("authorization", ""))
    if found is None:
        return Scope(ACCOUNT, REGION)
    key, region = found.groups()
    return Scope(key if re.fullmatch(r"\d{12}", key) else ACCOUNT, region)


Tree: TypeAlias = "str | dict[str, Tree]"


def parse(body: str) -> dict[str, Tree]:
    """The flat parameters `A.member.1.B=x` as {"A": {"member": {"1": {"B": "x"}}}}. Keys that contradict each other:
    the last one stays."""
    tree: dict[str, Tree] = {}
    for key, value in parse_qsl(body, keep_blank_values=True):
        *folders, leaf = key.split(".")
        here = tree
        for folder in folders:
            inner = here.get(folder)
            if not isinstance(inner, dict):
                inner = here[folder] = {}
            here = inner
        here[leaf] = value
    return tree


Members = TypeVar("Members")
Taken = TypeVar("Taken", contravariant=True)


class Performs(Protocol[Taken]):
    """A service."""

    def perform(self, action: str, members: Taken, scope: Scope, /) -> Mapping[str, Any]:
        """One API action; its answer. Raises ServiceError."""


class QueryApi(Generic[Members]):
    """The HTTP side of one service, the package `name`; its namespace ends with the API's version."""

    def __init__(self, title: str, name: str, namespace: str, read: Callable[[Mapping[str, Tree]], Members]) -> None:
        self._title, self._name, self._namespace, self._read = title, name, namespace, read
        self._version = namespace.rstrip("/").rpartition("/")[2]
        self._log = logging.getLogger(name)
        self._service: Performs[Members] | None = None

    def attach(self, service: Performs[Members] | None) -> None:
        """The service that answers from now on."""
        self._service = service

    async def handle_request(
        self, _method: str, _path: str, headers: Mapping[str, str], body: bytes | str, query_params: Mapping[str, Any]
    ) -> Response:
        """ministack's signature. In a thread, because a change waits for others: a load balancer, EC2."""
        service = self._service
        if service is None:
            raise RuntimeError(f"{self._title} is not started: call local_aws.emulator.{self._name}.start() first")
        text = body.decode() if isinstance(body, bytes) else body
        form = text or urlencode(query_params, doseq=True)
        return await asyncio.to_thread(self.answer, service, form, scope_of(headers))

    def answer(self, service: Performs[Members], form: str, scope: Scope) -> Response:
        """The response to a form-encoded request."""
        members = parse(form)
        action, version = str(members.pop("Action", "")), members.pop("Version", self._version)
        try:
            if version != self._version:
                why = f"Version {version} of the API is not served: only {self._version} is"
                raise ServiceError("InvalidAction", why)
            return query_response(action, service.perform(action, self._read(members), scope), self._namespace)
        except ServiceError as error:
            return query_error(error, self._namespace)
        except Exception as error:
            self._log.exception("%s failed", action)
            return query_error(ServiceError("InternalFailure", f"{action} failed: {error!r}", 500), self._namespace)


# ---------------------------------------------------------------- parameters and answers of RDS and ElastiCache


def invalid(message: str) -> ServiceError:
    """A value that AWS does not take."""
    return ServiceError("InvalidParameterValue", message)


class Given:
    """The members of a request. An empty one is absent, as botocore sends an empty list as ''."""

    def __init__(self, members: Mapping[str, Tree]) -> None:
        self._members = {name: value for name, value in members.items() if value != ""}

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def only(self, *known: str) -> None:
        """Refuse what the local cloud would not honour, instead of dropping it silently."""
        for name in self._members:
            if name not in known:
                raise ServiceError("InvalidParameterCombination", f"The local cloud does not carry {name}.")

    def text(self, name: str, default: str = "") -> str:
        value = self._members.get(name, default)
        return value if isinstance(value, str) else default

    def required(self, name: str) -> str:
        if value := self.text(name):
            return value
        raise ServiceError("MissingParameter", f"The request must contain the parameter {name}.")

    def number(self, name: str, default: int, low: int, high: int) -> int:
        text = self.text(name, str(default))
        if not re.fullmatch(r"-?\d{1,9}", text) or not low <= int(text) <= high:
            raise invalid(f"Invalid value for {name}: {text}. It must be between {low} and {high}.")
        return int(text)

    def flag(self, name: str, default: bool = False) -> bool:
        text = self.text(name, str(default).lower())
        if text not in ("true", "false"):
            raise invalid(f"Invalid value for {name}: {text} is not a boolean.")
        return text == "true"

    def texts(self, name: str, item: str) -> tuple[str, ...]:
        return tuple(each for each in self._items(name, item) if isinstance(each, str))

    def structs(self, name: str, item: str) -> tuple[Given, ...]:
        return tuple(Given(each) for each in self._items(name, item) if isinstance(each, dict))

    def tags(self) -> dict[str, str]:
        return {each.required("Key"): each.text("Value") for each in self.structs("Tags", "Tag")}

    def _items(self, name: str, item: str) -> list[Tree]:
        """Both spellings of a list are taken, with the item's name and with `member`."""
        found = self._members.get(name)
        inner = (found.get(item) or found.get("member")) if isinstance(found, dict) else None
        if not isinstance(inner, dict):
            return []
        return [inner[key] for key in sorted(filter(str.isdecimal, inner), key=int)]


def tag_items(tags: Mapping[str, str]) -> Items:
    return Items("Tag", [{"Key": key, "Value": value} for key, value in tags.items()])


def time_text(seconds: float) -> str:
    """Of epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
