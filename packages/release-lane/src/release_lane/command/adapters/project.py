"""The project as its files describe it: Pulumi.yaml and a stack file for each stack.

Stack files are next to Pulumi.yaml, or in the folder that RELEASE_LANE_STACKS names (on the local cloud: `.local/env`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from release_lane.errors import UsageError
from release_lane.operate.route import Route, route_of
from release_lane.operate.watching import Alarming
from release_lane.record.app import App
from release_lane.record.names import Access, Names, other_projects
from release_lane.settings.credentials import HANDED, access_of


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """One Pulumi.<name>.yaml. `artifacts` is the stack that holds the registry.

    `idle_tasks`: how many tasks the idle colour keeps (`idle.afterWatch`), None for as many as serve users.
    `notify` is as it stands there; `release.notices` reads it. `other_projects`: whose settings stand there instead.
    """

    name: str
    path: Path
    role: str = "environment"
    promotes_from: str | None = None
    artifacts: str = "artifacts"
    app: App = field(default_factory=App)
    idle_tasks: int | None = None
    notify: Any = None
    other_projects: tuple[str, ...] = ()
    alarming: Alarming = field(default_factory=Alarming)
    access: Access = field(default_factory=lambda: Access(region="", account=""))


@dataclass(frozen=True, kw_only=True)
class Project:
    """Pulumi.yaml's name and folder, and all stack files."""

    name: str
    root: Path
    stacks: Mapping[str, StackFile]

    @property
    def route(self) -> Route:
        """The order of environments; `UsageError` for circles and unknown names."""
        environments = (stack for stack in self.stacks.values() if stack.role == "environment")
        return route_of({stack.name: stack.promotes_from for stack in environments})

    def artifacts_of(self, environment: str) -> str:
        """The stack whose image this environment takes."""
        return self.stacks[self.route.check(environment)].artifacts

    def names(self, stack: str) -> Names:
        """What a stack's resources are called in AWS, and whose account that is."""
        return Names.of_stack(self.name, stack, access=self.stacks[stack].access)

    @property
    def builds(self) -> str:
        """The one stack that builds the image; `UsageError` if there is none or more than one."""
        found = [stack.name for stack in self.stacks.values() if stack.role == "artifacts"]
        if len(found) == 1:
            return found[0]
        raise UsageError(
            f"There are {len(found)} stack files with role: artifacts, but one is needed to build.",
            why=f"in {self.root}: {', '.join(found) or 'none'}" + self._renamed(),
            next_step=f"keep one Pulumi.<name>.yaml with {self.name}:role: artifacts.",
        )

    def _renamed(self) -> str:
        """Keys of a project by another name, as they stand there after Pulumi.yaml's name was changed."""
        others = sorted({name for stack in self.stacks.values() for name in stack.other_projects})
        if not others:
            return ""
        return f". Keys begin with {self.name}: (the name in Pulumi.yaml), but these with {', '.join(others)}:"


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` with a Pulumi.yaml."""
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").exists():
            return folder
    raise UsageError(
        f"There is no Pulumi.yaml in {start} or above it.", next_step="run `release` inside the project's checkout."
    )


STACKS = "RELEASE_LANE_STACKS"
"""Environment: another folder of stack files, absolute or relative to the project's root."""


def read_project(root: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Read all stack files; `UsageError` names a file that cannot be read."""
    name = str(_read(root / "Pulumi.yaml").get("name") or "")
    files = _stack_files(root, (environ or {}).get(STACKS, ""))
    stacks = [_stack(path, name) for path in files]
    return Project(name=name, root=root, stacks={stack.name: stack for stack in stacks})


def _stack_files(root: Path, elsewhere: str) -> list[Path]:
    """Those next to Pulumi.yaml, unless another folder is named."""
    files = sorted((root / elsewhere).glob("Pulumi.*.yaml"))
    if files or not elsewhere:
        return files
    raise UsageError(
        f"There is no stack file in {root / elsewhere}.",
        why=f"the variable {STACKS} names that folder",
        next_step=f"make them again (local cloud: `local-aws up`), or unset {STACKS}.",
    )


def _alarming(path: Path, raw: Any) -> Alarming:
    try:
        return Alarming.read(raw)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"The key alarms of {path.name} cannot be read.",
            why=str(error),
            next_step="correct it; docs/stack-settings.example.yaml has all of its settings.",
        ) from error


def _stack(path: Path, project: str) -> StackFile:
    config = settings_in(path)
    _no_secrets(path, config, project)
    own = {key.split(":", 1)[-1]: value for key, value in config.items() if key.startswith(f"{project}:")}
    return StackFile(
        name=path.name.removeprefix("Pulumi.").removesuffix(".yaml"),
        path=path,
        role=str(own.get("role") or "environment"),
        promotes_from=str(own["promotesFrom"]) if own.get("promotesFrom") else None,
        artifacts=str(own.get("artifacts") or "artifacts"),
        app=_app(own.get("app")),
        idle_tasks=_idle_tasks(own.get("idle")),
        notify=own.get("notify"),
        other_projects=other_projects(config, project),
        alarming=_alarming(path, own.get("alarms")),
        access=access_of(config, str(own.get("account") or "")),
    )


READ = frozenset({"role", "promotesFrom", "artifacts", "app", "idle", "notify", "alarms", "account"})
"""This project's keys that the command reads itself."""


def _no_secrets(path: Path, config: Mapping[str, Any], project: str) -> None:
    """What the command reads itself is no secret: it could not decrypt it. The program judges all keys."""
    read = {f"{project}:{key}" for key in READ} | {f"aws:{key}" for key in HANDED}
    for key in sorted(read & config.keys()):
        if _encrypted(config[key]):
            raise UsageError(
                f"{key} in {path.name} is encrypted, but no setting can be.",
                why="settings are read by the command, and stand in the state",
                next_step="write it plainly, or (notify.webhook) give the ARN of the secret that holds it.",
            )


def _encrypted(value: Any) -> bool:
    """Is it, or something in it, what `pulumi config set --secret` writes?"""
    if isinstance(value, Mapping):
        return "secure" in value or any(map(_encrypted, value.values()))
    return isinstance(value, list) and any(map(_encrypted, value))


def _app(app: Any) -> App:
    """What is right of it; the program refuses the rest."""
    given = app if isinstance(app, Mapping) else {}
    plain = App()
    return App(
        folder=str(given.get("folder") or plain.folder), dockerfile=str(given.get("dockerfile") or plain.dockerfile)
    )


def _idle_tasks(idle: Any) -> int | None:
    tasks = idle.get("afterWatch") if isinstance(idle, Mapping) else None
    return tasks if isinstance(tasks, int) else None


def settings_in(path: Path) -> dict[str, Any]:
    """A stack file's `config`, by full keys; `UsageError` for a file that cannot be read."""
    config = _read(path).get("config") or {}
    if not isinstance(config, Mapping):
        raise UsageError(f"The config of {path.name} is not a mapping of settings.", next_step="correct the file.")
    return {str(key): value for key, value in config.items()}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _OnceEach)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name} cannot be read.", why=str(error), next_step="correct the file.") from error
    if not isinstance(found, Mapping):
        raise UsageError(f"{path.name} is not a mapping of settings.", next_step="correct the file.")
    return found


MERGE = "tag:yaml.org,2002:merge"
"""Of the key `<<`."""


class _OnceEach(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: YAML would take the last one, and the engine refuses it without
    the file's name."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As ever, once each key was seen to be there once."""
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            name, line = (key.tag, str(key.value)), key.start_mark.line + 1
            if name in lines and key.tag != MERGE:
                raise yaml.YAMLError(f"the key {key.value} stands there twice, in lines {lines[name]} and {line}")
            lines[name] = line
        return super().construct_mapping(node, deep)
