"""How a task calls AWS: what it finds in its environment, and where that leads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from local_aws.emulator.ecs.doorway import Doorway

from tests.patience import PATIENCE
from tests.ports import free_port

pytestmark = pytest.mark.pure

HERE = "127.0.0.9"
ROLE = "arn:aws:iam::000000000000:role/task"


@contextmanager
def emulator() -> Iterator[int]:
    """Answers what it is sent, in capital letters, once the sender has ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                while data := connection.recv(1024):
                    connection.sendall(data.upper())

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_a_task_with_a_role_reaches_the_api_at_its_networks_address() -> None:
    with emulator() as port:
        doorway = Doorway(lambda: HERE, port)
        variables = doorway.variables(ROLE)
        assert variables["AWS_ENDPOINT_URL"] == f"http://{HERE}:{port}"
        assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} < variables.keys()
        with socket.create_connection((HERE, port), timeout=PATIENCE) as task:
            task.sendall(b"get parameter")
            task.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: task.recv(1024), b"")) == b"GET PARAMETER"
        doorway.close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((HERE, port), timeout=PATIENCE)


@pytest.mark.parametrize("role", [None, ""])
def test_a_task_without_a_role_gets_no_credentials_and_opens_nothing(role: object) -> None:
    def asked() -> str:
        raise AssertionError

    assert Doorway(asked, free_port()).variables(role) == {}


@pytest.mark.parametrize("address", [None, "192.0.2.1"], ids=["none", "another machine's"])
def test_a_docker_on_another_machine_leaves_tasks_without_it(address: str | None) -> None:
    assert Doorway(lambda: address, free_port()).variables(ROLE) == {}
