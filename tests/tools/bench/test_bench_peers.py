"""Another tool next to the lane: when users count as moved, which aims hold, and AWS that is farther away."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest

from tests.patience import PATIENCE
from tools.bench.peers import Compared, Sample, Took, moved_after
from tools.bench.slow import far_away

NEW, OLD = "sha256:new", "sha256:old"


@pytest.mark.pure
def test_users_are_moved_when_the_last_request_was_sent_that_got_the_old_release() -> None:
    answers = [(10.1, OLD), (10.2, NEW), (10.3, OLD), (10.4, ""), (10.5, NEW)]
    samples = [Sample(asked, digest) for asked, digest in answers]
    assert moved_after(samples, 10.0, NEW) == pytest.approx(0.3)
    assert moved_after(samples[-1:], 10.0, NEW) == 0


@pytest.mark.pure
@pytest.mark.parametrize("samples", [[], [Sample(1, NEW), Sample(2, OLD)], [Sample(1, NEW), Sample(2, "")]], ids=str)
def test_users_who_do_not_get_the_new_release_in_the_end_are_no_measurement(samples: list[Sample]) -> None:
    with pytest.raises(RuntimeError, match="users did not get sha256:new"):
        moved_after(samples, 0.0, NEW)


PROMOTION = Compared(what="promotion", away=0.0, lane=(Took(5.0, 6.0),), peer=(Took(2.0, 4.0),))


@pytest.mark.pure
@pytest.mark.parametrize(
    ("compared", "met"),
    [
        (PROMOTION, True),
        (replace(PROMOTION, lane=(Took(5.1, 6.0),)), False),
        (replace(PROMOTION, lane=(Took(5.0, 6.1),)), False),
        (replace(PROMOTION, what="rollback"), False),
        (replace(PROMOTION, what="rollback", lane=(Took(3.0, 6.0),)), True),
        (replace(PROMOTION, what="rollback", lane=(Took(3.1, 6.0),)), False),
    ],
    ids=["both in time", "users later", "the end later", "a rollback has less", "in time", "later"],
)
def test_the_aims_are_about_users_and_about_the_commands_end(compared: Compared, met: bool) -> None:
    assert compared.met is met


@pytest.mark.provider
def test_what_is_far_away_answers_the_same_and_to_the_end() -> None:
    """The server closes after its answer; the question's end reaches it."""
    question, answer, heard = b"q" * 200_000, b"a" * 300_000, list[bytes]()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with server.accept()[0] as connection:
                heard.append(_all(connection))
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with far_away(f"http://127.0.0.1:{server.getsockname()[1]}", 0.01) as url:
            address = ("127.0.0.1", int(url.rpartition(":")[2]))
            with socket.create_connection(address, PATIENCE) as connection:
                connection.sendall(question)
                connection.shutdown(socket.SHUT_WR)
                assert _all(connection) == answer
        thread.join(PATIENCE)
    assert heard == [question]


def _all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
