"""Whether a port can be had, and who has it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest
from local_aws.emulator.edge.ports import Taken, claim, holder

pytestmark = pytest.mark.provider


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.socket() as server:
        server.bind(("127.0.13.1", 0))
        server.listen()
        yield server.getsockname()


def test_a_free_port_can_be_claimed_and_is_let_go(listening: tuple[str, int]) -> None:
    other = ("127.0.13.2", listening[1])
    assert claim(*other)
    assert claim(*other)


def test_a_taken_port_names_address_port_and_process(listening: tuple[str, int]) -> None:
    with pytest.raises(Taken) as caught:
        claim(*listening)
    text = str(caught.value)
    assert f"{listening[0]}:{listening[1]} is already taken by process {os.getpid()} (" in text
    assert f"kill {os.getpid()}" in text


def test_a_port_that_our_own_process_still_holds_is_worth_waiting_for(listening: tuple[str, int]) -> None:
    assert not claim(*listening, own=[os.getpid()])


def test_somebody_who_listens_on_all_addresses_is_found() -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 0))
        server.listen()
        found = holder("127.0.13.1", server.getsockname()[1])
    assert found is not None
    assert found.pid == os.getpid()


def test_no_process_holds_a_port_that_none_runs_on(listening: tuple[str, int]) -> None:
    assert holder("127.0.13.3", listening[1]) is None


def test_an_address_that_is_not_here_says_so() -> None:
    with pytest.raises(Taken, match=r"192\.0\.2\.1:80 cannot be opened"):
        claim("192.0.2.1", 80)
