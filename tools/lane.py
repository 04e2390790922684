"""One lane on the local cloud: a registry, images that behave well or badly, and environments of its own.

Rehearsals and benchmarks run the real engine through it as a person would (`pulumi up`), with state, stack names and
stack files of their own, so that they do not disturb a demo in the same checkout.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import yaml
from local_aws.project import overlay, read_project
from release_lane.probe import Probe
from release_lane.record.endpoint import Endpoint, production
from release_lane.record.names import Access, Names
from release_lane.smoke.connecting import session_to

from tools import states

ROOT = Path(__file__).resolve().parents[1]
PROJECT = read_project(ROOT).name

GIVE_UP_AFTER = 300.0
"""Seconds until an engine counts as hanging. The real AWS provider alone takes 73 to create an environment, since it
waits for each network and load balancer, as on AWS."""

EDITIONS = ("better", "best", "third", "fourth", *(f"edition-{number}" for number in range(6, 20)))
"""Good images; only the digest differs."""

TAKES = (
    'LABEL dev.release-lane.env.optional="EMPTY,FLAGS_PARAMETER,GREETING,LOG_LEVEL,STOP_SECONDS"',
    'LABEL dev.release-lane.secrets.optional="KEY"',
)
"""What rehearsals give to editions, more than the sample declares."""

PLAIN: Mapping[str, Any] = {
    # A lane is removed again at its end.
    "deletionProtection": False,
    # What breaches put there would be refused in the next.
    "ledger": None,
    # They take seconds to come up. A story that needs them asks for them.
    "database": None,
    "cache": None,
    "migration": None,
    # Containers that starve start late, which is no fault of a release.
    "rollout": {"graceSeconds": 120},
}
"""Settings of an environment of a rehearsal, in place of those of the stack files. None: without."""

SOON: Mapping[str, Any] = {"graceSeconds": 30}
"""The setting `rollout` where a release is to be refused for its health checks: after so many seconds."""

SLOW = ("slow-1", "slow-2", "slow-3")
"""The same, but a container does nothing for STARTS_AFTER seconds before its service starts."""
STARTS_AFTER = 10.0
"""Fargate takes half a minute and more until a container starts; here one starts in a second."""


def _patched(file: str, how: str) -> tuple[str, ...]:
    """Lines that change a file of the sample by `sed -i HOW`."""
    compiled = "/venv/bin/python -m compileall -q -f --invalidation-mode unchecked-hash /srv/app"
    return ("USER 0", f"RUN sed -i {how} /srv/app/{file} && {compiled}", "USER 10001:10001")


def _to_users(does: str) -> tuple[str, ...]:
    """Lines that make the sample do so at a request of its status with a query."""
    asked = "-e 's/async def status()/async def status(request: Request)/'"
    done = f"-e 's|^        problems = |        if request.query_params:\\n            {does}\\n&|'"
    return _patched("service.py", f"{asked} {done}")


VARIANTS = {
    **{name: (f"LABEL edition={number}", *TAKES) for number, name in enumerate(EDITIONS, start=2)},
    **{
        name: (
            f"LABEL edition={name}",
            *TAKES,
            f'CMD ["/venv/bin/python", "-c", "import os, time; time.sleep({STARTS_AFTER});'
            " os.execv('/venv/bin/python', ['/venv/bin/python', '-m', 'app'])\"]",
        )
        for name in SLOW
    },
    # Healthy, but its status says error: the self-check's reference value is another one.
    "liar": _patched("selfcheck.py", "'s/ba7816bf8f01cfea/0000000000000000/'"),
    # Healthy, and its status is ok; but a request with a query, as only users send it, is answered with 500.
    "moody": _to_users("raise HTTPException(500)"),
    # The same, but it breaks such a request off without an answer.
    "abrupt": _to_users('__import__("asyncio").current_task().get_coro().cr_frame.f_locals["self"].transport.abort()'),
    # Exits at once.
    "crasher": ('CMD ["/venv/bin/python", "-c", "raise SystemExit(\'no database here\')"]',),
    # Runs, but its health check never answers 200.
    "sick": ('CMD ["/venv/bin/python", "-m", "http.server", "8080", "--directory", "/srv/app"]',),
    # Declares a variable that it needs.
    "needy": ("LABEL dev.release-lane.env.required=GREETING",),
    # Needs something else at its start: the URL in UPSTREAM must answer.
    "picky": (
        "LABEL dev.release-lane.env.required=UPSTREAM",
        'CMD ["/venv/bin/python", "-c", "import os, urllib.request as u; u.urlopen(os.environ[\'UPSTREAM\']);'
        " os.execv('/venv/bin/python', ['/venv/bin/python', '-m', 'app'])\"]",
    ),
}
"""Dockerfile lines that make another image of a good one."""


@cache
def _client(endpoint: str, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@dataclass(frozen=True)
class Result:
    """How a command of the engine ended. `text` is all that it printed."""

    code: int
    text: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Did it succeed?"""
        return self.code == 0


@dataclass
class Lane:
    """State and environment variables shared by the stacks of one test session."""

    folder: Path
    variables: Mapping[str, str]
    repository: str = ""
    images: dict[str, str] = field(default_factory=dict)
    stacks: set[str] = field(default_factory=set)
    niceness: int = 0
    mark: str = field(default_factory=lambda: secrets.token_hex(2))
    """In all names, so that remains of an earlier, killed session are never taken for this one's."""

    @staticmethod
    def open(folder: Path, variables: Mapping[str, str]) -> Lane:
        """A lane with states of its own: under `folder`, or where STATE says."""
        mark = secrets.token_hex(2)
        return Lane(folder, states.kept(variables, folder / "state", f"states-{mark}"), mark=mark)

    def aws(self, service: str) -> Any:
        """A client of the local cloud."""
        return _client(self.variables["AWS_ENDPOINT_URL"], service)

    def artifacts(self, source: Path) -> Stack:
        """This lane's own artifacts stack, which builds from `source`."""
        return self.stack("artifacts", like="artifacts", source=str(source), repository=f"lane-{self.mark}/app")

    def environment(self, name: str, like: str = "staging", **config: Any) -> Stack:
        """A new, empty environment with the settings of the stack `like`, and some changed."""
        return self.stack(f"{name}-{self.mark}", like, **config)

    def close(self) -> None:
        """Remove all environments and the registry."""
        for name in sorted(self.stacks - {"artifacts"}):
            Stack(self, name, self.folder / f"Pulumi.{name}.yaml").destroy()
        if "artifacts" in self.stacks:
            with contextlib.suppress(botocore.exceptions.ClientError):
                self.aws("ecr").delete_repository(repositoryName=f"lane-{self.mark}/app", force=True)
        states.remove(self.variables)

    def stack(self, name: str, like: str, **config: Any) -> Stack:
        """A new, empty stack named `name` with the settings of the stack `like`, and some changed."""
        self.stacks.add(name)
        stack = Stack(self, name, self._settings(name, like, config))
        if states.read(self.variables, f".pulumi/stacks/{PROJECT}/{name}.json") is None:
            self._init(name, stack.settings)
        return stack

    def another(self, stack: Stack) -> Stack:
        """A new, empty stack with the settings and the program of this one, under a name of its own."""
        name = f"{stack.name.removesuffix(f'-{self.mark}')}x-{self.mark}"
        settings = self.folder / f"Pulumi.{name}.yaml"
        shutil.copy(stack.settings, settings)
        self.stacks.add(name)
        self._init(name, settings)
        return replace(stack, name=name, settings=settings)

    def _settings(self, name: str, like: str, config: Mapping[str, Any]) -> Path:
        content = yaml.safe_load(overlay(read_project(ROOT), like))
        given = config if like == "artifacts" else {**PLAIN, **config}
        content["config"] |= {f"{PROJECT}:{key}": value for key, value in given.items()}
        content["config"] = {key: value for key, value in content["config"].items() if value is not None}
        path = self.folder / f"Pulumi.{name}.yaml"
        # What `stack init` wrote there stays: under which key secrets are.
        known = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**known, **content}))
        return path

    def _init(self, name: str, settings: Path) -> None:
        """`stack init` may write into the stack file, so it works in a folder of its own."""
        folder = self.folder / f"init-{name}"
        folder.mkdir(exist_ok=True)
        (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        shutil.copy(settings, folder / settings.name)
        command = ["pulumi", "stack", "init", f"organization/{PROJECT}/{name}", "--no-select", "--non-interactive"]
        command += states.secrets_options(self.variables)
        subprocess.run(command, cwd=folder, env=dict(self.variables), check=True, capture_output=True)
        shutil.copy(folder / settings.name, settings)

    @property
    def registry(self) -> str:
        """Where Docker pushes to: the registry's own address. Its name in AWS is for task definitions."""
        return self.variables["AWS_ENDPOINT_URL"].removeprefix("http://") + "/" + self.repository.split("/", 1)[1]

    def derive(self, name: str, good: str, lines: Sequence[str] = ()) -> str:
        """Push the variant `name` of a good image, made by `lines` of a Dockerfile or by VARIANTS; its digest."""
        if name in self.images:
            return self.images[name]
        commit = name.encode().hex().ljust(40, "0")[:40]
        reference = f"{self.registry}:{commit}"
        recipe = "\n".join([f"FROM {self.registry}@{good}", f"ENV COMMIT={commit}", *(lines or VARIANTS[name])])
        environ = {**self.variables, "DOCKER_BUILDKIT": "0"}
        for command, given in ((["build", "-t", reference, "-"], recipe), (["push", reference], None)):
            subprocess.run(["docker", *command], input=given, text=True, env=environ, check=True, capture_output=True)
        inspected = subprocess.run(
            ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", reference],
            check=True, capture_output=True, text=True, env=environ,
        ).stdout  # fmt: skip
        self.images[name] = json.loads(inspected)[0].rsplit("@", 1)[1]
        return self.images[name]


@dataclass(frozen=True)
class Stack:
    """One stack, updated by the real engine."""

    lane: Lane
    name: str
    settings: Path
    project: Path = ROOT

    def with_changed_program(self, file: str, old: str, new: str) -> Stack:
        """The same stack, updated by a copy of this repository in which one line of the program is another."""
        copy = self.lane.folder / f"program-{time.monotonic_ns()}"
        for part in ("infra", "packages/release-lane", "packages/provider-kit", "smoke"):
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "tests"))
        shutil.copy(ROOT / "Pulumi.yaml", copy)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        text = (copy / file).read_text()
        assert old in text, f"{file} has no {old!r} any more"
        (copy / file).write_text(text.replace(old, new))
        path = os.pathsep.join(
            str(copy / part) for part in ("", "packages/release-lane/src", "packages/provider-kit/src")
        )
        variables = {**self.lane.variables, "PYTHONPATH": path, "LOCAL_AWS_HOME": str(copy)}
        return replace(self, lane=replace(self.lane, variables=variables), project=copy)

    def with_settings(self, **config: Any) -> Stack:
        """The same stack, with a stack file of its own in which some settings are others."""
        settings = self.settings.with_name(f"{self.settings.stem}-{time.monotonic_ns()}.yaml")
        content = yaml.safe_load(self.settings.read_text())
        content["config"] |= {f"{PROJECT}:{key}": value for key, value in config.items()}
        settings.write_text(yaml.safe_dump(content))
        return replace(self, settings=settings)

    def up(self, *options: str, timeout: float = GIVE_UP_AFTER, **config: Any) -> Result:
        """`pulumi up` with keys given for this run alone."""
        with self.started("up", *options, **config) as process:
            return process.wait(timeout)

    def destroy(self) -> Result:
        """Remove everything of it."""
        with self.started("destroy") as process:
            return process.wait(GIVE_UP_AFTER)

    def preview(self, *options: str, **config: Any) -> Result:
        """`pulumi preview --diff`."""
        with self.started("preview", "--diff", *options, **config) as process:
            return process.wait(GIVE_UP_AFTER)

    @contextmanager
    def started(self, verb: str, *options: str, **config: Any) -> Iterator[Running]:
        """The engine while it runs; it is ended with the block."""
        run = self.lane.folder / f"run-{self.name}-{time.monotonic_ns()}.yaml"
        shutil.copy(self.settings, run)
        given = [part for key, value in config.items() for part in ("-c", f"{key}={value}")]
        extra = ["--yes", "--skip-preview"] if verb == "up" else []
        extra += ["--yes"] if verb in ("refresh", "destroy") else []
        # Network and load balancer are protected.
        extra += ["--ignore-protect"] if verb == "destroy" or "allowReplace" in config else []
        nice = ["nice", "-n", str(self.lane.niceness)] if self.lane.niceness else []
        command = [*nice, "pulumi", verb, "--stack", f"organization/{PROJECT}/{self.name}", "--non-interactive"]
        log = run.with_suffix(".log")
        with log.open("w") as out:
            process = subprocess.Popen(
                [*command, "--color=never", "--config-file", str(run), *extra, *given, *options],
                cwd=self.project, env=dict(self.lane.variables), stdout=out, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            try:
                yield Running(process, log)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def command(self, *arguments: str) -> Result:
        """Any other command of the engine on this stack."""
        begun = time.monotonic()
        done = subprocess.run(
            ["pulumi", *arguments, "--stack", f"organization/{PROJECT}/{self.name}", "--non-interactive"],
            cwd=ROOT, env=dict(self.lane.variables), capture_output=True, text=True,
        )  # fmt: skip
        return Result(done.returncode, done.stdout + done.stderr, time.monotonic() - begun)

    @property
    def state(self) -> dict[str, Any]:
        """What the backend holds of it: `resources`, `pending_operations`; empty before its first update."""
        kept = json.loads(states.read(self.lane.variables, f".pulumi/stacks/{PROJECT}/{self.name}.json") or "")
        return dict(kept["checkpoint"].get("latest") or {})

    @property
    def locks(self) -> list[str]:
        """What an update lays there as its lock, by the names in the backend."""
        return states.names(self.lane.variables, f".pulumi/locks/organization/{PROJECT}/{self.name}")

    @property
    def outputs(self) -> dict[str, Any]:
        """Recorded outputs, read from the state itself."""
        resources = self.state.get("resources") or []
        root: dict[str, Any] = next((each for each in resources if each["type"] == "pulumi:pulumi:Stack"), {})
        return dict(root.get("outputs") or {})

    def served(self) -> dict[str, Any]:
        """What users get now: the status answer, or {"http": code} if there is none."""
        with session_to(self.endpoint) as session:
            trusted = self.lane.variables["REQUESTS_CA_BUNDLE"]
            answer = session.get(self.url + "/api/v1/status", timeout=5, verify=trusted)
        return answer.json() if answer.ok else {"http": answer.status_code}

    @property
    def url(self) -> str:
        """The production address, recorded or not yet."""
        return self.endpoint.url

    @property
    def endpoint(self) -> Endpoint:
        """The same, with the load balancer that is connected to."""
        name = f"{PROJECT}-{self.name}"
        found = self.lane.aws("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"]
        access = Access(region="us-east-1", account="000000000000")
        names = Names.of_stack(PROJECT, self.name, access=access, domain=self.domain)
        return production(names, str(found[0]["DNSName"]))

    @property
    def domain(self) -> str:
        """The name that users come by, "" for plain HTTP."""
        https = yaml.safe_load(self.settings.read_text())["config"].get(f"{PROJECT}:https") or {}
        return str(https.get("domain") or "")

    def probe(self, path: str, rate: float, **options: Any) -> Probe:
        """A prober of what users get, not started yet."""
        at = self.endpoint
        return Probe(at.url + path, rate, connect_to=at.connect_to, environ=self.lane.variables, **options)


class Running:
    """The engine at work."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self._begun = time.monotonic()

    @property
    def text(self) -> str:
        """What it printed so far."""
        return self._log.read_text(errors="replace")

    def wait(self, timeout: float) -> Result:
        """Its end."""
        code = self.process.wait(timeout)
        return Result(code, self.text, time.monotonic() - self._begun)
