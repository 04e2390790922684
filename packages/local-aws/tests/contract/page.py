"""docs/contract.md, made of the contracts: `python -m tests.contract.page` (make contract)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence

from tests.contract.contracts import ROOT, Chapter, Contract, chapters
from tests.contract.untested import UNTESTED

PAGE = ROOT / "docs/contract.md"

HEAD = """\
# The contract with AWS

<!-- Made by `make contract` from packages/local-aws/tests/contract. Change it there. -->

Each behaviour of AWS that the program, the gates, the command or the tests rely on: stated once, with the page of \
AWS's documentation that says so, what goes wrong where it is untrue, and who relies on it. Each one has a test of its \
own, which `make test-all` runs against the local cloud. **None has run against AWS yet.** A note says what the \
page leaves open.

`make aws-check` runs the same tests against a real account: [aws.md](aws.md#the-same-tests-on-aws).
"""


def render(parts: Iterable[Chapter], untested: Sequence[Contract]) -> str:
    """The page."""
    tested = "".join(_chapter(part) for part in parts)
    return f"{HEAD}{tested}{_untested(untested)}"


def _chapter(chapter: Chapter) -> str:
    rows = "".join(f"| {_cell(each)}<br>`{each.test}` | {_rest(each)} |\n" for each in chapter.contracts)
    return f"\n## {chapter.title}\n\nTests: `{chapter.file}`\n\n{_header('otherwise')}{rows}"


def _untested(contracts: Sequence[Contract]) -> str:
    rows = "".join(f"| {_cell(each)} | {_rest(each)} |\n" for each in contracts)
    return f"\n## Relied on, and not tested\n\nThe note says why not.\n\n{_header('otherwise')}{rows}"


def _header(otherwise: str) -> str:
    return f"| AWS | {otherwise} | relied on by |\n| --- | --- | --- |\n"


def _cell(contract: Contract) -> str:
    note = f" *Note: {contract.note}.*" if contract.note else ""
    return f"{contract.says} [source]({contract.source}){note}"


def _rest(contract: Contract) -> str:
    return f"{contract.otherwise} | {', '.join(f'`{file}`' for file in contract.used_by)}"


def main() -> None:
    """Write it."""
    argparse.ArgumentParser(prog="python -m tests.contract.page", description=__doc__).parse_args()
    PAGE.write_text(render(chapters(), UNTESTED))
    print(f"{PAGE.relative_to(ROOT)} is up to date", file=sys.stderr)


if __name__ == "__main__":
    main()
