"""The Pulumi project that a local cloud serves, and its stack files as the local cloud needs them.

A project's own stack files are for an AWS account. `write_overlays` writes a copy of each below `.local/`, with what
differs here: the settings of `[tool.local-aws.settings]`, this cloud's region, the salt of its passphrase.

    [tool.local-aws]
    stacks = ["staging", "production"]      # all that have a stack file, unless given
    servers = ["database", "cache"]         # made ready by `up`, not when the first one is created: RDS's PostgreSQL,
                                            # ElastiCache's Valkey
    [tool.local-aws.settings]               # in every stack file here: key of the project (or full key) = value
    account = "000000000000"
    "limits.seconds" = 5                    # one entry of a map, in the files that have this map
    [tool.local-aws.settings-of.staging]    # the same, in one stack's file
    replicas = 1
    [tool.local-aws.environment]            # more variables for `.local/env`; {stacks} is the overlays' folder
    MY_STACKS = "{stacks}"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local_aws.errors import LocalError

PASSPHRASE = "local-cloud"
SALT = "v1:0P0WVmU2PhY=:v1:BdM2SRhlfdd3DD+N:L5OILvnJbSljBbjwmjxyMFYmlvVUOQ=="
"""Checks PASSPHRASE: the engine refuses another one. Neither is a secret."""
ACCOUNT, REGION = "000000000000", "us-east-1"  # of everything in a local cloud
OF_AN_ACCOUNT = ("secretsprovider", "encryptedkey", "encryptionsalt")
"""Keys of a stack file by which secrets are decrypted; the local cloud has its own."""
CREDENTIALS = frozenset(
    f"aws:{key}" for key in ("profile", "assumeRole", "assumeRoles", "assumeRoleWithWebIdentity", "allowedAccountIds")
)
"""Settings of the AWS provider that name a real account's roles and credentials; overlays leave them out."""
SERVERS = ("cache", "database")
"""Kinds of servers that a project's program creates."""
KNOWN = {"stacks", "servers", "settings", "settings-of", "environment"}


@dataclass(frozen=True, kw_only=True)
class Project:
    """`name` is "" without a Pulumi.yaml. `settings` by full keys, `settings_of` those of one stack.

    `folder` is where the stack files are.
    """

    root: Path
    name: str = ""
    folder: Path
    stacks: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    settings_of: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[str, ...] = ()

    def stack_file(self, stack: str) -> Path:
        return self.folder / f"Pulumi.{stack}.yaml"

    def variables(self, overlays: Path) -> dict[str, str]:
        """The project's own variables for `.local/env`."""
        return {name: value.replace("{stacks}", str(overlays)) for name, value in self.environment.items()}


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` with a Pulumi.yaml, or a pyproject.toml that has [tool.local-aws]."""
    for folder in (start, *start.parents):
        if (folder / "Pulumi.yaml").exists() or _table(folder / "pyproject.toml") is not None:
            return folder
    raise LocalError(
        f"There is no Pulumi project in {start} or above it.",
        why="a local cloud belongs to the folder of a Pulumi.yaml, or of a pyproject.toml with [tool.local-aws]",
        next_step="change to the project's folder and run this again",
    )


def read_project(root: Path) -> Project:
    """Raises LocalError naming the file that cannot be read, or the key that is wrong."""
    table = _table(root / "pyproject.toml") or {}
    settings, environment = table.get("settings", {}), table.get("environment", {})
    settings_of = table.get("settings-of", {})
    if unknown := sorted(table.keys() - KNOWN):
        raise _wrong(f"has no key {', '.join(unknown)}")
    if not all(isinstance(each, dict) for each in (settings, environment, settings_of, *_values(settings_of))):
        raise _wrong("needs tables for settings, settings-of.<stack> and environment")
    servers = table.get("servers", [])
    if not isinstance(servers, list) or any(each not in SERVERS for each in servers):
        raise _wrong(f"needs a list for servers, of {', '.join(SERVERS)}")
    if bad := [name for name, value in environment.items() if not isinstance(value, str)]:
        raise _wrong(f"needs text for {', '.join(bad)} in environment")
    pulumi = _yaml(root / "Pulumi.yaml") if (root / "Pulumi.yaml").exists() else {}
    name = str(pulumi.get("name") or "")
    folder = root / str(pulumi.get("stackConfigDir") or "")
    return Project(
        root=root,
        name=name,
        folder=folder,
        stacks=_stacks(table, folder) if name else (),
        settings=_full(name, settings),
        settings_of={stack: _full(name, given) for stack, given in settings_of.items()},
        environment=environment,
        servers=tuple(servers),
    )


def _values(table: Any) -> list[Any]:
    return list(table.values()) if isinstance(table, dict) else []


def _full(project: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """By full keys."""
    return {key if ":" in key else f"{project}:{key}": value for key, value in settings.items()}


def _stacks(table: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    there = [path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in sorted(folder.glob("Pulumi.*.yaml"))]
    chosen = table.get("stacks", there)
    if not isinstance(chosen, list) or not all(isinstance(name, str) for name in chosen):
        raise _wrong("needs a list of names for stacks")
    if missing := sorted({*chosen} - {*there}):
        raise _wrong(f"names stacks without a file Pulumi.<stack>.yaml: {', '.join(missing)}")
    return tuple(chosen)


def overlay(project: Project, stack: str) -> str:
    """The text of the stack file that this stack has in the local cloud."""
    path = project.stack_file(stack)
    content = dict(_yaml(path))
    given = {key: value for key, value in (content.get("config") or {}).items() if key not in CREDENTIALS}
    config = given
    for key, value in (*project.settings.items(), *project.settings_of.get(stack, {}).items()):
        of, colon, name = key.rpartition(":")
        first, *below = name.split(".")
        config = _with(config, [f"{of}{colon}{first}", *below], value)
    if "aws:region" in config:
        config["aws:region"] = REGION
    if encrypted := [str(key) for key, value in config.items() if _encrypted(value)]:
        raise LocalError(
            f"{path.name} has encrypted settings: {', '.join(encrypted)}.",
            why="they were encrypted for another backend, so nothing here can decrypt them",
            next_step="give each a value for the local cloud in [tool.local-aws.settings] of pyproject.toml",
        )
    kept = {key: value for key, value in content.items() if key not in OF_AN_ACCOUNT}
    whole = {**kept, "config": config, "encryptionsalt": SALT}
    text = yaml.dump(whole, Dumper=_AsWritten, sort_keys=False, allow_unicode=True)
    return f"# Written by `local-aws up` from {path.name}. Change that one, then run `local-aws up` again.\n{text}"


def _with(config: Mapping[str, Any], keys: Sequence[str], value: Any) -> dict[str, Any]:
    """With another value. More than one key leads to an entry of a map, if the map is there."""
    first, *rest = keys
    if not rest:
        return {**config, first: value}
    below = config.get(first)
    return {**config, first: _with(below, rest, value)} if isinstance(below, Mapping) else dict(config)


def write_overlays(project: Project, into: Path) -> None:
    """Each stack's overlay, anew. Files of stacks that are no longer there are removed."""
    wanted = {f"Pulumi.{stack}.yaml": overlay(project, stack) for stack in project.stacks}
    into.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        draft = into / f".{name}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(into / name)
    for path in into.glob("Pulumi.*.yaml"):
        if path.name not in wanted:
            path.unlink()


def outdated(project: Project, overlays: Path) -> list[str]:
    """Stacks whose overlay is not what `up` would write now."""
    return [stack for stack in project.stacks if _text(overlays / f"Pulumi.{stack}.yaml") != overlay(project, stack)]


def _encrypted(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "secure" in value or any(map(_encrypted, value.values()))
    return isinstance(value, list) and any(map(_encrypted, value))


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return None


def _table(path: Path) -> dict[str, Any] | None:
    """`[tool.local-aws]` of a pyproject.toml, None where there is none."""
    text = _text(path)
    if text is None:
        return None
    try:
        table = tomllib.loads(text).get("tool", {}).get("local-aws")
    except tomllib.TOMLDecodeError as error:
        raise LocalError(f"{path} cannot be read.", why=str(error), next_step="correct the file") from error
    return table if isinstance(table, dict) else None


class _Plain(str):
    """A scalar that stands in its file without quotes: a reader decides what it is, and PyYAML not as the engine."""

    __slots__ = ()


def _tag(of: Any, text: str) -> str:
    """What PyYAML takes text without quotes for."""
    return str(of.resolve(yaml.ScalarNode, text, (True, False)))


class _Verbatim(yaml.SafeLoader):
    """Takes such a scalar as it is written; a key that stands twice in one mapping is refused, as by the engine."""

    def as_written(self, node: yaml.ScalarNode) -> str:
        """Text in quotes, or with a tag, stays text."""
        plain = node.style is None and node.tag == _tag(self, node.value)
        return _Plain(node.value) if plain else node.value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """As in the base class, after the check."""
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        if twice := sorted({str(key) for key in keys if keys.count(key) > 1}):
            raise yaml.YAMLError(f"the key {twice[0]} stands there twice")
        return super().construct_mapping(node, deep)


for _kind in ("str", "bool", "int", "float", "timestamp", "value"):
    _Verbatim.add_constructor(f"tag:yaml.org,2002:{_kind}", _Verbatim.as_written)


class _AsWritten(yaml.SafeDumper):
    """Writes it as it was, and other text in quotes where a reader might take it for something else."""

    def of_text(self, text: str) -> yaml.Node:
        """A word that begins with a letter is text to all of them, but for these."""
        sure = text[:1].isalpha() and text.lower() not in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if sure else '"')

    def as_written(self, text: _Plain) -> yaml.Node:
        """Without quotes."""
        return self.represent_scalar(_tag(self, text), text)


_AsWritten.add_representer(_Plain, _AsWritten.as_written)
_AsWritten.add_representer(str, _AsWritten.of_text)


def _yaml(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _Verbatim)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise LocalError(f"{path} cannot be read.", why=_mistake(error), next_step="correct the file") from None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise LocalError(f"{path} is not a mapping of settings.", next_step="correct the file")
    return found


def _mistake(error: Exception) -> str:
    """What is wrong and where, without the file's text, which PyYAML's own message repeats: it may hold a secret."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error)
    said = "; ".join(filter(None, (error.context, error.problem))) or "it is no YAML"
    mark = error.problem_mark or error.context_mark
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return _QUOTED.sub("", said) + place


_QUOTED = re.compile(r""" (['"])(?!<)(?:(?!\1).){2,}\1""")
"""Names of an alias or a tag, which a value that begins with `*` or `!` is taken for."""


def _wrong(what: str) -> LocalError:
    return LocalError(f"[tool.local-aws] in pyproject.toml {what}.", next_step="see the README of local-aws")
