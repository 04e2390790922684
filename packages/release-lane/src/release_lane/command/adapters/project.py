"""The project as its files describe it: Pulumi.yaml and a stack file for each stack.

Stack files are next to Pulumi.yaml, or in the folder that RELEASE_LANE_STACKS names (on the local cloud: `.local/env`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import yaml

from release_lane.command.adapters.stack_file import mistake, read
from release_lane.errors import UsageError
from release_lane.operate.route import Route, route_of
from release_lane.record.app import App
from release_lane.record.flags import environment_of
from release_lane.record.names import Access, Names, other_projects
from release_lane.settings.alarms import AlarmSettings
from release_lane.settings.approval import ApprovalSettings
from release_lane.settings.artifacts import AppSettings
from release_lane.settings.credentials import HANDED, access_of
from release_lane.settings.freeze import FreezeSettings
from release_lane.settings.https import HttpsSettings
from release_lane.settings.ledger import apart
from release_lane.settings.migration import MigrationSettings
from release_lane.settings.model import EnvironmentSettings, environment_in, part
from release_lane.settings.notify import NotifySettings
from release_lane.settings.parity import ParitySettings
from release_lane.settings.rollout import RolloutSettings, SmokeSettings
from release_lane.settings.shift import IdleSettings, ShiftSettings


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """One Pulumi.<name>.yaml. `config` are its settings by full keys, `own` this project's without the prefix.

    A key is judged when a verb needs it, so one wrong key does not keep the others from their work: `UsageError`
    names file and key. The program judges all keys at each update.
    """

    name: str
    path: Path
    project: str
    config: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def own(self) -> Mapping[str, Any]:
        """This project's keys without the prefix."""
        prefix = f"{self.project}:"
        return {key.removeprefix(prefix): value for key, value in self.config.items() if key.startswith(prefix)}

    @property
    def builds(self) -> bool:
        """Is it the stack that holds the registry?"""
        return self.own.get("role") == "artifacts"

    @property
    def promotes_from(self) -> str | None:
        """The environment before this one on the route."""
        return cast("str | None", self._part("promotesFrom"))

    @property
    def artifacts(self) -> str:
        """The stack whose image this environment takes."""
        return str(self._part("artifacts"))

    @property
    def idle_tasks(self) -> int | None:
        """How many tasks the idle colour keeps (`idle.afterWatch`), None for as many as serve users.

        A wrong value counts as the default: the next update refuses it, and a recovery must not fail because of it.
        """
        try:
            return cast("IdleSettings", self._part("idle")).tasks
        except UsageError:
            return IdleSettings().tasks

    @property
    def notify(self) -> NotifySettings:
        """Which events are sent, and where to."""
        return cast("NotifySettings", self._part("notify"))

    @property
    def requires_drill(self) -> bool:
        """Does an image need a drill in the environment before?"""
        return bool(self._part("requireDrill"))

    @property
    def parity(self) -> ParitySettings:
        """In what it may differ from the environment before, and why."""
        return cast("ParitySettings", self._part("parity"))

    @property
    def settings(self) -> EnvironmentSettings:
        """All of them, with their defaults."""
        for key in self.own:
            self._not_encrypted(f"{self.project}:{key}")
        return environment_in(self.own, self.path.name)

    @property
    def freeze(self) -> FreezeSettings:
        """In which windows nothing goes forward."""
        return cast("FreezeSettings", self._part("freeze"))

    @property
    def approval(self) -> ApprovalSettings:
        """What an approval has to be."""
        return cast("ApprovalSettings", self._part("approval"))

    @property
    def alarms(self) -> AlarmSettings:
        """Which alarms have a say."""
        return cast("AlarmSettings", self._part("alarms"))

    @property
    def shift(self) -> ShiftSettings:
        """In which steps traffic moves, and how long each is watched."""
        return cast("ShiftSettings", self._part("shift"))

    @property
    def migration(self) -> MigrationSettings:
        """What a new image runs before its tasks start, and for how long."""
        return cast("MigrationSettings", self._part("migration"))

    @property
    def rollout(self) -> RolloutSettings:
        """For how long tasks may take to start."""
        return cast("RolloutSettings", self._part("rollout"))

    @property
    def smoke(self) -> SmokeSettings:
        """For how long smoke checks may be repeated."""
        return cast("SmokeSettings", self._part("smoke"))

    @property
    def ledger(self) -> str:
        """Where it writes what was begun and how it ended, "" where that is nowhere."""
        return str(self._part("ledger") or "")

    @property
    def domain(self) -> str:
        """The name that users come by, "" where that is plain HTTP."""
        return cast("HttpsSettings", self._part("https")).domain

    @property
    def app(self) -> App:
        """What is built of a commit, in the artifacts stack."""
        return cast("AppSettings", self._part("app")).what()

    @property
    def repository(self) -> str:
        """The registry's repository, of the artifacts stack."""
        return str(self._part("repository") or f"{self.project}/app")

    @property
    def access(self) -> Access:
        """Where in AWS its resources are, and as whom AWS is reached."""
        for key in HANDED:
            self._not_encrypted(f"aws:{key}")
        self._not_encrypted(f"{self.project}:account")
        return access_of(self.config, str(self.own.get("account") or ""))

    def _part(self, key: str) -> Any:
        self._not_encrypted(f"{self.project}:{key}")
        return part(self.own, key, self.path.name)

    def _not_encrypted(self, key: str) -> None:
        """The command cannot decrypt what it reads, and neither are settings secrets."""
        if _encrypted(self.config.get(key)):
            raise UsageError(
                f"{key} in {self.path.name} is encrypted, but no setting can be.",
                why="settings are read by the command, and are stored in the state in clear",
                next_step="write the value unencrypted, or (notify.webhook) give the ARN of the secret that holds it.",
            )


@dataclass(frozen=True, kw_only=True)
class Project:
    """Pulumi.yaml's name and folder, and all its stack files. `unused_env`: a local cloud runs here, and this shell is
    not set to it."""

    name: str
    root: Path
    stacks: Mapping[str, StackFile]
    unused_env: bool = False

    @property
    def route(self) -> Route:
        """The order of environments; `UsageError` for circles and unknown names."""
        environments = (stack for stack in self.stacks.values() if not stack.builds)
        return route_of({stack.name: stack.promotes_from for stack in environments})

    @property
    def ledger(self) -> str:
        """The ledger of all environments, "" for none; `UsageError` where they do not name the same."""
        named = {name: self.stacks[name].ledger for name in self.route.environments}
        if found := apart(named):
            raise UsageError(
                f"The environments do not name the same ledger: {found}.",
                why="a ledger is one chain over all environments; in two of them neither shows the whole route",
                next_step="give `ledger` the same value in all their stack files, or leave it out of all.",
            )
        return next(iter(named.values()), "")

    @property
    def to_name_a_ledger(self) -> str:
        """The next step where no ledger is named."""
        if self.unused_env:
            return f"`. {ENV}`: the local cloud of this checkout has a ledger, and this shell is not set to that cloud."
        return "`release ledger create`, then give all environments the same `ledger` (`release settings`)."

    def knows(self, stack: str) -> bool:
        """Is there a file for its settings?"""
        return stack in self.stacks or environment_of(stack) in self.stacks

    def file_of(self, stack: str) -> StackFile:
        """The file that a stack's settings are in: its own, or for the flags of an environment the environment's."""
        return self.stacks[environment_of(stack) if stack not in self.stacks else stack]

    def artifacts_of(self, environment: str) -> str:
        """The stack whose image this environment takes."""
        return self.stacks[self.route.check(environment)].artifacts

    def names(self, stack: str) -> Names:
        """What a stack's resources are called in AWS, and whose account that is."""
        file = self.file_of(stack)
        return Names.of_stack(self.name, stack, access=file.access, domain=file.domain)

    @property
    def builds(self) -> str:
        """The one stack that builds the image; `UsageError` if there is none or more than one."""
        found = [stack.name for stack in self.stacks.values() if stack.builds]
        if len(found) == 1:
            return found[0]
        raise UsageError(
            f"There are {len(found)} stack files with role: artifacts, but one is needed to build.",
            why=f"in {self.root}: {', '.join(found) or 'none'}" + self._renamed(),
            next_step=f"keep one Pulumi.<name>.yaml with {self.name}:role: artifacts.",
        )

    def _renamed(self) -> str:
        """Keys of a project by another name, as they stand there after Pulumi.yaml's name was changed."""
        others = sorted({name for stack in self.stacks.values() for name in other_projects(stack.config, self.name)})
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


ENV = ".local/env"
"""What `. .local/env` reads, below the project's root: there while a local cloud runs."""
STACKS = "RELEASE_LANE_STACKS"
"""Environment: another folder of stack files, absolute or relative to the project's root."""


def read_project(root: Path, environ: Mapping[str, str] | None = None) -> Project:
    """Read all stack files; `UsageError` names a file that cannot be read."""
    name = str(_read(root / "Pulumi.yaml").get("name") or "")
    files = _stack_files(root, (environ or {}).get(STACKS, ""))
    stacks = [_stack(path, name) for path in files]
    unused = not (environ or {}).get(STACKS) and (root / ENV).is_file()
    return Project(name=name, root=root, stacks={stack.name: stack for stack in stacks}, unused_env=unused)


def changed_since(root: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Stack files next to Pulumi.yaml that are newer than their copies in the folder that STACKS names.

    What was changed in them is not in use yet. A stack may have no copy; a file that was added since counts.
    """
    if not (elsewhere := environ.get(STACKS, "")):
        return ()
    made = {path.name: path.stat().st_mtime_ns for path in (root / elsewhere).glob("Pulumi.*.yaml")}
    last = max(made.values(), default=0)
    own = {path.name: path.stat().st_mtime_ns for path in sorted(root.glob("Pulumi.*.yaml"))}
    return tuple(name for name, at in own.items() if at > made.get(name, last)) if made else ()


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


def _stack(path: Path, project: str) -> StackFile:
    name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
    return StackFile(name=name, path=path, project=project, config=settings_in(path))


def _encrypted(value: Any) -> bool:
    """Is it, or something in it, what `pulumi config set --secret` writes?"""
    if isinstance(value, Mapping):
        return "secure" in value or any(map(_encrypted, value.values()))
    return isinstance(value, list) and any(map(_encrypted, value))


def secrets_provider(path: Path) -> str:
    """Under which key a stack file says that secrets are in the state; "" for the engine's default."""
    return str(_read(path).get("secretsprovider") or "")


def settings_in(path: Path) -> dict[str, Any]:
    """A stack file's `config`, by full keys, with the values that the engine reads; `UsageError` for a file that
    cannot be read."""
    config = _read(path).get("config") or {}
    if not isinstance(config, Mapping):
        raise UsageError(f"The config of {path.name} is not a mapping of settings.", next_step="correct the file.")
    return {str(key): value for key, value in config.items()}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = read(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name} cannot be read.", why=mistake(error), next_step="correct the file.") from None
    if not isinstance(found, Mapping):
        raise UsageError(f"{path.name} is not a mapping of settings.", next_step="correct the file.")
    return found
