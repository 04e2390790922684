"""Messages really sent over loopback: what arrives, what is tried again, and what is said when it cannot arrive."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from release_lane.command.adapters import notify
from release_lane.command.adapters.notify import RealNotifier
from release_lane.operate.notices import Notice
from release_lane.record.names import Access
from release_lane.settings.notify import Event, NotifySettings

from tests.patience import PATIENCE

pytestmark = pytest.mark.cli

ACCESS = Access(region="us-east-1", account="000000000000")
NOTICE = Notice(event=Event.BREACH, project="lane", environment="production", what="The watch saw 7 % errors.")


class Hook:
    """A webhook. Answers with the next of `answers`, at last with the last one; 0 hangs up."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.got: list[tuple[str, str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.got.append((self.path, str(self.headers["Content-Type"]), body))
                answer = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
                if not answer:
                    self.close_connection = True
                    return
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", f"http://127.0.0.1:{self.server.server_address[1]}/elsewhere")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook/T0KEN"


@pytest.fixture
def hook(request: pytest.FixtureRequest) -> Iterator[Hook]:
    made = Hook(*getattr(request, "param", (200,)))
    threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def send(url: str, answer_within: float = PATIENCE) -> tuple[str, ...]:
    return RealNotifier(answer_within).send(NotifySettings(webhook=url), ACCESS, NOTICE)


def test_a_webhook_gets_json_that_says_it_all(hook: Hook) -> None:
    assert send(hook.url) == ()
    ((path, kind, body),) = hook.got
    assert (path, kind) == ("/hook/T0KEN", "application/json")
    assert (body["event"], body["environment"], body["what"]) == ("breach", "production", NOTICE.what)
    assert body["at"]
    assert body["text"].startswith("production: breach. ")


@pytest.mark.parametrize("hook", [(500, 200), (429, 204), (0, 200)], indirect=True)
def test_a_webhook_that_stumbles_is_asked_once_more(hook: Hook) -> None:
    assert send(hook.url) == ()
    assert len(hook.got) == 2


@pytest.mark.parametrize(("hook", "said"), [((503,), "answered 503"), ((0,), "did not answer")], indirect=["hook"])
def test_a_webhook_that_stays_away_is_given_up_after_two_tries(hook: Hook, said: str) -> None:
    (problem,) = send(hook.url)
    assert said in problem
    assert len(hook.got) == 2


@pytest.mark.parametrize("hook", [(404,), (302,)], indirect=True)
def test_a_no_is_a_no_and_is_not_sent_elsewhere(hook: Hook) -> None:
    (problem,) = send(hook.url)
    assert "127.0.0.1 answered" in problem
    assert len(hook.got) == 1


@pytest.mark.parametrize("hook", [(404,), (0,)], indirect=True)
def test_what_is_said_of_a_failure_holds_no_token(hook: Hook) -> None:
    (problem,) = send(hook.url)
    assert "T0KEN" not in problem


def test_a_webhook_that_never_answers_does_not_hold_up_a_release(hook: Hook) -> None:
    hook.server.shutdown()  # it still accepts connections, and never answers one
    (problem,) = send(hook.url, answer_within=0.1)
    assert "did not answer" in problem


def test_an_address_where_nothing_listens_is_reported() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (problem,) = send(f"https://127.0.0.1:{taken.getsockname()[1]}/T0KEN")
    assert problem == "the webhook did not get it: 127.0.0.1 did not answer"


def test_any_other_mistake_is_named_by_its_kind_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(url: str, message: str, _: float) -> None:
        raise RuntimeError(f"{url} {message}")

    monkeypatch.setattr(notify, "_post", broken)
    assert send("https://h.example/T0KEN") == ("the webhook did not get it: RuntimeError",)


def test_without_an_address_nothing_is_sent() -> None:
    assert RealNotifier().send(NotifySettings(), ACCESS, NOTICE) == ()
