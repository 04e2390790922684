"""The awslogs driver: what containers print, in batches, to the emulated CloudWatch Logs."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from local_aws.emulator import inprocess
from local_aws.emulator.ecs.arns import Scope
from local_aws.emulator.wire import ServiceError

GATHER = 0.1  # seconds in which lines are gathered into one call
MOST_IN_A_CALL = 1000
END_OF_OUTPUT = 5.0  # seconds to wait for the last lines of a container that has ended


@dataclass(frozen=True)
class Stream:
    scope: Scope
    group: str
    name: str


@dataclass(frozen=True)
class Line:
    """`at` is seconds since the epoch, as Docker stamped it."""

    stream: Stream
    at: float
    text: str


class LogService(Protocol):
    def ensure_stream(self, stream: Stream, create_group: bool) -> None: ...
    def put(self, stream: Stream, lines: Sequence[Line]) -> None: ...
    def newest(self, stream: Stream) -> float: ...


class CloudWatchLogs:
    """ministack's, in this process."""

    def ensure_stream(self, stream: Stream, create_group: bool) -> None:
        """Raises ServiceError, for example when the group does not exist."""
        if create_group:
            self._unless_there("CreateLogGroup", stream, {"logGroupName": stream.group})
        self._unless_there("CreateLogStream", stream, {"logGroupName": stream.group, "logStreamName": stream.name})

    def _unless_there(self, action: str, stream: Stream, payload: Mapping[str, Any]) -> None:
        try:
            self._call(action, stream, payload)
        except ServiceError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise

    def put(self, stream: Stream, lines: Sequence[Line]) -> None:
        events = [{"timestamp": int(line.at * 1000), "message": line.text} for line in lines]
        payload = {"logGroupName": stream.group, "logStreamName": stream.name, "logEvents": events}
        self._call("PutLogEvents", stream, payload)

    def newest(self, stream: Stream) -> float:
        """When the last stored line was printed, in seconds since the epoch; 0 when there is none."""
        payload = {"logGroupName": stream.group, "logStreamName": stream.name, "limit": 1, "startFromHead": False}
        events = self._call("GetLogEvents", stream, payload).get("events") or [{"timestamp": 0}]
        return float(events[-1]["timestamp"]) / 1000

    def _call(self, action: str, stream: Stream, payload: Mapping[str, Any]) -> dict[str, Any]:
        return inprocess.call("logs", action, payload, stream.scope.account, stream.scope.region)


def stream_for(container: Mapping[str, Any], task_id: str, scope: Scope) -> tuple[Stream, bool] | None:
    """Where a container definition's output goes, and whether its group may be made; None without awslogs."""
    configuration = container.get("logConfiguration") or {}
    if configuration.get("logDriver") != "awslogs":
        return None
    options = configuration.get("options") or {}
    prefix = options.get("awslogs-stream-prefix")
    name = f"{prefix}/{container['name']}/{task_id}" if prefix else task_id
    where = Scope(scope.account, options.get("awslogs-region") or scope.region)
    return Stream(where, options["awslogs-group"], name), options.get("awslogs-create-group") == "true"


class Shipper:
    """A thread for each container that reads, and one that sends."""

    def __init__(self, service: LogService, report: Callable[[str], None]) -> None:
        self._service = service
        self._report = report
        self._queue: queue.Queue[Line | threading.Event] = queue.Queue()
        self._readers: dict[str, threading.Thread] = {}
        threading.Thread(target=self._send, name="ecs-logs", daemon=True).start()

    def follow(self, docker_id: str, stream: Stream, output: Iterator[bytes], after: float = 0.0) -> None:
        """Ship the lines of `output` that are later than `after`; the service knows times to the millisecond."""

        def read() -> None:
            for line in parse(output, stream):
                if int(line.at * 1000) > int(after * 1000):
                    self._queue.put(line)

        reader = threading.Thread(target=read, name=f"ecs-log-{docker_id[:12]}", daemon=True)
        self._readers[docker_id] = reader
        reader.start()

    def finish(self, docker_id: str) -> None:
        """Return when all that an ended container printed has been sent."""
        reader = self._readers.pop(docker_id, None)
        if reader is None:
            return
        reader.join(END_OF_OUTPUT)
        sent = threading.Event()
        self._queue.put(sent)
        sent.wait(END_OF_OUTPUT)

    def _send(self) -> None:
        while True:
            batch = self._gather()
            lines = [item for item in batch if isinstance(item, Line)]
            for stream, some in by_stream(lines).items():
                try:
                    self._service.put(stream, some)
                except Exception as error:  # a deleted group must not end everybody's logs
                    self._report(f"logs of {stream.name} were not stored: {error}")
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()

    def _gather(self) -> list[Line | threading.Event]:
        """Wait for one item, then take what else comes until a flush, a full call or a short while."""
        batch = [self._queue.get()]
        while isinstance(batch[-1], Line) and len(batch) < MOST_IN_A_CALL:
            try:
                batch.append(self._queue.get(timeout=GATHER))
            except queue.Empty:
                break
        return batch


def by_stream(lines: Iterable[Line]) -> dict[Stream, list[Line]]:
    grouped: dict[Stream, list[Line]] = defaultdict(list)
    for line in lines:
        grouped[line.stream].append(line)
    return grouped


def parse(output: Iterable[bytes], stream: Stream) -> Iterator[Line]:
    """Docker's `2025-01-31T12:00:00.123456789Z text` lines. Empty ones are left out: the service takes none."""
    for chunk in output:
        for raw in chunk.decode("utf-8", "replace").splitlines():
            stamp, _, text = raw.partition(" ")
            at = parse_stamp(stamp)
            if at is not None and text:
                yield Line(stream, at, text)


def parse_stamp(stamp: str) -> float | None:
    """RFC 3339 with nanoseconds as seconds since the epoch; None when it is something else."""
    head, _, fraction = stamp.rstrip("Z").partition(".")
    try:
        whole = datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
        return whole + float(f"0.{fraction or 0}")
    except ValueError:
        return None
