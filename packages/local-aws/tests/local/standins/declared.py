"""What the installed SDK packages declare, read off their sources: importing them takes seconds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class Declared:
    """A resource type: its inputs and outputs by wire name, and the classes of nested inputs."""

    inputs: Mapping[str, str]
    """Property name -> the source of its Python type."""
    required: frozenset[str]
    outputs: frozenset[str]
    defaults: Mapping[str, str]
    """Property name -> the default that its documentation states, as it is written there."""
    folder: Path

    def nested(self, annotation: str) -> Mapping[str, str] | None:
        """The fields of the object type that a property's Python type names, None where it names none."""
        match = re.search(r"'(\w+Args)'", annotation)
        if match is None:
            return None
        return _getters(_classes(self.folder / "_inputs.py")[match.group(1)])


@cache
def declared(token: str) -> Declared:
    """`aws:ecs/taskDefinition:TaskDefinition` -> what the package declares under that token."""
    package, place, name = token.split(":")
    folder, _, file = place.rpartition("/")
    home = _home(f"pulumi_{package}") / ("" if folder in ("", "index") else folder)
    path = home / f"{re.sub('([A-Z])', lambda match: '_' + match.group(1).lower(), file)}.py"
    assert repr(token) in path.read_text(), f"{path} does not declare {token}"
    classes = _classes(path)
    arguments = classes[f"{name}Args"]
    return Declared(
        inputs=_getters(arguments),
        required=_required(arguments),
        outputs=frozenset(_getters(classes[name])),
        defaults=dict(_defaults(arguments)),
        folder=home,
    )


def declared_function(token: str) -> tuple[frozenset[str], frozenset[str]]:
    """The arguments and the results of a function token."""
    package, place, name = token.split(":")
    folder, _, file = place.rpartition("/")
    home = _home(f"pulumi_{package}") / ("" if folder in ("", "index") else folder)
    path = home / f"{re.sub('([A-Z])', lambda match: '_' + match.group(1).lower(), file)}.py"
    text = path.read_text()
    assert repr(token) in text, f"{path} does not declare {token}"
    arguments = frozenset(re.findall(r"__args__\['(\w+)'\]", text))
    return arguments, frozenset(_getters(_classes(path)[f"{name[0].upper()}{name[1:]}Result"]))


def _home(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def _classes(path: Path) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)}


def _getters(node: ast.ClassDef) -> dict[str, str]:
    """Wire name -> type, of each property of a generated class."""
    found = {}
    for function in node.body:
        if not isinstance(function, ast.FunctionDef) or function.returns is None:
            continue
        for decorator in function.decorator_list:
            match = re.fullmatch(r"pulumi\.getter(?:\(name='(\w+)'\))?", ast.unparse(decorator))
            if match:
                found[match.group(1) or function.name] = ast.unparse(function.returns)
    return found


def _defaults(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """From the documentation of the constructor's arguments: "Defaults to `true`", "The default value is 300".

    Not that of an engine which no stand-in serves ("For Memcache the default is 11211").
    """
    (constructor,) = (one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
    for text in (ast.get_docstring(constructor) or "").split(":param ")[1:]:
        name = re.match(r"pulumi\.Input\[.*?\] (\w+):", text)
        stated = r"(?<!Memcache the )[Dd]efault(?:s to| is| value is|:)? (?:`([^`]+)`|(true|false|\d+))"
        default = re.search(stated, text)
        if name and default:
            wire = re.sub(r"_(\w)", lambda match: match.group(1).upper(), name.group(1))
            yield wire, default.group(1) or default.group(2)


def _required(node: ast.ClassDef) -> frozenset[str]:
    return frozenset(name for name, type_ in _getters(node).items() if "Optional[" not in type_)
