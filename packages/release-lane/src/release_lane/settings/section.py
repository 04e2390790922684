"""What all sections of a stack file have in common: unknown keys are wrong, and a rule's words are the problem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from release_lane.settings import limits


class Strict(BaseModel):
    """A mapping of settings, by their names in the stack file."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Section(Strict):
    """A structured key: it comes as JSON, so a number is a number, and `true` is none."""

    model_config = ConfigDict(strict=True)


def sound(problem_of: Callable[[Any], str]) -> AfterValidator:
    """Held to a rule, which says what is wrong with a value, "" if nothing is."""

    def check(text: str) -> str:
        if problem := problem_of(text):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


class Stack(Strict):
    """What every stack has."""

    account: Annotated[str, sound(limits.account)]
