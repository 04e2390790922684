"""One resource type through its whole life: which inputs, which changes, and what somebody does to it by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from provider_kit import Props
from tests.local.standins.lifecycle.engine import Managed
from tests.local.standins.lifecycle.world import World

ByHand = Callable[[World, Managed], None]


def nothing(_world: World) -> Props:
    return {}


@dataclass(frozen=True, kw_only=True)
class Case:
    """`token` is the type. All cases of a type together name every property of its table."""

    token: str
    variant: str = ""
    """Which of several cases of one type."""
    good: Callable[[World], Props]
    """Inputs that AWS takes; names are new ones at each call."""
    in_place: Callable[[World], Props] = nothing
    """Property -> another value, which it gets without being replaced."""
    replacing: Callable[[World], Props]
    """Property -> another value, which replaces it. The first one is done, the others are asked for only."""
    by_hand: tuple[str, ByHand] | None
    """The property in which a refresh shows what somebody changes in AWS; None where AWS can change nothing of it."""
    take_away: ByHand
    """Delete it in AWS."""
    import_id: Callable[[Managed], str] = lambda made: made.id
    slow: bool = False
    """The real provider waits for it at each change: all changes are made in one update there."""
    twice: str = ""
    """What is said when another one of the same name is created; empty where names are not unique, or AWS takes it."""
    not_tried: Mapping[str, str] = field(default_factory=dict)
    """Property -> why no change of it is tried here."""

    def __str__(self) -> str:
        return self.token.rpartition(":")[2] + (f"-{self.variant}" if self.variant else "")


def tag(known: str = "a") -> Props:
    return {"tags": {"team": known}}
