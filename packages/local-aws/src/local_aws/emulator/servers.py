"""Servers of the local cloud that are no tasks: databases, caches. Each is a container on the tasks' network.

Tasks reach one by its name there, which stays while its address may change. What it keeps lies in a volume of its own,
so a container that has ended is simply made anew. `local-aws down` removes both (local_aws/dockercli.py).
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_aws.emulator.acm.authority import LASTS, Authority
from local_aws.emulator.ecs.containers import CLOUD_LABEL, GROUP_LABEL

FILES = "/local-aws"
"""The folder of a server's files in its container."""
STARTS_WITHIN, ENDS_WITHIN, PAUSE = 120.0, 30.0, 0.1
"""Seconds for a server to answer, to end in order, and between two looks."""
TRIES = 20
"""Times that a script is run until what it prints comes through."""


class Failed(Exception):
    """A server did not start. The message says why."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """`kind` and `id` name it (`database`, `shop-orders`), `host` and `more` are its names on the tasks' network.

    `volume` names what it keeps where that may outlive it; without one its `id` does.
    `starts`: a script for sh, run by root. `files`: name -> content, put into FILES for root alone before it runs.
    `keeps`: the folder that outlives the container, "" for none. `ready`: a command in it that ends with 0 once it
    answers.
    """

    kind: str
    id: str
    host: str
    starts: str
    ready: str
    more: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    keeps: str = ""
    volume: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


class Servers:
    """Those of one local cloud, at Docker."""

    def __init__(self, cloud: str, network: str, client: Any = None, pause: float = PAUSE) -> None:
        self._cloud, self._network, self._given, self._pause = cloud, network, client, pause

    @property
    def _client(self) -> Any:
        if self._given is None:
            from docker import APIClient
            from docker.utils import kwargs_from_env

            self._given = APIClient(version="auto", **kwargs_from_env())
        return self._given

    def name(self, kind: str, id: str) -> str:
        """Of a container, or of a volume."""
        return f"local-aws-{self._cloud}-{kind}-{id}"

    def start(self, server: Server, image: Callable[[], str]) -> None:
        """Returns when it answers. One that runs is left alone, and needs no `image`. Raises Failed."""
        from docker.errors import APIError

        name = self.name(server.kind, server.id)
        try:
            if not self._state(name).get("Running"):
                self._remove_container(name)
                self._create(name, server, image())
                self._client.start(name)
            self._wait(name, server.ready)
        except APIError as error:
            raise Failed(f"Docker did not start it: {error}") from error

    def ask(self, kind: str, id: str, script: str, environment: Mapping[str, str] | None = None) -> str:
        """What a script prints in its container, run by root. Raises Failed with that if its exit code is not 0."""
        from docker.errors import APIError

        try:
            code, said = self._run(self.name(kind, id), script, environment)
        except APIError as error:
            raise Failed(str(error)) from error
        if code:
            raise Failed(said)
        return said

    def answer_of(self, kind: str, id: str, script: str) -> str:
        """The same of a script that always prints something. Docker at times loses what a short command prints, on a
        busy machine (moby/moby#27289): then it is asked again. Raises Failed."""
        return next(filter(None, (self.ask(kind, id, script) for _ in range(TRIES))), "")

    def remove(self, kind: str, id: str, volume: str = "") -> None:
        """With what it keeps. Gone is fine."""
        self._remove_container(self.name(kind, id))
        self.forget(kind, volume or id)

    def end(self, kind: str, id: str) -> None:
        """In order; what it keeps stays. Gone is fine."""
        from docker.errors import NotFound

        name = self.name(kind, id)
        with contextlib.suppress(NotFound):
            self._client.stop(name, timeout=int(ENDS_WITHIN))
        self._remove_container(name)

    def forget(self, kind: str, volume: str) -> None:
        """What one kept. Gone is fine."""
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            self._client.remove_volume(self.name(kind, volume))

    def _state(self, name: str) -> Mapping[str, Any]:
        """Empty if there is no such container."""
        from docker.errors import NotFound

        try:
            found: Mapping[str, Any] = self._client.inspect_container(name)["State"]
            return found
        except NotFound:
            return {}

    def _remove_container(self, name: str) -> None:
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            self._client.remove_container(name, v=True, force=True)

    def _create(self, name: str, server: Server, image: str) -> None:
        labels = {CLOUD_LABEL: self._cloud, GROUP_LABEL: f"{server.kind}:{server.id}"}
        volume = self.name(server.kind, server.volume or server.id)
        volumes = {volume: {"bind": server.keeps, "mode": "rw"}} if server.keeps else {}
        if volumes:
            self._client.create_volume(volume, labels=labels)
        known_as = self._client.create_endpoint_config(aliases=[server.host, *server.more])
        self._client.create_container(
            image,
            entrypoint=["/bin/sh", "-euc", server.starts],
            command=[],
            user="0:0",
            name=name,
            environment=dict(server.environment),
            labels=labels,
            volumes=[server.keeps] if server.keeps else [],
            stop_signal=server.stop_signal,
            host_config=self._client.create_host_config(network_mode=self._network, binds=volumes),
            networking_config=self._client.create_networking_config({self._network: known_as}),
        )
        self._client.put_archive(name, "/", packed(server.files))

    def _wait(self, name: str, ready: str) -> None:
        until = time.monotonic() + STARTS_WITHIN
        while True:
            state = self._state(name)
            if not state.get("Running"):
                raise Failed(f"it ended with exit code {state.get('ExitCode')}: {self._last_words(name)}")
            if self._run(name, ready)[0] == 0:
                return
            if time.monotonic() > until:
                raise Failed(f"it did not answer within {STARTS_WITHIN:.0f} s: {self._last_words(name)}")
            time.sleep(self._pause)

    def _run(self, name: str, script: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        asked = self._client.exec_create(name, ["/bin/sh", "-euc", script], environment=dict(environment or {}))["Id"]
        said: bytes = self._client.exec_start(asked)
        return int(self._client.exec_inspect(asked)["ExitCode"]), said.decode(errors="replace").strip()

    def _last_words(self, name: str) -> str:
        lines: bytes = self._client.logs(name, stdout=True, stderr=True, tail=5)
        return " / ".join(lines.decode(errors="replace").splitlines())


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar of FILES, for root alone."""
    with io.BytesIO() as made, tarfile.open(fileobj=made, mode="w") as tar:
        folder = tarfile.TarInfo(FILES.removeprefix("/"))
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{folder.name}/{name}")
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
        tar.close()
        return made.getvalue()


def certificate_of(host: str, folder: Path, *more: str) -> dict[str, bytes]:
    """Files of a server's TLS, `tls.crt` and `tls.key`: by the authority of this cloud, whose state is in `folder`, and
    whose own certificate is `ca.crt`."""
    now, names = time.time(), [host, *more]
    issued = Authority.ensure(folder / "authority", now).issue(names, "EC_prime256v1", now - 3600, now + LASTS)
    return {"tls.crt": issued.certificate.encode(), "tls.key": issued.key.encode(), "ca.crt": issued.chain.encode()}


def in_a_thread(work: Callable[[], None]) -> None:
    """What a server needs takes seconds, for which no answer waits."""
    threading.Thread(target=work, name="servers", daemon=True).start()


def image_of(kind: str) -> str:
    """The reference that `python -m local_aws.server_images KIND` prints. Where no registry can be reached, its first
    run takes a minute.

    The emulator's own environment has none of what that takes, so it is run by the Python of the local cloud's command.
    Raises Failed.
    """
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [os.environ.get("LOCAL_PYTHON", sys.executable), "-m", "local_aws.server_images", kind]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout.strip()
