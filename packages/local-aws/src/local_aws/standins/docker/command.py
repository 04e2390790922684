"""The docker command: run it, show its progress, and say plainly what went wrong."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provider_kit import Cancelled, Context, UserError

TAIL = 25  # lines of a failed command's output that its error shows
NO_DAEMON = "Docker is not running: {why} Start it (`systemctl start docker`, or Docker Desktop) and try again."


class CommandFailed(Exception):
    """The command ended with an error; `tail` are the last lines that it wrote."""

    def __init__(self, tail: str) -> None:
        super().__init__(tail)
        self.tail = tail


@dataclass(frozen=True)
class Login:
    """Credentials for one registry host."""

    host: str
    username: str
    password: str


class Docker:
    """The docker command with an environment of its own: credentials never reach the user's configuration."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)

    def platform(self) -> str:
        """`linux/amd64`, of the daemon. UserError when there is no command or no daemon."""
        command = ["docker", "version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"]
        try:
            result = subprocess.run(
                command, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
        except FileNotFoundError:
            raise UserError("the docker command is not installed, or not on PATH") from None
        if result.returncode:
            raise UserError(NO_DAEMON.format(why=result.stderr.strip().splitlines()[-1]))
        return result.stdout.strip()

    def image_id(self, ctx: Context, name: str) -> str:
        """`sha256:…`, the local id of an image. Raises CommandFailed."""
        return self.run(ctx, ["image", "inspect", "--format", "{{.Id}}", name])[-1]

    @contextmanager
    def logged_in(self, login: Login | None) -> Iterator[Docker]:
        """The same daemon with these credentials, which are gone afterwards."""
        if login is None:
            yield self
            return
        token = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
        with tempfile.TemporaryDirectory(prefix="docker-login-") as directory:
            path = Path(directory, "config.json")
            path.touch(mode=0o600)
            path.write_text(json.dumps({"auths": {login.host: {"auth": token}}}))
            yield Docker(self._environment | {"DOCKER_CONFIG": directory, "DOCKER_HOST": self._host()})

    def _host(self) -> str:
        """The daemon's address: other configuration directories know nothing of the user's contexts."""
        if self._environment.get("DOCKER_HOST"):
            return self._environment["DOCKER_HOST"]
        command = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        result = subprocess.run(
            command, env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        return result.stdout.strip() or "unix:///var/run/docker.sock"

    def run(self, ctx: Context, arguments: Sequence[str], variables: Mapping[str, str] | None = None) -> list[str]:
        """Run `docker ARGUMENTS`, each line of its output a status line; returns the lines.

        `variables` are in its environment besides.

        Raises CommandFailed, or Cancelled once the update is interrupted.
        """
        process = subprocess.Popen(
            ["docker", *arguments],
            env={**self._environment, **(variables or {}), "DOCKER_BUILDKIT": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=_end_when_cancelled, args=(process, ctx), daemon=True).start()
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            text = line.rstrip()
            if text:
                lines.append(text)
                ctx.say(text)
        process.stdout.close()
        code = process.wait()
        if ctx.cancelled.is_set():
            raise Cancelled(f"docker {arguments[0]} was cancelled")
        if code:
            raise CommandFailed("\n".join(deque(lines, TAIL)))
        return lines


def _end_when_cancelled(process: subprocess.Popen[str], ctx: Context) -> None:
    end = time.monotonic() + ctx.timeout if ctx.timeout else None
    while process.poll() is None:
        if ctx.cancelled.wait(0.2) or (end is not None and time.monotonic() > end):
            process.terminate()
            return


_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")


def pushed_digest(lines: Sequence[str]) -> str:
    """The manifest digest that the registry acknowledged, from the output of `docker push`."""
    found = [match.group(1) for line in lines if (match := _PUSHED.search(line))]
    if not found:
        raise UserError("docker push did not say which digest it pushed:\n" + "\n".join(lines[-TAIL:]))
    return found[-1]


def environment_build_args(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Build arguments that belong to this machine and not to the program: LOCAL_AWS_BUILD_ARGS, JSON.

    They are no inputs of the resource, so the program and its state are the same everywhere.
    """
    text = environment.get("LOCAL_AWS_BUILD_ARGS", "")
    if not text:
        return {}
    try:
        arguments = json.loads(text)
    except ValueError as error:
        raise UserError(f"LOCAL_AWS_BUILD_ARGS is not JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise UserError("LOCAL_AWS_BUILD_ARGS should be a JSON object of build arguments")
    return {str(name): str(value) for name, value in arguments.items()}
