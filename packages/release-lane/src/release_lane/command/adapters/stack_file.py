"""A stack file's text as the engine reads it; what its scalars are is in settings/reading.py."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from release_lane.settings.reading import scalar
from release_lane.settings.wording import shown_name

MERGE, PLAIN = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:plain"
"""Of the key `<<`; of a scalar without quotes and without a tag."""


def read(text: str) -> Any:
    """The document's value; `yaml.YAMLError` for one that the engine would not take, or that has two meanings."""
    return yaml.load(text, _AsTheEngine)


class _AsTheEngine(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping: YAML would take the last one, and the engine refuses it without
    the file's name."""

    yaml_implicit_resolvers = {None: [(PLAIN, re.compile(""))], "<": [(MERGE, re.compile("<<$"))]}  # noqa: RUF012
    yaml_constructors = {}  # noqa: RUF012  # set below

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = True) -> dict[Any, Any]:
        """By text, after checking that no key stands there twice."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines and key.tag != MERGE:
                twice = f"the key {shown_name(name)} stands there twice, in lines {lines[name]} and {line}"
                raise yaml.YAMLError(twice)
            lines[name] = line
        return {_key(key): value for key, value in super().construct_mapping(node, deep).items()}

    def any_node(self, node: yaml.Node) -> Any:
        """Of any tag: the engine passes over those that it does not know."""
        match node:
            case yaml.MappingNode():
                return self.construct_mapping(node)
            case yaml.SequenceNode():
                return self.construct_sequence(node, deep=True)
        if node.tag == _TEXT or node.tag.startswith("!"):
            return node.value
        if node.tag not in _RESOLVED:
            raise yaml.YAMLError(f"the tag in line {node.start_mark.line + 1} is no kind of setting")
        try:
            return scalar(node.value)
        except ValueError as error:
            raise yaml.YAMLError(f"{error} (line {node.start_mark.line + 1})") from error


def mistake(error: Exception) -> str:
    """What is wrong with a file and where, without its text: PyYAML's own message repeats the line, and a secret may
    stand there."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return str(error)
    said = "; ".join(filter(None, (error.context, error.problem))) or "it is no YAML"
    mark = error.problem_mark or error.context_mark
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return _QUOTED.sub("", said) + place


_QUOTED = re.compile(r""" (['"])(?!<)(?:(?!\1).){2,}\1""")
"""The file's own words in such a message: the name of an alias or of a tag, which a value that begins with `*` or `!`
is taken for. One character, or a kind of token (`<scalar>`), says nothing of a value."""

_TEXT = "tag:yaml.org,2002:str"
_RESOLVED = (PLAIN, *(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "null", "timestamp", "merge")))
_AsTheEngine.yaml_constructors = {None: _AsTheEngine.any_node}


def _key(key: Any) -> str:
    """As the engine writes the key of a mapping."""
    return key if isinstance(key, str) else "<nil>" if key is None else json.dumps(key)
