"""A bare ModifyRule: how long the call takes, and how soon users get what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from release_lane.probe.answer import Answer, Malformed, parse

from tools.lane import Stack

PATH = "/api/v1/status"
SETTLE = 0.3  # seconds of answers before and after a call
PAUSE = 0.001  # seconds between an answer and the next request
TIMEOUT = 5.0  # seconds for an answer


@dataclass(frozen=True)
class Asked:
    """One request of a user: when it was sent, and which colour answered ("" if none did)."""

    sent: float
    colour: str


@dataclass(frozen=True)
class Moved:
    """One bare ModifyRule. `call`: seconds it took; `visible`: seconds from its answer to the last request that was
    sent and still got the old colour (0 when every request sent after the answer got the new one)."""

    call: float
    visible: float


def visible_after(asked: Sequence[Asked], answered: float, colour: str) -> float:
    """Seconds after `answered` at which the last request was sent that another colour than `colour` answered."""
    late = [one.sent - answered for one in asked if one.sent >= answered and one.colour != colour]
    return max(late, default=0.0)


class User:
    """Asks on one kept connection, again and again; remembers when, and who answered."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname or "", address.port or 80)
        self._request = f"GET {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
        self._end = threading.Event()
        self.asked: list[Asked] = []
        self.connections = 0

    @contextmanager
    def asking(self) -> Iterator[User]:
        """While the block runs."""
        thread = threading.Thread(target=self._go_on, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._end.set()
            thread.join()

    def _go_on(self) -> None:
        while not self._end.is_set():
            with suppress(OSError, Malformed), socket.create_connection(self._address, TIMEOUT) as connection:
                self.connections += 1
                while not self._end.wait(PAUSE):
                    self._ask(connection)

    def _ask(self, connection: socket.socket) -> None:
        sent, data = time.monotonic(), b""
        answer: Answer | None = None
        try:
            connection.sendall(self._request)
            while answer is None:
                part = connection.recv(65536)
                data += part
                answer = parse(data, ended=not part)
        finally:
            self.asked.append(Asked(sent, answer.colour if answer else ""))


def bare_moves(stack: Stack, times: int) -> list[Moved]:
    """Users are moved to and fro by hand, an even number of times, so that they end where they began."""
    hand = Hand.of(stack)
    return [hand.move(stack.url) for _ in range(times + times % 2)]


class Hand:
    """Moves users by ModifyRule alone."""

    def __init__(self, elb: Any, rule: str, groups: Mapping[str, str], live: str) -> None:
        """`groups`: colour -> target group's ARN; `live` is the colour that serves."""
        self._elb, self._rule, self._groups, self._live = elb, rule, groups, live

    @staticmethod
    def of(stack: Stack) -> Hand:
        """The production rule of an environment."""
        elb = stack.lane.aws("elbv2")
        (balancer,) = elb.describe_load_balancers(Names=[f"release-lane-{stack.name}"])["LoadBalancers"]
        listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        users = next(each["ListenerArn"] for each in listeners if each["Port"] == 80)
        rule = next(each for each in elb.describe_rules(ListenerArn=users)["Rules"] if not each["IsDefault"])
        shares = rule["Actions"][0]["ForwardConfig"]["TargetGroups"]
        found = elb.describe_target_groups(TargetGroupArns=[share["TargetGroupArn"] for share in shares])
        colours = {each["TargetGroupArn"]: each["TargetGroupName"].rpartition("-")[2] for each in found["TargetGroups"]}
        live = max(shares, key=lambda share: int(share["Weight"]))["TargetGroupArn"]
        return Hand(elb, rule["RuleArn"], {colour: arn for arn, colour in colours.items()}, colours[live])

    def move(self, url: str) -> Moved:
        """All users to the other colour."""
        (self._live,) = self._groups.keys() - {self._live}
        # Always in one order, as the switch does it: only weights change at the load balancer.
        shares = [
            {"TargetGroupArn": arn, "Weight": 100 if colour == self._live else 0}
            for colour, arn in sorted(self._groups.items())
        ]
        with User(url).asking() as user:
            time.sleep(SETTLE)
            begun = time.monotonic()
            self._elb.modify_rule(
                RuleArn=self._rule, Actions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": shares}}]
            )
            answered = time.monotonic()
            time.sleep(SETTLE)
        if not [one for one in user.asked if one.sent >= answered]:
            raise RuntimeError(f"{url} was not asked after the weights were moved")
        return Moved(answered - begun, visible_after(user.asked, answered, self._live))
