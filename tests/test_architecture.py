"""Who may import whom, read off the sources themselves; and what committed stack files must never carry."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parent.parent
OURS = {"app", "gates", "infra", "local", "release", "smoke"}

PURE_STDLIB = {
    *("__future__", "abc", "collections", "dataclasses", "enum", "functools", "hashlib", "itertools"),
    *("ipaddress", "json", "math", "operator", "re", "string", "textwrap", "types", "typing", "xml"),
}
"""What a module that only decides may use: nothing of it reads a clock, a file, a process or an environment."""

IMPURE_CALLS = {"open", "input", "print", "eval", "exec", "breakpoint", "__import__"}


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, f"nothing found in {folders}: this test would check nothing"
    return found


def pure_modules() -> list[Path]:
    """The modules directly in `release/`; adapters, cli and the like are folders of it."""
    return [path for path in sorted((ROOT / "release").glob("*.py")) if path.name != "__main__.py"]


def imported(path: Path) -> Iterator[str]:
    return imported_by(path.read_text(), path.relative_to(ROOT).parts[:-1])


def imported_by(text: str, package: tuple[str, ...]) -> Iterator[str]:
    """Absolute names of everything that a module of `package` imports, anywhere in it; `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = [*package[: len(package) - level + 1]] if level else []
                stem = ".".join([*base, *([module] if module else [])])
                yield from (f"{stem}.{each.name}" for each in names)


def within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def ours(path: Path) -> list[str]:
    return [name for name in imported(path) if name.split(".")[0] in OURS]


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


# ---- decisions are pure


@pytest.mark.parametrize("path", pure_modules(), ids=relative)
def test_a_pure_module_imports_only_pure_modules_and_harmless_parts_of_the_standard_library(path: Path) -> None:
    allowed = {f"release.{other.stem}" for other in pure_modules()}
    for name in imported(path):
        if name.split(".")[0] in OURS:
            assert within(name, *allowed), f"{relative(path)} imports {name}"
        else:
            assert name.split(".")[0] in PURE_STDLIB, f"{relative(path)} imports {name}"


@pytest.mark.parametrize("path", pure_modules(), ids=relative)
def test_a_pure_module_calls_nothing_that_reaches_outside(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    called = {func.id for func in calls if isinstance(func, ast.Name)}
    assert not called & IMPURE_CALLS


def test_the_allowed_part_of_the_standard_library_holds_no_door_to_the_outside() -> None:
    doors = {"asyncio", "datetime", "importlib", "io", "os", "pathlib", "random", "secrets", "shutil", "socket"}
    doors |= {"subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid", "logging"}
    assert not PURE_STDLIB & doors
    assert sys.stdlib_module_names >= PURE_STDLIB


def test_the_decision_is_among_the_pure_modules() -> None:
    assert {"decision", "rollout", "journal", "records", "placement"} <= {path.stem for path in pure_modules()}


# ---- arrows between packages


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        ("infra", ("infra", "release")),
        ("gates", ("gates", "release")),
        ("release", ("release",)),
        # the stand-ins for provider plugins are providers, too, and built on the same kit
        ("local", ("local", "release", "gates.kit", "gates.startup")),
        ("app", ("app",)),
        ("smoke", ("smoke",)),
    ],
)
def test_packages_import_only_along_the_arrows(package: str, allowed: tuple[str, ...]) -> None:
    wrong = {relative(path): name for path in sources(package) for name in ours(path) if not within(name, *allowed)}
    assert not wrong


@pytest.mark.parametrize("end", ["release.cli", "local"])
def test_nobody_imports_the_command_or_the_local_cloud(end: str) -> None:
    folder = end.replace(".", "/") + "/"
    outside = [path for path in sources(*OURS) if not relative(path).startswith(folder)]
    assert not {relative(path): name for path in outside for name in ours(path) if within(name, end)}


@pytest.mark.parametrize(
    ("folder", "besides"),
    [
        ("infra", ("release.disk",)),
        ("gates", ("release.aws",)),
        ("release/aws", ("release.aws",)),
        ("release/probe", ("release.probe", "release.streams")),
        ("release/streams", ()),
        ("release/disk", ("release.disk",)),
    ],
)
def test_what_is_beside_the_command_uses_only_the_pure_part_of_release(folder: str, besides: tuple[str, ...]) -> None:
    allowed = [f"release.{path.stem}" for path in pure_modules()] + list(besides)
    used = {relative(path): name for path in sources(folder) for name in ours(path) if within(name, "release")}
    assert not {path: name for path, name in used.items() if not within(name, *allowed)}


def test_the_kit_of_the_providers_imports_nothing_of_the_rest() -> None:
    assert not [name for path in sources("gates/kit") for name in ours(path) if not within(name, "gates.kit")]


def test_smoke_checks_need_nothing_but_pytest_and_requests() -> None:
    names = {name.split(".")[0] for path in sources("smoke") for name in imported(path)}
    assert names - set(sys.stdlib_module_names) <= {"pytest", "requests"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import release.cli", "release.cli"),
        ("import boto3.session as b", "boto3.session"),
        ("from release import cli", "release.cli"),
        ("from release.cli import main", "release.cli.main"),
        ("def late():\n    import local.up", "local.up"),
        ("if False:\n    from local import up", "local.up"),
        ("from . import cli", "release.adapters.cli"),
        ("from .. import cli", "release.cli"),
        ("from ..cli import main", "release.cli.main"),
    ],
)
def test_the_reader_of_imports_sees_every_form(text: str, name: str) -> None:
    """The checks above are worth as much as the reader."""
    assert list(imported_by(text, ("release", "adapters"))) == [name]


def test_a_package_is_not_its_namesake() -> None:
    assert within("release.cli.main", "release.cli")
    assert not within("release.client", "release.cli")


# ---- stack files


def stack_files() -> list[Path]:
    return sorted(ROOT.glob("Pulumi.*.yaml"))


def test_there_are_stack_files() -> None:
    assert {"Pulumi.artifacts.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"} <= {
        path.name for path in stack_files()
    }


@pytest.mark.parametrize("path", stack_files(), ids=relative)
@pytest.mark.parametrize(
    "key",
    ["imageDigest", "rollbackFrom", "onDrift", "onAlarm", "allowOlder", "allowReplace", "source", "adopt"],
)
def test_what_is_given_per_run_is_never_committed(path: Path, key: str) -> None:
    assert f"release-lane:{key}" not in yaml.safe_load(path.read_text())["config"]
