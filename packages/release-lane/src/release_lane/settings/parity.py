"""`parity`: in what an environment may differ from the one that it promotes from, and why."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from release_lane.decide.parity import Expected
from release_lane.settings import ledger
from release_lane.settings.section import Section, sound

LONGEST = 300


def what(text: str) -> str:
    """A difference as `release parity` names it: a setting's path, or a resource with the path of an input."""
    if text.strip() == text and text and text.isprintable() and len(text) <= LONGEST:
        return ""
    return f"should be a difference as `release parity` names it, such as service.desiredCount ({LONGEST} characters)"


class ExpectedSettings(Section):
    """One difference that is meant, and the reason."""

    what: Annotated[str, sound(what)]
    why: Annotated[str, sound(ledger.reason)]


class ParitySettings(Section):
    """`parity`: the differences that are meant; with `required` any other one refuses what goes forward."""

    required: bool = False
    expect: tuple[ExpectedSettings, ...] = Field(default=(), max_length=200, strict=False)

    def expected(self) -> tuple[Expected, ...]:
        """As the comparison takes it."""
        return tuple(Expected(what=each.what, why=each.why) for each in self.expect)


def parity_problems(parity: ParitySettings, promotes_from: str | None) -> list[str]:
    """What is wrong with several keys together."""
    named = [each.what for each in parity.expect]
    problems = [f"parity.expect: {each} stands there twice" for each in sorted({*named}) if named.count(each) > 1]
    if parity.required and not promotes_from:
        problems.append("parity.required: compares with the environment before, but promotesFrom names none")
    return problems
