"""The route: the order of environments, from each stack file's `promotesFrom` (dev -> staging -> production).

Pure. Several environments may promote from the same one; cycles and unknown names are a `UsageError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from release_lane.errors import UsageError


@dataclass(frozen=True)
class Route:
    """`sources` maps each environment to the one it promotes from (None: the first of a route), in route order."""

    sources: Mapping[str, str | None]

    @property
    def environments(self) -> tuple[str, ...]:
        """All environments; each comes after the one it promotes from."""
        return tuple(self.sources)

    def source_of(self, environment: str) -> str | None:
        """Where the environment promotes from; `UsageError` for a name that is no environment."""
        self.check(environment)
        return self.sources[environment]

    def guarded(self, environment: str) -> bool:
        """It counts as production: it takes only digests that another environment proved."""
        return self.source_of(environment) is not None

    def check(self, environment: str) -> str:
        """The name itself; `UsageError` with a list of the environments where it is none."""
        if environment in self.sources:
            return environment
        raise UsageError(
            f"There is no environment {environment!r}.",
            why=f"the stack files describe {', '.join(self.sources) or 'none at all'}",
            next_step="give one of these, or add a file Pulumi.<name>.yaml.",
        )


def route_of(promotes_from: Mapping[str, str | None]) -> Route:
    """Order environments so that each comes after its source; otherwise by name."""
    for environment, source in promotes_from.items():
        if source is not None and source not in promotes_from:
            raise _unknown(environment, source, promotes_from)
    depth = {environment: len(_sources(environment, promotes_from)) for environment in promotes_from}
    ordered = sorted(promotes_from, key=lambda environment: (depth[environment], environment))
    return Route({environment: promotes_from[environment] for environment in ordered})


def _sources(environment: str, promotes_from: Mapping[str, str | None]) -> list[str]:
    """The environments before this one, nearest first."""
    passed: list[str] = []
    source = promotes_from[environment]
    while source is not None:
        if source in passed or source == environment:
            raise _cycle([environment, *passed, source])
        passed.append(source)
        source = promotes_from[source]
    return passed


def _unknown(environment: str, source: str, known: Mapping[str, str | None]) -> UsageError:
    others = ", ".join(sorted(name for name in known if name != environment)) or "no other environment"
    return UsageError(
        f"{environment} promotes from {source!r}, which is not an environment.",
        why=f"there is {others}",
        next_step=f"correct promotesFrom in Pulumi.{environment}.yaml.",
    )


def _cycle(path: list[str]) -> UsageError:
    first = path.index(path[-1])
    return UsageError(
        f"The route goes in a circle: {' -> '.join(reversed(path[first:]))}.",
        why="a digest must be proven in one environment first",
        next_step="remove promotesFrom from the first environment of the route.",
    )
