"""docs/changing.md is true: files exist, counts are right, and each example, applied to a copy, does what it says."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_aws import project as local_cloud
from release_lane.command.adapters.project import read_project
from release_lane.record.placement import Colour
from release_lane.settings.model import EnvironmentSettings, parse
from tests.program.conftest import in_the_program, loop
from tests.program.mocks import ACCOUNT, ARTIFACTS, FIRST, SECOND, World, observed, outputs_of, release, run

from tests.patience import PATIENCE

__all__ = ["in_the_program", "loop"]

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/changing.md"
LIBRARY = "packages/release-lane/src/release_lane"

SECTION = re.compile(r"^## (\d+)\. (.+): (\d+) files?$", re.MULTILINE)
BULLET = re.compile(r"^- (and [^`]*)?`([^`]+)`", re.MULTILINE)
EXAMPLE = re.compile(r"^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"<\w+>")

PROMISED = {
    "another bake length": 1,
    "another smoke check": 1,
    "another wording of the review": 1,
    "a new verb": 1,
    "a new setting of your own": 2,
    "a new gate": 2,
    "a new aws resource in an environment": 1,
    "another environment": 1,
    "another listener port": 1,
    "another alarm": 1,
}


@dataclass(frozen=True)
class Change:
    """One section: the files to touch, those that go along, and the example for each file that has one."""

    title: str
    count: int
    files: tuple[str, ...]
    along: tuple[str, ...]
    examples: Mapping[str, str]


def changes() -> dict[str, Change]:
    """By title, in lower case."""
    text = PAGE.read_text()
    heads = [*SECTION.finditer(text)]
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = [change_in(head, text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]
    return {change.title: change for change in found}


def change_in(head: re.Match[str], body: str) -> Change:
    bullets = [(match.start(), match[2], bool(match[1])) for match in BULLET.finditer(body)]
    examples = {}
    for example in EXAMPLE.finditer(body):
        named = [file for start, file, along in bullets if start < example.start() and not along]
        examples[named[-1]] = example[1]
    return Change(
        title=head[2].lower(),
        count=int(head[3]),
        files=tuple(file for _, file, along in bullets if not along),
        along=tuple(file for _, file, along in bullets if along),
        examples=examples,
    )


def applied(text: str, example: str) -> str:
    """`text` with the example's lines added and removed; each place is found once."""
    for hunk in example.split("@@\n"):
        lines = hunk.splitlines()
        old = [line[1:] for line in lines if not line.startswith("+")]
        new = [line[1:] for line in lines if not line.startswith("-")]
        if not old:
            text = f"{text.rstrip()}\n\n\n" if text else ""
            text += "".join(f"{line}\n" for line in new)
            continue
        wanted = "\n".join(old)
        assert text.count(wanted) == 1, f"{text.count(wanted)} times: {wanted}"
        text = text.replace(wanted, "\n".join(new))
    return text


def change(folder: Path, title: str, **places: str) -> list[Path]:
    """Apply the examples of a change to a copy in `folder`; the files that it touched."""
    touched = []
    for file, example in changes()[title].examples.items():
        path = folder / PLACE.sub(lambda place: places[place[0].strip("<>")], file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(applied(path.read_text() if path.exists() else "", example))
        touched.append(path)
    return touched


def copied(folder: Path, *names: str) -> Path:
    """A copy of files and folders of this repository."""
    for name in names:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target)
    return folder


def settings_of(folder: Path, stack: str) -> EnvironmentSettings:
    """As the program reads a stack file."""
    config = yaml.safe_load((folder / f"Pulumi.{stack}.yaml").read_text())["config"]
    raw = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    blank = {"account": ACCOUNT, "https": json.dumps({"domain": "shop.example.com", "hostedZone": "Z1"})}
    filled = {key: value for name, value in blank.items() if "FILL-IN" in raw.get(key := f"release-lane:{name}", "")}
    settings = parse({**raw, **filled}, "release-lane", stack)
    assert isinstance(settings, EnvironmentSettings)
    return settings


def python(folder: Path, *words: str, home: Path | None = None, **environment: str) -> str:
    """Output of a Python in `folder` that finds the copy of the library in `home` first."""
    path = os.pathsep.join([str((home or folder) / "packages/release-lane/src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def own_modules() -> Iterator[None]:
    """The program's modules lie next to it and have plain names: another copy of it has others of the same names."""
    plain = {path.stem for path in (ROOT / "infra").glob("*.py")} - {"__main__"}
    kept = {name: sys.modules.pop(name) for name in plain if name in sys.modules}
    try:
        yield
    finally:
        for name in plain:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


def deployed(program: Path, **settings: str) -> World:
    """What a program registers where FIRST is live on blue and SECOND is deployed."""
    seen = observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND)
    world = World(outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)}, observed=seen)
    with own_modules():
        return run(world, {"release-lane:imageDigest": SECOND, **settings}, program=program)


def registered(world: World) -> set[tuple[str, str]]:
    return {(each.type, each.name) for each in world.registered}


def added(folder: Path, title: str) -> set[tuple[str, str]]:
    """Type and name of what a change of `infra/` registers besides everything that is registered without it."""
    change(copied(folder, "infra"), title)
    before, after = registered(deployed(ROOT / "infra")), registered(deployed(folder / "infra"))
    assert before <= after
    return after - before


# ---- The page


@pytest.mark.pure
def test_the_page_has_the_ten_changes_with_as_many_files_as_promised() -> None:
    assert {title: change.count for title, change in changes().items()} == PROMISED
    assert {title: len(change.files) for title, change in changes().items()} == PROMISED


@pytest.mark.pure
@pytest.mark.parametrize("title", PROMISED)
def test_each_file_exists_and_each_has_an_example(title: str) -> None:
    change = changes()[title]
    assert set(change.files) == set(change.examples)
    for file in (*change.files, *change.along):
        assert list(ROOT.glob(PLACE.sub("*", file))), file


@pytest.mark.pure
def test_an_example_is_applied_where_its_lines_are_and_nowhere_else() -> None:
    assert applied("a\nb\nc\n", " a\n+x\n@@\n-c\n+z\n") == "a\nx\nb\nz\n"
    assert applied("", "+new\n") == "new\n"
    with pytest.raises(AssertionError, match="0 times"):
        applied("a\n", " b\n+x\n")
    with pytest.raises(AssertionError, match="2 times"):
        applied("a\na\n", " a\n+x\n")


# ---- The changes, each on a copy


@pytest.mark.pure
def test_a_bake_length_is_a_line_of_the_stack_file(tmp_path: Path) -> None:
    change(copied(tmp_path, "Pulumi.production.yaml"), "another bake length", stack="production")
    before, after = settings_of(ROOT, "production"), settings_of(tmp_path, "production")
    assert (before.wanted_shift.bake, after.wanted_shift.bake) == (0, 600)
    assert after.wanted_shift.steps == (10, 50, 100)


class _StatusOnly(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/v1/status" else 404)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.provider
def test_a_smoke_check_is_a_function_in_its_file(tmp_path: Path) -> None:
    change(copied(tmp_path, "smoke"), "another smoke check")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _StatusOnly)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    try:
        said = python(tmp_path, "-m", "pytest", "smoke", "--url", url, "-k", "unknown_path or status_page", "-q")
    finally:
        server.shutdown()
        server.server_close()
    assert "2 passed" in said


@pytest.mark.cli
def test_a_wording_of_the_review_is_one_line_and_one_golden_file(tmp_path: Path) -> None:
    title = "another wording of the review"
    change(copied(tmp_path, LIBRARY, "packages/release-lane/tests/operate/reviews"), title)
    program = (
        "import pathlib, sys, tests.operate.test_review as golden\n"
        "import release_lane.operate.review_page as review\n"
        f"assert pathlib.Path(review.__file__).is_relative_to({str(tmp_path)!r}), review.__file__\n"
        f"golden.REVIEWS = pathlib.Path({str(tmp_path)!r}, 'packages/release-lane/tests/operate/reviews')\n"
        "for name, test in vars(golden).items():\n"
        "    if name.startswith('test_') and not test.__code__.co_argcount: test()\n"
    )
    python(tmp_path, "-c", program, UPDATE="1")
    kept = ROOT / "packages/release-lane/tests/operate/reviews"
    fresh = tmp_path / "packages/release-lane/tests/operate/reviews"
    differ = [path.name for path in kept.iterdir() if path.read_text() != (fresh / path.name).read_text()]
    assert differ == [Path(file).name for file in changes()[title].along]


VERB = """
from tests.command.words import A, Stage, states

stage = Stage()
stage.engine.states = states()
assert stage.run("live", "production") == 0, stage.err
assert stage.out.strip() == A.digest, stage.out
assert stage.run("live", "nowhere") == 2, stage.err
"""


@pytest.mark.cli
def test_a_verb_is_a_file_that_the_command_finds_and_runs(tmp_path: Path) -> None:
    (touched,) = change(copied(tmp_path, LIBRARY), "a new verb", verb="live")
    said = python(tmp_path, "-m", "release_lane.command", "--help")
    assert "Print the digest that an environment serves." in said
    assert "release live production" in python(tmp_path, "-m", "release_lane.command", touched.stem, "--help")
    python(tmp_path, "-c", VERB)
    ruled = [sys.executable, "-m", "ruff", "check", "--quiet", "--config", str(ROOT / "pyproject.toml"), str(touched)]
    assert subprocess.run(ruled, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE).stdout == ""


@pytest.mark.program
def test_a_setting_of_your_own_reaches_the_colour_that_is_written(tmp_path: Path) -> None:
    title = "a new setting of your own"
    change(copied(tmp_path, "infra", "Pulumi.production.yaml"), title, stack="production")
    assert settings_of(tmp_path, "production")
    given = yaml.safe_load((tmp_path / "Pulumi.production.yaml").read_text())["config"]["team:maximumPercent"]
    world = deployed(tmp_path / "infra", **{"team:maximumPercent": given})
    services = {each.name: each.inputs for each in world.of_type("ecs/service:Service")}
    assert services["release-lane-staging-green"]["deploymentMaximumPercent"] == 150
    assert world.options["aws:ecs/service:Service", "release-lane-staging-blue"].ignored == ("*",)


GATE = """
import json
from release_lane.gates.__main__ import provider
from tests.program.mocks import ARTIFACTS, FIRST, SECOND, World, observed, outputs_of, release, run
from release_lane.record.placement import Colour

gate = provider().resources["release:index:HeaderGate"]
seen = observed(blue=release(FIRST), live=Colour.BLUE, image=SECOND)
world = World(outputs={**ARTIFACTS, "staging": outputs_of(release(FIRST), Colour.BLUE)}, observed=seen)
run(world, {"release-lane:imageDigest": SECOND})
inputs = dict(world.one("HeaderGate").inputs)
try:
    gate.update(None, None, inputs)
except Exception as error:
    refused = str(error)
order = [each.name for each in world.registered if each.type.startswith("release:index:")]
print(json.dumps({"refused": refused, "order": order, "active": inputs["active"]}))
"""


@pytest.mark.program
def test_a_gate_is_a_file_that_the_provider_finds_and_a_place_in_the_chain(tmp_path: Path) -> None:
    change(copied(tmp_path, LIBRARY, "infra", "Pulumi.yaml"), "a new gate", gate="headers")
    done = json.loads(python(tmp_path / "infra", "-c", GATE, home=tmp_path))
    assert done["order"] == ["image", "rollout", "smoke", "headers", "traffic-switch"]
    assert done["active"]
    assert "The smoke gate did not pass" in done["refused"], "without the pass of the gate before it must not open"


@pytest.mark.program
def test_a_resource_is_registered_and_there_before_traffic_moves(tmp_path: Path) -> None:
    found = added(tmp_path, "a new aws resource in an environment")
    assert found == {("aws:sns/topic:Topic", "release-lane-staging-orders")}


@pytest.mark.pure
def test_an_environment_is_a_stack_file(tmp_path: Path) -> None:
    files = [path.name for path in ROOT.glob("Pulumi*.yaml")]
    change(copied(tmp_path, *files), "another environment", name="qa")
    route = read_project(tmp_path).route
    assert route.environments == ("staging", "production", "qa")
    assert route.source_of("qa") == "staging"
    assert settings_of(tmp_path, "qa").network.cidr == "10.40.0.0/16"
    carried = local_cloud.read_project(copied(tmp_path, "pyproject.toml")).stacks
    assert set(carried) == {"artifacts", *route.environments}


@pytest.mark.program
def test_a_listener_port_is_opened_and_served(tmp_path: Path) -> None:
    found = {(kind.rsplit(":", 1)[-1], name) for kind, name in added(tmp_path, "another listener port")}
    assert ("Listener", "release-lane-staging-plain") in found
    (door,) = found - {("Listener", "release-lane-staging-plain")}
    assert door[0] == "SecurityGroupIngressRule"


@pytest.mark.program
def test_an_alarm_is_made_for_each_colour_and_the_switch_watches_it(tmp_path: Path) -> None:
    change(copied(tmp_path, "infra"), "another alarm")
    world = deployed(tmp_path / "infra")
    names = {each.name for each in world.of_type("metricAlarm:MetricAlarm")}
    assert names == {"release-lane-staging-blue-busy", "release-lane-staging-green-busy"}
    assert names <= set(json.dumps(world.one("TrafficSwitch").inputs).split('"'))
