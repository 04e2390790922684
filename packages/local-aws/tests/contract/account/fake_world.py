"""A world without AWS, Docker or a person; it notes what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.contract.account.refusing import Identity
from tests.contract.aws import Where
from tests.contract.contracts import all_contracts
from tests.contract.leftovers import Left

ACCOUNT = "123456789012"


def junit(**ended: str) -> str:
    """pytest's report, in which all contracts hold but those named: failure, error, skipped or missing."""
    cases = "".join(_case(each.test, ended.get(each.test, "")) for each in all_contracts())
    return f"<testsuites><testsuite>{cases}</testsuite></testsuites>"


def _case(name: str, ended: str) -> str:
    inside = f'<{ended} message="it was not so" />' if ended else ""
    return "" if ended == "missing" else f'<testcase name="{name}">{inside}</testcase>'


@dataclass
class FakeWorld:
    """`left` lies in the account; `stuck` of it cannot be removed. `interrupt`: the call in which Ctrl-C is pressed."""

    typed: str | None = ACCOUNT
    account: str = ACCOUNT
    seconds_left: float | None = None
    endpoint: str = "https://ecs.eu-central-1.amazonaws.com"
    no_docker: str = ""
    seen_at: str = "203.0.113.7"
    report: str | None = None
    left: list[Left] = field(default_factory=list)
    stuck: list[Left] = field(default_factory=list)
    interrupt: str = ""
    made: list[str] = field(default_factory=list)
    """What changed something, in order."""

    asked: list[str] = field(default_factory=list)
    visitors: str = ""

    def endpoints(self, region: str) -> Mapping[str, str]:
        return {"ecs": self.endpoint, "sts": f"https://sts.{region}.amazonaws.com"}

    def identity(self, region: str) -> Identity:
        del region
        return Identity(self.account, f"arn:aws:iam::{self.account}:user/me", self.seconds_left)

    def docker(self) -> str:
        return self.no_docker

    def address(self) -> str:
        return self.seen_at

    def answer(self, question: str) -> str | None:
        self.asked.append(question)
        if self.interrupt == "answer":
            raise KeyboardInterrupt
        return self.typed

    def suite(self, where: Where, only: str, junit: Path) -> None:
        self.made.append(f"suite {where.account} {where.region} {only}".strip())
        self.visitors = where.visitors
        self.left.append(Left("VPC", "vpc-1", where.mark))
        if self.interrupt == "suite":
            raise KeyboardInterrupt
        if self.report is not None:
            junit.write_text(self.report)

    def leftovers(self, where: Where, mark: str) -> list[Left]:
        del where
        return [each for each in self.left if each.mark == (mark or each.mark)]

    def remove(self, where: Where, mark: str, say: Callable[[str], None]) -> list[Left]:
        del where, say
        self.made.append(f"remove {mark}")
        if self.interrupt == "remove":
            raise KeyboardInterrupt
        self.left = [each for each in self.left if each.mark != mark]
        return self.stuck
