"""How soon users get what ModifyRule says: the reckoning, and the user who asks."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.patience import PATIENCE
from tools.bench.weights import Asked, Hand, User, visible_after

pytestmark = pytest.mark.provider


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ([Asked(0.9, "blue"), Asked(1.1, "green"), Asked(1.2, "green")], 0.0),
        ([Asked(0.9, "blue"), Asked(1.25, "blue"), Asked(1.5, "green")], 0.25),
        ([Asked(1.25, "blue"), Asked(1.3, "green"), Asked(1.5, "blue")], 0.5),
        ([Asked(1.25, "")], 0.25),
    ],
)
def test_weights_are_visible_after_the_last_request_that_got_something_else(asked: list[Asked], seconds: float) -> None:
    assert visible_after(asked, 1.0, "green") == seconds


@dataclass
class Service:
    """Answers on loopback as a colour that can be changed."""

    colour: str = "blue"
    peers: set[tuple[str, int]] = field(default_factory=set)
    answered: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@contextmanager
def serving(closes: bool = False) -> Iterator[Service]:
    service = Service()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            service.peers.add(self.client_address)
            body = json.dumps({"colour": service.colour, "digest": "sha256:1"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close" if closes else "keep-alive")
            self.end_headers()
            self.wfile.write(body)
            if len(service.peers) > 2 or not closes:
                service.answered.set()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_user_asks_on_one_kept_connection_and_remembers_who_answered() -> None:
    with serving() as service:
        with User(service.url).asking() as user:
            assert service.answered.wait(PATIENCE)
            service.colour = "green"
            service.answered.clear()
            assert service.answered.wait(PATIENCE)
            service.answered.clear()
            assert service.answered.wait(PATIENCE)
        assert len(service.peers) == user.connections == 1
    assert user.asked[0].colour == "blue"
    assert user.asked[-1].colour == "green"
    assert user.asked == sorted(user.asked, key=lambda one: one.sent)


def test_a_user_comes_back_when_the_connection_was_closed() -> None:
    with serving(closes=True) as service, User(service.url).asking() as user:
        assert service.answered.wait(PATIENCE)
    assert user.connections > 1


class FakeBalancer:
    """ELBv2 with one rule; remembers what the rule was set to."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self.weights = weights
        self.orders: list[list[str]] = []

    def describe_load_balancers(self, **_: Any) -> Any:
        return {"LoadBalancers": [{"LoadBalancerArn": "balancer"}]}

    def describe_listeners(self, **_: Any) -> Any:
        return {"Listeners": [{"Port": 9001, "ListenerArn": "test"}, {"Port": 80, "ListenerArn": "users"}]}

    def describe_rules(self, ListenerArn: str) -> Any:
        assert ListenerArn == "users"
        shares = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in self.weights.items()]
        rule = {"RuleArn": "rule", "IsDefault": False, "Actions": [{"ForwardConfig": {"TargetGroups": shares}}]}
        return {"Rules": [{"IsDefault": True}, rule]}

    def describe_target_groups(self, TargetGroupArns: list[str]) -> Any:
        return {"TargetGroups": [{"TargetGroupArn": arn, "TargetGroupName": f"x-{arn}"} for arn in TargetGroupArns]}

    def modify_rule(self, RuleArn: str, Actions: Any) -> None:
        assert RuleArn == "rule"
        shares = Actions[0]["ForwardConfig"]["TargetGroups"]
        self.weights = {share["TargetGroupArn"]: share["Weight"] for share in shares}
        self.orders.append(list(self.weights))


@dataclass
class Stack:
    """What `Hand` needs of a stack."""

    balancer: FakeBalancer
    name: str = "one"

    @property
    def lane(self) -> Stack:
        return self

    def aws(self, service: str) -> FakeBalancer:
        assert service == "elbv2"
        return self.balancer


def test_users_are_moved_to_and_fro_in_one_order_of_target_groups() -> None:
    balancer = FakeBalancer({"green": 0, "blue": 100})
    hand = Hand.of(Stack(balancer))  # type: ignore[arg-type]
    with serving() as service:
        hand.move(service.url)
        assert balancer.weights == {"blue": 0, "green": 100}
        hand.move(service.url)
    assert balancer.weights == {"blue": 100, "green": 0}
    assert balancer.orders == [["blue", "green"], ["blue", "green"]]
