"""A provider served in this process, spoken to with the message classes and stubs that `pulumi` ships."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format
from provider_kit import Provider
from provider_kit.server import start
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from tests.patience import PATIENCE

URN = "urn:pulumi:dev::project::pkg:index:Parent$test:index:Marker::mark"
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def secret(value: Any) -> dict[str, Any]:
    """A secret as it is on the wire."""
    return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": value}


@dataclass(unsafe_hash=True)
class Refusal(Exception):
    """An error as the engine gets it. `kept` is the resource's state where one came along."""

    code: grpc.StatusCode
    message: str
    kept: Any = None


class FakeEngine(engine_pb2_grpc.EngineServicer):  # type: ignore[misc]
    """The part of the engine that providers call: it collects log messages."""

    def __init__(self) -> None:
        self.logged: SimpleQueue[Any] = SimpleQueue()

    def Log(self, request: Any, _context: Any) -> Any:
        self.logged.put(request)
        return empty_pb2.Empty()


@contextmanager
def fake_engine() -> Iterator[tuple[FakeEngine, str]]:
    """A FakeEngine on loopback, and its address."""
    engine = FakeEngine()
    server = grpc.server(ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield engine, f"127.0.0.1:{port}"
    finally:
        server.stop(None)


@dataclass(frozen=True)
class Client:
    """The engine's side of the protocol, in plain values."""

    stub: Any
    channel: Any = field(repr=False)

    @classmethod
    def to(cls, port: int) -> Client:
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        return cls(provider_pb2_grpc.ResourceProviderStub(channel), channel)

    def call(self, method: str, message: str, **fields: Any) -> Any:
        """Send `message` with `fields` (dictionaries become Structs). Raises Refusal."""
        request = getattr(provider_pb2, message)()
        for name, value in fields.items():
            if isinstance(value, Mapping):
                getattr(request, name).update(value)
                getattr(request, name).SetInParent()
            elif isinstance(value, list):
                getattr(request, name).extend(value)
            else:
                setattr(request, name, value)
        try:
            return getattr(self.stub, method)(request, timeout=PATIENCE)
        except grpc.RpcError as error:
            raise _refusal(error) from None

    def configure(self, **args: Any) -> Any:
        return self.call("Configure", "ConfigureRequest", args=args, acceptSecrets=True)

    def check(self, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None, **more: Any) -> Any:
        return self.call("Check", "CheckRequest", **{"urn": URN} | more, news=news, olds=olds or {})

    def create(self, properties: Mapping[str, Any], **more: Any) -> Any:
        return self.call("Create", "CreateRequest", **{"urn": URN} | more, properties=properties)

    def diff(self, old: Mapping[str, Any], news: Mapping[str, Any], **more: Any) -> Any:
        given = {"urn": URN, "id": "m-1", "olds": old} | more
        return self.call("Diff", "DiffRequest", **given, old_inputs=old, news=news)

    def update(self, old: Mapping[str, Any], news: Mapping[str, Any], **more: Any) -> Any:
        given = {"urn": URN, "id": "m-1", "olds": old} | more
        return self.call("Update", "UpdateRequest", **given, old_inputs=old, news=news)

    def read(self, id: str, properties: Mapping[str, Any], inputs: Mapping[str, Any], **more: Any) -> Any:
        given = {"urn": URN} | more
        return self.call("Read", "ReadRequest", **given, id=id, properties=properties, inputs=inputs)

    def delete(self, properties: Mapping[str, Any], **more: Any) -> Any:
        given = {"urn": URN, "id": "m-1"} | more
        return self.call("Delete", "DeleteRequest", **given, properties=properties, old_inputs=properties)

    def cancel(self) -> None:
        self.stub.Cancel(empty_pb2.Empty())


@contextmanager
def served(provider: Provider, engine: str = "") -> Iterator[Client]:
    """`provider` on loopback, not yet configured."""
    server, port, _ = start(provider, engine)
    client = Client.to(port)
    try:
        yield client
    finally:
        client.channel.close()
        server.stop(None)


def plain(struct: Any) -> dict[str, Any]:
    """A Struct as plain values, secrets and unknowns as they are on the wire."""
    values = json.loads(json_format.MessageToJson(struct))
    assert isinstance(values, dict)
    return values


def _refusal(error: Any) -> Refusal:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            kept = provider_pb2.ErrorResourceInitFailed()
            status_pb2.Status.FromString(value).details[0].Unpack(kept)
            return Refusal(error.code(), error.details(), kept)
    return Refusal(error.code(), error.details())
