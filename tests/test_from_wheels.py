"""A team with nothing but the wheels: `release init` next to its own service, then to production and back.

The service has never heard of this project: port 3000, /healthz, its own status. Its folder, and the virtual
environment, are outside of this repository. As README.md says it, this checkout's command writes the template, and what
it names as the next command runs: `uv sync` with the wheels in a folder. All else comes from the package index, as new
as it is there today.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from release_lane.record.endpoint import recorded_endpoint
from release_lane.smoke.connecting import session_to

from tools.dist import build

pytestmark = [pytest.mark.cloud, pytest.mark.story, pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(sys.executable).parent
"""Where this checkout's `release` is, and its uv, for who has none."""
OURS = (
    *("PULUMI_", "AWS_", "RELEASE_LANE_", "GIT_", "LOCAL_RUNTIME"),
    *(f"LOCAL_AWS_{name}" for name in ("HOME", "PYTHON", "TOOLCHAIN", "BUILD_ARGS")),
)
"""Beginnings of variables that a team's shell does not have: those of this repository's own local cloud."""
ME = {
    "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    "GIT_CONFIG_GLOBAL": os.devnull,
}  # fmt: skip

SERVER = """\
import http.server, json, signal, threading
GREETING = "hello"
ANSWERS = {"/": GREETING, "/healthz": "fine", "/about": json.dumps({"status": "ok", "service": "greeter"})}
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        text = ANSWERS.get(self.path.split("?")[0])
        body = (text or "what?").encode()
        self.send_response(200 if text else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("", 3000), Answer)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
SERVICE = {
    "greeter/Dockerfile": 'ARG BASE_IMAGE=python:3.11-slim\nFROM ${BASE_IMAGE}\nCOPY server.py /server.py\n'
    'USER 10001:10001\nCMD ["python3", "/server.py"]\n',
    "greeter/server.py": SERVER,
    ".gitignore": "*.log\n",
}  # fmt: skip
SMOKE = """\
from typing import Any


def test_it_greets(site: Any) -> None:
    answer = site.get("/")
    assert answer.text.startswith("hello"), f"GET {answer.url}: got {answer.text!r}, expected hello"
"""

FROM_WHERE = """
import importlib, json, pkgutil, sys
found = {}
for name in ("release_lane", "provider_kit", "local_aws"):
    package = importlib.import_module(name)
    found[name] = package.__file__
    for each in pkgutil.iter_modules(package.__path__, f"{name}."):
        found[each.name] = each.module_finder.path
print(json.dumps({"modules": found, "path": sys.path}))
"""


@dataclass
class Team:
    """A team's folder, with the environment of its shell."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, *command: str, code: int = 0) -> str:
        """What it writes to stdout."""
        done = subprocess.run(command, cwd=self.folder, env=dict(self.environ), capture_output=True, text=True)
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        """Of everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def status(self, environment: str) -> Any:
        """What `release status` says of it."""
        (found,) = json.loads(self.run("release", "status", environment, "--json"))["environments"]
        return found

    def greeting(self, environment: str) -> str:
        """What users get."""
        at = recorded_endpoint(self.status(environment))
        with session_to(at) as session:
            return session.get(at.url + "/", timeout=30, verify=self.environ["REQUESTS_CA_BUNDLE"]).text

    def change(self, greeting: str) -> None:
        """The service, in a new commit."""
        (self.folder / "greeter/server.py").write_text(SERVER.replace('"hello"', f'"{greeting}"'))
        self.commit(greeting)

    def release(self, greeting: str) -> str:
        """Change the service, build it, prove it in staging; its digest."""
        self.change(greeting)
        digest = self.run("release", "build")
        self.run("release", "deploy", "staging", "--digest", digest)
        return digest


def new_shell(folder: Path) -> dict[str, str]:
    """The variables of this process without anything that is ours, and the folder's own programs first."""
    path = [entry for entry in os.environ["PATH"].split(os.pathsep) if not Path(entry).is_relative_to(ROOT)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        kept.pop(name, None)
    return {**kept, **ME, "PATH": os.pathsep.join([str(folder / ".venv/bin"), *path])}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A repository with a service in it and the template next to it, installed as the template says."""
    folder = tmp_path_factory.mktemp("team") / "greeter"
    for name, text in SERVICE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    made = Team(folder, new_shell(folder))
    made.run("git", "init", "--quiet")
    made.commit("the service")
    written = made.run(
        *(str(HERE / "release"), "init", "--project", "greeter", "--region", "eu-central-1", "--app", "greeter"),
        *("--port", "3000", "--health-path", "/healthz", "--status-path", "/about", "--json"),
    )
    install, *_ = json.loads(written)["next"]
    wheels = tmp_path_factory.mktemp("wheels")
    build(wheels)
    with_uv = {"PATH": os.pathsep.join([made.environ["PATH"], str(HERE)]), "UV_PYTHON": sys.executable}
    Team(folder, {**made.environ, **with_uv}).run("sh", "-c", f"{install} --quiet --find-links {wheels}")
    yield made
    made.run("local-aws", "down")


def test_a_team_goes_from_nothing_to_production_and_back(team: Team) -> None:
    (team.folder / "smoke/test_service.py").write_text(SMOKE)
    team.run("python", "-m", "pytest", "-q")
    team.run("local-aws", "up")
    shell = team.run("sh", "-c", ". .local/env && env -0")
    team.environ = dict(entry.split("=", 1) for entry in shell.split("\0") if entry)
    first = team.release("hello")
    assert team.run("release", "init", "--diff") == "No difference."
    assert team.greeting("staging") == "hello"
    team.run("release", "promote", "production", "--digest", first, "--yes")
    assert team.greeting("production") == "hello"
    second = team.release("hello again")
    team.run("release", "promote", "production", "--yes")
    assert (team.greeting("production"), team.status("production")["digest"]) == ("hello again", second)
    team.change("good bye")
    refused = json.loads(
        team.run("release", "deploy", "staging", "--digest", team.run("release", "build"), "--json", code=1)
    )
    assert "test_it_greets" in refused["what"]
    assert team.greeting("staging") == "hello again"
    team.run("release", "rollback", "production", "--yes")
    assert (team.greeting("production"), team.status("production")["digest"]) == ("hello", first)


def test_nothing_comes_from_this_repository(team: Team) -> None:
    found = json.loads(team.run("python", "-c", FROM_WHERE))
    assert {name.split(".")[0] for name in found["modules"]} == {"release_lane", "provider_kit", "local_aws"}
    wrong = [at for at in [*found["modules"].values(), *found["path"]] if Path(at).is_relative_to(ROOT)]
    assert not wrong
    for path in (team.folder / ".local").rglob("*"):
        if path.name == "env" or path.name.startswith("pulumi-resource-"):
            assert str(ROOT) not in path.read_text(), path
