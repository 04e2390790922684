"""A provider's process: when it ends, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.protobuf import empty_pb2
from tests.kit.serving import Client, Refusal, fake_engine

from tests.patience import PATIENCE

pytestmark = pytest.mark.provider

needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watches foreign processes by pidfd")
ROOT = Path(__file__).parents[4]
PROVIDER = [sys.executable, "-m", "tests.kit.marker_provider"]
PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, start_new_session=True)
print(child.pid, child.stdout.readline().strip(), flush=True)
time.sleep(600)
"""


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process in a group of its own, as the engine starts plugins; killed in the end."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_on_a_signal(number: signal.Signals) -> None:
    with running([*PROVIDER, ""]) as process:
        port_of(process)
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "ending: closed\n"


def test_it_ends_on_SIGINT_even_where_its_parent_ignored_that() -> None:
    with running(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *PROVIDER, ""]) as process:
        port_of(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0


@needs_pidfd
def test_it_ends_with_its_parent_even_one_that_is_killed() -> None:
    with running([sys.executable, "-c", PARENT, *PROVIDER, ""]) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline().split()[0])
        ended = os.pidfd_open(pid)
        parent.kill()
        assert _readable(ended, seconds=PATIENCE), "the provider outlived its parent"
        assert parent.stderr is not None
        assert parent.stderr.read() == "ending: orphaned\n"


def test_after_an_interrupt_it_ends_as_cancelled() -> None:
    with running([*PROVIDER, ""]) as process:
        Client.to(port_of(process)).stub.Cancel(empty_pb2.Empty())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "ending: cancelled\n"


def test_work_under_way_learns_it_and_may_end_before_the_process_does() -> None:
    with fake_engine() as (engine, address), running([*PROVIDER, address]) as process, ThreadPoolExecutor() as pool:
        client = Client.to(port_of(process))
        client.configure()
        waiting = pool.submit(client.create, {"act": "wait"})
        assert engine.logged.get(timeout=PATIENCE).message == "waiting"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(Refusal, match="the marker's wait was cancelled"):
            waiting.result(timeout=PATIENCE)
        assert process.wait(timeout=PATIENCE) == 0


@needs_pidfd
def test_work_that_does_not_end_is_ended_with_the_processes_that_it_started() -> None:
    with fake_engine() as (engine, address), running([*PROVIDER, address]) as process, ThreadPoolExecutor() as pool:
        client = Client.to(port_of(process))
        client.configure()
        pool.submit(client.create, {"act": "hang"})
        child = os.pidfd_open(int(engine.logged.get(timeout=PATIENCE).message))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # the second one says: now
        assert process.wait(timeout=PATIENCE) == 0
        assert _readable(child, seconds=PATIENCE), "a child process outlived the provider"
        assert process.stdout is not None
        assert process.stdout.read() == ""  # closed: no process holds the engine's pipe any more


def test_without_an_engine_it_says_what_it_is() -> None:
    result = subprocess.run(PROVIDER, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr == "pulumi-resource-test is a plugin: the Pulumi engine starts it.\n"


def test_it_starts_without_the_pulumi_sdk_and_without_aws() -> None:
    """Each `pulumi up` starts several of these processes: what they import is what everybody waits for."""
    loaded = loaded_by("from provider_kit import *")
    assert "pulumi.runtime.proto.provider_pb2" in loaded
    assert not [name for name in loaded if re.match(r"pulumi$|pulumi\.(?!runtime\.proto\.)|botocore|boto3", name)]


def test_a_command_that_only_writes_loads_nothing_of_the_engines_protocol() -> None:
    loaded = loaded_by("import provider_kit.streams")
    assert "provider_kit.streams" in loaded
    assert not [name for name in loaded if re.match(r"(pulumi|grpc|google)\b", name)]


def loaded_by(script: str) -> list[str]:
    """Modules in a fresh process after `script`."""
    command = [sys.executable, "-c", f"{script}; import sys; print(*sorted(sys.modules))"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()


def test_the_sdk_can_be_imported_after_the_kit() -> None:
    script = (
        "import provider_kit.stubs as kit, pulumi, pulumi.runtime.proto as proto;"
        "assert proto.DiffRequest is kit.provider_pb2.DiffRequest; assert pulumi.Output"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def _readable(descriptor: int, seconds: float) -> bool:
    """A pidfd becomes readable when its process has ended."""
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)
