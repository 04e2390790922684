"""The pass that one gate hands to the next: what it passed, and in which run.

The run token is made when the provider process starts, and one process serves one update. A pass that comes out of
the state of an earlier update (`--target`, `--exclude`, a gate that did not run) therefore never opens anything.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from release_lane.errors import Refused, Users
from release_lane.record.digest import short
from release_lane.record.records import Known
from release_lane.record.table import Table

RUN = uuid.uuid4().hex
"""Names this process, and with it this update."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What passed a gate: digest, and (from Rollout on) colour, task definition and ECS deployment; and the run.

    `manifests` are the digests that ECS may report for the image. `tasks`: address and ECS's digest of each.
    `migrated`: what a migration did (`from r1 to r2`), "" where none ran. `unchecked` are short sentences of what this
    gate and those before it could not see, `tables` what smoke checks reported. All end in the evidence.
    """

    digest: str
    run: str
    colour: str = ""
    taskDefinition: str = ""
    deployment: str = ""
    manifests: frozenset[str] = frozenset()
    tasks: Mapping[str, str] = field(default_factory=dict)
    migrated: str = ""
    unchecked: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The `passedFor` output."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        more = {
            "manifests": sorted(self.manifests),
            "tasks": dict(self.tasks),
            "migrated": self.migrated,
            "tables": [table.as_dict() for table in self.tables],
        }
        return {**texts, **{key: value for key, value in more.items() if value}, "unchecked": list(self.unchecked)}

    @property
    def known(self) -> Known | None:
        """What the colour ran when it passed; None for a pass without tasks."""
        if not self.tasks:
            return None
        return Known(
            image=self.digest,
            release="",
            task_definition=self.taskDefinition,
            deployment=self.deployment,
            tasks=self.tasks,
        )

    @staticmethod
    def from_dict(value: Mapping[str, Any]) -> Pass:
        """Read what `as_dict` wrote, in this version or an earlier one."""
        texts = {key: str(value.get(key) or "") for key in _TEXTS}
        tasks = {str(ip): str(digest) for ip, digest in (value.get("tasks") or {}).items()}
        return Pass(
            **texts,
            manifests=frozenset(value.get("manifests") or ()),
            tasks=tasks,
            migrated=str(value.get("migrated") or ""),
            unchecked=_sentences(value),
            tables=tuple(Table.from_dict(table) for table in value.get("tables") or ()),
        )

    def after(self, before: Any) -> Pass:
        """This pass with the migration that ran before and with what the gate before could not see, if that ran in
        this update."""
        if not (isinstance(before, Mapping) and before.get("run") == RUN):
            return self
        migrated = self.migrated or str(before.get("migrated") or "")
        return replace(self, migrated=migrated, unchecked=together(_sentences(before), self.unchecked))


_TEXTS = ("digest", "run", "colour", "taskDefinition", "deployment")


def together(*parts: Iterable[str]) -> tuple[str, ...]:
    """All sentences in order, each once."""
    return tuple(dict.fromkeys(sentence for part in parts for sentence in part))


def _sentences(passed: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(sentence) for sentence in passed.get("unchecked") or ())


def demand(passed: Mapping[str, Any] | None, *, gate: str, digest: str, colour: str = "") -> Pass:
    """The pass of the gate before, if it is for this digest (and colour) and of this very run; else `Refused`."""
    why = ""
    if not passed:
        why = "it left no pass at all"
    elif passed.get("run") != RUN:
        why = "its pass is of an earlier run; a gate cannot be skipped with --target or --exclude"
    elif passed.get("digest") != digest:
        why = f"it passed {short(str(passed.get('digest')))}"
    elif colour and passed.get("colour") != colour:
        why = f"it passed {passed.get('colour')}, wanted is {colour}"
    if why or not passed:
        raise Refused(
            f"{gate} did not pass {short(digest)} in this update.",
            why=why,
            next_step="run the whole update, without --target and --exclude.",
            users=Users.UNTOUCHED,
        )
    return Pass.from_dict(passed)
