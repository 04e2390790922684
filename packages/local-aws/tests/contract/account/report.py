"""What held in that account and what did not, from pytest's own report. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree

from tests.contract.aws import Where
from tests.contract.contracts import Contract

HOLDS, DOES_NOT, UNTRIED, LEFT_OUT = "holds", "does not hold", "could not be tried", "left out"
OUTCOMES = (("failure", DOES_NOT), ("error", UNTRIED), ("skipped", LEFT_OUT))
"""JUnit's word -> ours. An error is a test that broke before or after it looked."""


@dataclass(frozen=True)
class Finding:
    """One contract in one account. `message` says why it does not hold."""

    test: str
    says: str
    outcome: str
    message: str = ""

    @property
    def bad(self) -> bool:
        """Is it something to tell?"""
        return self.outcome in (DOES_NOT, UNTRIED)


def findings(contracts: Sequence[Contract], junit: str) -> list[Finding]:
    """Each contract's outcome; `junit` is pytest's report, "" if it wrote none."""
    cases = {case.get("name", ""): case for case in ElementTree.fromstring(junit).iter("testcase")} if junit else {}
    return [_finding(each, cases.get(each.test)) for each in contracts]


def _finding(contract: Contract, case: ElementTree.Element | None) -> Finding:
    if case is None:
        return Finding(contract.test, contract.says, LEFT_OUT)
    for tag, outcome in OUTCOMES:
        if (found := case.find(tag)) is not None:
            return Finding(contract.test, contract.says, outcome, str(found.get("message", "")))
    return Finding(contract.test, contract.says, HOLDS)


def lines(found: Sequence[Finding], where: Where) -> list[str]:
    """For people."""
    tried = [each for each in found if each.outcome != LEFT_OUT]
    held = sum(each.outcome == HOLDS for each in tried)
    told = [f"{held} of {len(tried)} contracts hold in account {where.account}, {where.region}."]
    for each in found:
        if each.bad:
            first = (each.message.splitlines() or [""])[0][:200]
            told += [f"{each.outcome}: {each.says}", f"    {each.test}: {first}"]
    return told


def document(found: Sequence[Finding], where: Where, at: str) -> Mapping[str, Any]:
    """For machines: what one compares with another account, or with another day."""
    about = {"account": where.account, "region": where.region, "mark": where.mark, "at": at}
    return {**about, "contracts": [asdict(each) for each in found]}
