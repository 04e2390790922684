"""Revisions of a database's schema: what an image lives with, and where migrations of an environment led. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from release_lane.record.contract import SCHEMA_NEEDS, SCHEMA_PROVIDES, Contract

NEEDS, PROVIDES = SCHEMA_NEEDS, SCHEMA_PROVIDES
"""Labels of an image: the revisions that its code can live with, and the one that its migration leads to."""

LEADS_TO = "release-lane.migration"
"""Docker label of a migration's task definition: the revision that it leads to, "" where the image does not say."""

GATE, DEFINITION = "release:index:Migration", "aws:ecs/taskDefinition:TaskDefinition"

PASSED = "passedRevisions"
"""Output of the migration gate: the revisions that the schema was at, oldest first."""


@dataclass(frozen=True, kw_only=True)
class Revisions:
    """What an image's labels say: `needs`, the revisions that its code can live with, and `provides`, the one that its
    migration leads to. Empty where no label says so."""

    needs: tuple[str, ...] = ()
    provides: str = ""

    @staticmethod
    def of(contract: Contract) -> Revisions | None:
        """What an image declares of them; None for nothing."""
        needs, provides = contract.schema_needs or (), contract.schema_provides or ""
        return Revisions(needs=needs, provides=provides) if needs or provides else None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON value; `from_dict` is the inverse."""
        return {"needs": list(self.needs), "provides": self.provides}

    @staticmethod
    def from_dict(value: Mapping[str, Any] | None) -> Revisions | None:
        """Read what `as_dict` wrote; None is what earlier versions recorded."""
        if not value:
            return None
        needs = tuple(str(each) for each in value.get("needs") or ())
        return Revisions(needs=needs, provides=str(value.get("provides") or ""))


@dataclass(frozen=True, kw_only=True)
class Schema:
    """A database's schema, as the migrations of one environment left it.

    `passed`: the revisions that it was at, oldest first; the last one is where it is ("" where the image did not say).
    `begun`: where the migration leads that began last, which may have failed half-way; None if none began.
    """

    passed: tuple[str, ...] = ()
    begun: str | None = None

    @property
    def now(self) -> str:
        """The revision that the last migration which succeeded led to; "" if that is not known."""
        return self.passed[-1] if self.passed else ""

    @property
    def possible(self) -> tuple[str, ...]:
        """The revisions that it may be at: two, if the last migration did not succeed; none if that is not known."""
        ends = dict.fromkeys((self.now, self.now if self.begun is None else self.begun))
        return () if "" in ends else tuple(ends)

    def missed_by(self, code: Revisions | None) -> tuple[str, ...]:
        """The revisions that it may be at and that an image's labels do not name; none where they name none at all."""
        needs = code.needs if code else ()
        return tuple(each for each in self.possible if each not in needs) if needs else ()

    def after(self, revision: str) -> tuple[str, ...]:
        """What it has passed once a migration to this revision succeeded."""
        return self.passed if revision and revision == self.now else (*self.passed, revision)

    def left(self, revision: str) -> bool:
        """Was it at this revision, and is at a later one?"""
        return revision in self.passed and revision not in (self.now, self.begun)

    @staticmethod
    def from_resources(resources: Mapping[str, Any], family: str) -> Schema:
        """Read the resources of a state (URN to `type` and `outputs`). `family`: that of the migration's task
        definitions. The gate has the last migration that succeeded, the task definition the last one that began."""
        gate = _outputs(resources, GATE)
        definitions = (each for each in _outputs(resources, DEFINITION) if each.get("family") == family)
        begun = [label for each in definitions if (label := _leads_to(each)) is not None]
        passed = tuple(str(each) for outputs in gate for each in outputs.get(PASSED) or ())
        return Schema(passed=passed, begun=begun[0] if begun else None)


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A migration that an update runs before it starts tasks. `before` is the revision of the schema, `to` the one that
    it leads to; "" for one that is not known."""

    before: str
    to: str

    def words(self) -> str:
        """`from r1 to r2`."""
        return f"from {self.before or 'an unknown revision'} to {self.to or 'a revision that its image does not name'}"


def _outputs(resources: Mapping[str, Any], type_: str) -> list[Mapping[str, Any]]:
    return [each.get("outputs") or {} for each in resources.values() if each["type"] == type_]


def _leads_to(definition: Mapping[str, Any]) -> str | None:
    containers = json.loads(str(definition.get("containerDefinitions") or "[]"))
    labels = (each.get("dockerLabels") or {} for each in containers)
    return next((str(each[LEADS_TO]) for each in labels if LEADS_TO in each), None)
