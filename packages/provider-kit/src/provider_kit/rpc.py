"""The engine's requests, turned into calls on a `Provider`'s resources, and their results into answers."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2

from provider_kit.diffs import Change, structural
from provider_kit.errors import PartialFailure, UserError, readable
from provider_kit.resource import Context, Provider, Resource, Severity, State
from provider_kit.stubs import engine_pb2, plugin_pb2, provider_pb2, status_pb2
from provider_kit.values import Path, Props, decode, encode, revealing

MESSAGE_LIMIT = 400 * 1024 * 1024  # bytes; the engine's own
LOG_TIMEOUT = 2.0  # seconds; a display that hangs must not hold up the work


class EngineLog:
    """Sends messages to the engine's display. Silent when there is no engine to send to."""

    def __init__(self, address: str) -> None:
        self._send: Callable[..., Any] | None = None
        if address:
            channel = grpc.insecure_channel(address)
            self._send = channel.unary_unary(
                "/pulumirpc.Engine/Log",
                request_serializer=engine_pb2.LogRequest.SerializeToString,
                response_deserializer=empty_pb2.Empty.FromString,
            )

    def __call__(self, text: str, urn: str, *, severity: Severity, ephemeral: bool) -> None:
        if self._send is None:
            return
        level = {"info": engine_pb2.INFO, "warning": engine_pb2.WARNING}[severity]
        request = engine_pb2.LogRequest(severity=level, message=text, urn=urn, ephemeral=ephemeral)
        try:
            self._send(request, timeout=LOG_TIMEOUT)
        except grpc.RpcError:
            return  # the engine is ending or has ended: no reader is left


class Active:
    """Counts the requests at work, so that an ending process can let them finish."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    @contextmanager
    def one(self) -> Iterator[None]:
        with self._changed:
            self._count += 1
        try:
            yield
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Whether no request is at work, waiting at most `seconds` for that."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, seconds)


class Servicer:
    """One provider, served. Each public method answers the engine's request of the same name."""

    def __init__(self, provider: Provider, engine_address: str, cancelled: threading.Event | None = None) -> None:
        self.provider = provider
        self.cancelled = cancelled or threading.Event()
        self.active = Active()
        self._log = EngineLog(engine_address)
        self._config: Props = {}

    def methods(self) -> dict[str, tuple[Callable[[Any], Any], Any]]:
        """Request name -> (what answers it, the request's message class). All others are unimplemented."""
        pb = provider_pb2
        return {
            "Handshake": (self.handshake, pb.ProviderHandshakeRequest),
            "GetPluginInfo": (self.plugin_info, empty_pb2.Empty),
            "Attach": (self.attach, plugin_pb2.PluginAttach),
            "CheckConfig": (self.check_config, pb.CheckRequest),
            "DiffConfig": (self.diff_config, pb.DiffRequest),
            "Configure": (self.configure, pb.ConfigureRequest),
            "Cancel": (self.cancel, empty_pb2.Empty),
            "Invoke": (self.invoke, pb.InvokeRequest),
            "Check": (self.check, pb.CheckRequest),
            "Diff": (self.diff, pb.DiffRequest),
            "Create": (self.create, pb.CreateRequest),
            "Read": (self.read, pb.ReadRequest),
            "Update": (self.update, pb.UpdateRequest),
            "Delete": (self.delete, pb.DeleteRequest),
        }

    # --- the provider as a whole -------------------------------------------------------------------

    def handshake(self, request: Any) -> Any:
        del request
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def plugin_info(self, request: Any) -> Any:
        del request
        return plugin_pb2.PluginInfo(version=self.provider.version)

    def attach(self, request: Any) -> Any:
        self._log = EngineLog(request.address)
        return empty_pb2.Empty()

    def check_config(self, request: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def diff_config(self, request: Any) -> Any:
        old, _ = decode(request.old_inputs)
        new, _ = decode(request.news)
        changes = structural(old | {"version": None}, new | {"version": None})
        return _diff_response(changes, old.keys() | new.keys(), delete_before_replace=False)

    def configure(self, request: Any) -> Any:
        raw, _ = decode(request.args)
        self._config = {key: _configured(value) for key, value in raw.items()}
        if self.provider.configure is not None:
            self.provider.configure(self._config)
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def cancel(self, request: Any) -> Any:
        del request
        self.cancelled.set()
        return empty_pb2.Empty()

    def invoke(self, request: Any) -> Any:
        function = self.provider.functions.get(request.tok)
        if function is None:
            raise UserError(self._missing("function", request.tok))
        args, secrets = decode(request.args)
        result = function(self._context(request, type=request.tok), args)
        secrets |= {(name,) for name in self.provider.secret_results.get(request.tok, ())}
        response = provider_pb2.InvokeResponse()
        encode(result, getattr(response, "return"), secrets)
        return response

    # --- resources -----------------------------------------------------------------------------------

    def check(self, request: Any) -> Any:
        resource = self._resource(request)
        news, secrets = decode(request.news)
        olds, _ = decode(request.olds)
        context = self._context(request, random_seed=request.randomSeed)
        inputs, problems = resource.check(context, news, olds or None)
        failures = [provider_pb2.CheckFailure(property=name, reason=why) for name, why in problems]
        return provider_pb2.CheckResponse(inputs=_struct(inputs, secrets), failures=failures)

    def diff(self, request: Any) -> Any:
        resource = self._resource(request)
        old, _ = _state(request, request.olds)
        inputs, _ = decode(request.news)
        ignore = list(request.ignoreChanges)
        context = self._context(request, ignore=ignore)
        changes = resource.diff(context, old, inputs, ignore)
        first = resource.deletes_first(context, old, inputs)
        return _diff_response(changes, old.inputs.keys() | inputs.keys(), first)

    def create(self, request: Any) -> Any:
        resource = self._resource(request)
        context = self._context(request, timeout=request.timeout)
        inputs, marked = decode(request.properties)
        secrets = _with_outputs(marked, resource)
        if request.preview:
            outputs = resource.preview(context, inputs, None)
            return provider_pb2.CreateResponse(properties=_hiding(outputs, secrets, inputs))
        with _partial(inputs, secrets):
            id, outputs = resource.create(context, inputs)
        return provider_pb2.CreateResponse(id=id, properties=_hiding(inputs | outputs, secrets, inputs))

    def update(self, request: Any) -> Any:
        resource = self._resource(request)
        context = self._context(request, timeout=request.timeout, ignore=list(request.ignoreChanges))
        inputs, marked = decode(request.news)
        old, kept_secrets = _state(request, request.olds)
        kept = resource.kept(old)
        secrets = _with_outputs(marked, resource) | {path for path in kept_secrets if path[0] in kept}
        if request.preview:
            outputs = resource.preview(context, inputs, old)
            return provider_pb2.UpdateResponse(properties=_hiding(outputs, secrets, inputs))
        with _partial(kept | inputs, secrets):
            outputs = resource.update(context, old, inputs)
        return provider_pb2.UpdateResponse(properties=_hiding(kept | inputs | outputs, secrets, inputs))

    def read(self, request: Any) -> Any:
        resource = self._resource(request)
        props, secret_props = decode(request.properties)
        inputs, secret_inputs = decode(request.inputs)
        found = resource.read(self._context(request, timeout=request.timeout), request.id, props, inputs)
        if found is None:
            return provider_pb2.ReadResponse()
        outputs, live_inputs = found
        secrets = _with_outputs(secret_props | secret_inputs, resource)
        return provider_pb2.ReadResponse(
            id=outputs.get("id", request.id),
            properties=_struct(_without_id(outputs), secrets | revealing(_without_id(outputs), inputs, secret_inputs)),
            inputs=_struct(live_inputs, secret_inputs),
        )

    def delete(self, request: Any) -> Any:
        resource = self._resource(request)
        state, _ = _state(request, request.properties)
        resource.delete(self._context(request, timeout=request.timeout), state)
        return empty_pb2.Empty()

    # --- helpers -------------------------------------------------------------------------------------

    def _resource(self, request: Any) -> Resource:
        token = _type(request)
        resource = self.provider.resources.get(token)
        if resource is None:
            raise UserError(self._missing("resource type", token))
        return resource

    def _missing(self, what: str, token: str) -> str:
        text = f"{what} {token} is not served by {self.provider.name} {self.provider.version}"
        return f"{text}: {self.provider.note}" if self.provider.note else text

    def _context(self, request: Any, **more: Any) -> Context:
        urn = getattr(request, "urn", "")
        return Context(
            config=self._config,
            cancelled=self.cancelled,
            log=self._log,
            urn=urn,
            name=urn.rpartition("::")[2],
            **({"type": _type(request)} | more if urn else more),
        )


def _type(request: Any) -> str:
    """`urn:pulumi:stack::project::parent$aws:ecs/service:Service::name` -> `aws:ecs/service:Service`."""
    return str(request.type or request.urn.split("::")[2].rpartition("$")[2])


def _state(request: Any, outputs: Any) -> tuple[State, frozenset[Path]]:
    inputs, _ = decode(request.old_inputs)
    props, secrets = decode(outputs)
    return State(request.id, inputs, props), secrets


def _with_outputs(secrets: frozenset[Path], resource: Resource) -> frozenset[Path]:
    return secrets | {(name,) for name in resource.secret_outputs}


def _without_id(outputs: Props) -> Props:
    return {name: value for name, value in outputs.items() if name != "id"}


def _struct(props: Props, secrets: frozenset[Path]) -> Any:
    return encode(props, provider_pb2.CreateRequest().properties, secrets)


def _hiding(outputs: Props, secrets: frozenset[Path], known: Props) -> Any:
    """`outputs` for the wire, with every value that is secret in `known` kept secret under any name."""
    return _struct(outputs, secrets | revealing(outputs, known, secrets))


def _configured(value: Any) -> Any:
    """Nested configuration arrives as JSON text. Numbers stay text: an account id is not a number."""
    if isinstance(value, str) and (value[:1] in ("{", "[") or value in ("true", "false")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


_KINDS: Mapping[tuple[str, bool], str] = {
    (kind, replace): kind.upper() + ("_REPLACE" if replace else "")
    for kind in ("add", "delete", "update")
    for replace in (False, True)
}


def _diff_response(changes: list[Change], inputs: Any, delete_before_replace: bool) -> Any:
    pb = provider_pb2
    if not changes:
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_NONE)
    detailed = {
        # inputDiff: the display compares old and new inputs; else the old outputs with the new inputs
        change.path: pb.PropertyDiff(
            kind=pb.PropertyDiff.Kind.Value(_KINDS[change.kind, change.replace]),
            inputDiff=change.top in inputs,
        )
        for change in changes
    }
    replaces = sorted({change.top for change in changes if change.replace})
    return pb.DiffResponse(
        changes=pb.DiffResponse.DIFF_SOME,
        diffs=sorted({change.top for change in changes}),
        replaces=replaces,
        deleteBeforeReplace=delete_before_replace and bool(replaces),
        detailedDiff=detailed,
        hasDetailedDiff=True,
    )


class _InitFailed(Exception):
    """A PartialFailure on its way to the engine, with everything that has to go on the wire."""

    def __init__(self, failure: PartialFailure, properties: Any) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.properties = properties


@contextmanager
def _partial(props: Props, secrets: frozenset[Path]) -> Iterator[None]:
    try:
        yield
    except PartialFailure as failure:
        raise _InitFailed(failure, _hiding(props | failure.outputs, secrets, props)) from failure


class _InitFailedStatus(grpc.Status):  # type: ignore[misc]
    """gRPC's form of `_InitFailed`: the engine reads the resource's state from the details."""

    def __init__(self, error: _InitFailed) -> None:
        message = error.failure.message
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
        status.details.add().Pack(
            provider_pb2.ErrorResourceInitFailed(id=error.failure.id, properties=error.properties, reasons=[message])
        )
        self.code = grpc.StatusCode.UNKNOWN
        self.details = message
        self.trailing_metadata = (("grpc-status-details-bin", status.SerializeToString()),)


def handler(servicer: Servicer) -> Any:
    """What a gRPC server needs to serve `servicer`."""
    return grpc.method_handlers_generic_handler(
        "pulumirpc.ResourceProvider",
        {
            name: grpc.unary_unary_rpc_method_handler(
                _guarded(servicer, answer),
                request_deserializer=request_class.FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name, (answer, request_class) in servicer.methods().items()
        },
    )


def _guarded(servicer: Servicer, answer: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def guarded(request: Any, context: Any) -> Any:
        with servicer.active.one():
            try:
                return answer(request)
            except Exception as error:
                _abort(context, error)

    return guarded


def _abort(context: Any, error: Exception) -> NoReturn:
    match error:
        case _InitFailed():
            context.abort_with_status(_InitFailedStatus(error))
        case UserError():
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        case _ if (message := readable(error)) is not None:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, message)
        case _:
            with suppress(OSError):  # an engine that was killed reads it no more
                traceback.print_exception(error, file=sys.stderr)
            context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
    raise AssertionError("abort always raises")
