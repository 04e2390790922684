"""Who may import whom, read off the sources themselves; and what committed stack files must never carry."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from release_lane.settings.model import ALL_PER_RUN

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {
    "release_lane": ROOT / "packages/release-lane/src",
    "provider_kit": ROOT / "packages/provider-kit/src",
    "local_aws": ROOT / "packages/local-aws/src",
    "infra": ROOT,
    "app": ROOT,
    "smoke": ROOT,
    "tools": ROOT,
}
"""Package -> the folder that it is imported from."""

OURS = set(SOURCES)
PURE = ("decide", "record", "watch", "engine", "settings", "operate")
"""Rooms of release_lane that only decide."""

ALSO_PURE = (
    "release_lane.errors",
    "release_lane.proxies",
    "release_lane.smoke.checks",
    "release_lane.smoke.recorded",
)

PURE_STDLIB = {
    *("__future__", "abc", "collections", "dataclasses", "enum", "functools", "hashlib", "html", "itertools"),
    *("ipaddress", "json", "math", "operator", "re", "string", "textwrap", "types", "typing", "xml"),
}
"""What a module that only decides may use: nothing of it reads a clock, a file, a process or an environment."""

CALENDAR = "release_lane.record.times"
"""The one pure module that may use datetime, which has a calendar as well as a clock, and the table of time zones."""

MODEL = {"pydantic", "difflib"}
"""What `settings` may use besides: they are models of pydantic."""

IMPURE_CALLS = {"open", "input", "print", "eval", "exec", "breakpoint", "__import__"}


def sources(*packages: str) -> list[Path]:
    """All modules of packages or rooms, by dotted name."""
    found = [path for name in packages for path in sorted(folder_of(name).rglob("*.py"))]
    assert found, f"nothing found in {packages}: this test would check nothing"
    return found


def folder_of(name: str) -> Path:
    return SOURCES[name.split(".")[0]] / name.replace(".", "/")


def module_of(path: Path) -> str:
    home = max((root for root in SOURCES.values() if path.is_relative_to(root)), key=lambda root: len(root.parts))
    return ".".join(path.relative_to(home).with_suffix("").parts).removesuffix(".__init__")


@cache
def pure_modules() -> list[Path]:
    rooms = sources(*(f"release_lane.{room}" for room in PURE))
    return sorted([*rooms, *(folder_of(name).with_suffix(".py") for name in ALSO_PURE)])


@cache
def imported(path: Path) -> tuple[str, ...]:
    package = module_of(path).split(".")
    return tuple(imported_by(path.read_text(), tuple(package if path.name == "__init__.py" else package[:-1])))


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


def of_tests() -> list[Path]:
    """All that tests consist of, from the root."""
    folders = (ROOT / "tests", *(ROOT / "packages").glob("*/tests"))
    return sorted(path.relative_to(ROOT) for folder in folders for path in folder.rglob("*.py"))


def ours(path: Path) -> list[str]:
    return [name for name in imported(path) if name.split(".")[0] in OURS]


def relative(path: Path) -> str:
    return module_of(path)


# ---- decisions are pure


@pytest.mark.parametrize("path", pure_modules(), ids=relative)
def test_a_pure_module_imports_only_pure_modules_and_harmless_parts_of_the_standard_library(path: Path) -> None:
    allowed = {module_of(other) for other in pure_modules()}
    harmless = PURE_STDLIB | (MODEL if within(module_of(path), "release_lane.settings") else set())
    for name in imported(path):
        if name.split(".")[0] in OURS:
            assert within(name, *allowed), f"{relative(path)} imports {name}"
        elif not (module_of(path) == CALENDAR and name.startswith(("datetime.", "zoneinfo."))):
            assert name.split(".")[0] in harmless, f"{relative(path)} imports {name}"


def test_the_calendar_reads_no_clock() -> None:
    path = next(path for path in pure_modules() if module_of(path) == CALENDAR)
    named = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert named
    assert not named & {"now", "today", "utcnow", "astimezone"}


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
    assert {"decision", "rollout", "journal", "records", "placement", "limits"} <= {
        path.stem for path in pure_modules()
    }


# ---- arrows between packages


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        (
            "infra",
            ("release_lane.program",),
        ),
        ("release_lane", ("release_lane", "provider_kit")),
        ("provider_kit", ("provider_kit",)),
        ("local_aws", ("local_aws", "provider_kit")),
        ("tools", ("tools", "local_aws", "release_lane", "provider_kit")),
        ("app", ("app",)),
        ("smoke", ("smoke",)),
    ],
)
def test_packages_import_only_along_the_arrows(package: str, allowed: tuple[str, ...]) -> None:
    wrong = {relative(path): name for path in sources(package) for name in ours(path) if not within(name, *allowed)}
    assert not wrong


FLOORS = ("record", "decide engine watch", "settings", "operate")
"""The pure rooms, from the ground up: each uses those below it, and not those next to it."""


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_a_pure_room_stands_on_those_below_it(floor: int) -> None:
    below = [f"release_lane.{room}" for row in FLOORS[:floor] for room in row.split()]
    for room in FLOORS[floor].split():
        allowed = (
            f"release_lane.{room}",
            "release_lane.errors",
            "release_lane.proxies",
            *below,
        )
        used = {relative(path): name for path in sources(f"release_lane.{room}") for name in ours(path)}
        assert not {path: name for path, name in used.items() if not within(name, *allowed)}


def test_nothing_imports_the_command_but_itself() -> None:
    outside = [path for path in sources(*OURS) if not within(relative(path), "release_lane.command")]
    assert not {relative(path): name for path in outside for name in ours(path) if within(name, "release_lane.command")}


@pytest.mark.parametrize(
    ("room", "besides"),
    [
        ("program", ("release_lane.disk",)),
        ("gates", ("release_lane.aws", "release_lane.smoke", "release_lane.ledger")),
        ("ledger", ("release_lane.aws",)),
        ("aws", ()),
        ("probe", ("release_lane.smoke.connecting",)),
        ("disk", ()),
        ("smoke", ()),
    ],
)
def test_rooms_with_effects_use_the_pure_ones_and_what_is_named_here(room: str, besides: tuple[str, ...]) -> None:
    allowed = [module_of(path) for path in pure_modules()] + [f"release_lane.{room}", *besides]
    used = {relative(path): name for path in sources(f"release_lane.{room}") for name in ours(path)}
    assert not {
        path: name for path, name in used.items() if within(name, "release_lane") and not within(name, *allowed)
    }


def test_the_local_cloud_names_nothing_of_the_lane() -> None:
    naming = [
        relative(path) for path in sources("local_aws") if re.search("release_lane|RELEASE_LANE", path.read_text())
    ]
    assert not naming


def test_smoke_checks_need_nothing_but_pytest_and_requests() -> None:
    names = {name.split(".")[0] for path in sources("smoke") for name in imported(path)}
    assert names - set(sys.stdlib_module_names) <= {"pytest", "requests"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import release_lane.command", "release_lane.command"),
        ("import boto3.session as b", "boto3.session"),
        ("from release_lane import command", "release_lane.command"),
        ("from release_lane.command import main", "release_lane.command.main"),
        ("def late():\n    import local_aws.up", "local_aws.up"),
        ("if False:\n    from local_aws import up", "local_aws.up"),
        ("from . import command", "release_lane.gates.command"),
        ("from .. import command", "release_lane.command"),
        ("from ..command import main", "release_lane.command.main"),
    ],
)
def test_the_reader_of_imports_sees_every_form(text: str, name: str) -> None:
    """The checks above are worth as much as the reader."""
    assert list(imported_by(text, ("release_lane", "gates"))) == [name]


def test_a_package_is_not_its_namesake() -> None:
    assert within("release_lane.command.main", "release_lane.command")
    assert not within("release_lane.commander", "release_lane.command")


# ---- what tests may do


def set_from_outside(text: str) -> Iterator[str]:
    """Constants of modules that a test sets: `setattr(module, "NAME", …)`, `setattr("module.NAME", …)`, and
    `module.NAME = …`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("setattr"):
            names = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
            yield from (name for name in map(str, names) if name.rpartition(".")[2].isupper())
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            set_ = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.attr for each in set_ if isinstance(each, ast.Attribute) and each.attr.isupper())


@pytest.mark.parametrize("path", of_tests(), ids=str)
def test_a_test_gives_a_constant_as_an_argument_and_sets_none(path: Path) -> None:
    """What another value is good for can be asked for; and two tests can never see each other's."""
    assert not [*set_from_outside((ROOT / path).read_text())]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('monkeypatch.setattr(notify, "ANSWER_WITHIN", 0.1)', ["ANSWER_WITHIN"]),
        ('monkeypatch.setattr("app.flags.EVERY", 0.1)', ["app.flags.EVERY"]),
        ('setattr(notify, "TRIES", 1)', ["TRIES"]),
        ("notify.TRIES = 1", ["TRIES"]),
        ("TRIES = notify.TRIES", []),
        ('monkeypatch.setattr(notify, "_post", "BROKEN")', []),
    ],
)
def test_the_reader_of_tests_sees_what_is_set(text: str, names: list[str]) -> None:
    assert [*set_from_outside(text)] == names


# ---- stack files


def stack_files() -> list[Path]:
    return sorted(ROOT.glob("Pulumi.*.yaml"))


def test_there_are_stack_files() -> None:
    assert {"Pulumi.artifacts.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"} <= {
        path.name for path in stack_files()
    }


@pytest.mark.parametrize("path", stack_files(), ids=relative)
@pytest.mark.parametrize("key", ALL_PER_RUN)
def test_what_is_given_per_run_is_never_committed(path: Path, key: str) -> None:
    assert f"release-lane:{key}" not in yaml.safe_load(path.read_text())["config"]
